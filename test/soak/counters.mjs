/** Counters of the kernel's before and behind all handles of a namespace. */

const HOOKS = {
  input: 'iif != lo',
  output: 'oif lo',
  forward: 'meta l4proto udp',
};

/** Puts the counters in. */
export async function startWatching(end) {
  const chain = (hook, counter, priority) =>
    `chain ${hook}_${counter} { type filter hook ${hook} priority ${priority}; ${HOOKS[hook]} udp dport 7000-7999 counter name ${counter}; }`;
  const chains = Object.keys(HOOKS).flatMap((hook) => [
    chain(hook, 'arrived', -90000),
    chain(hook, 'through', 100),
  ]);
  const table = ['counter arrived {}', 'counter through {}', ...chains].join('\n');
  await end.run('nft', `table inet watch {\n${table}\n}\n`);
}

/** Packets that came to a hook of handles and not through it. */
export async function countMissing(end) {
  const text = await end.run('nft', '-j', 'list', 'counters', 'table', 'inet', 'watch');
  const counters = {};
  for (const { counter } of JSON.parse(text).nftables) {
    if (counter) counters[counter.name] = counter.packets;
  }
  return { arrived: counters.arrived, missing: counters.arrived - counters.through };
}
