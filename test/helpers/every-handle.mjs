// Opens a handle of every kind and sends back all it gets, until standard input says how it is to end.
// Argument: the port of the traffic. Says "ready" first.
import { createInterface } from 'node:readline';
import { open } from 'netdivert';

const [port, options = '{}'] = process.argv.slice(2);
const filter = `udp.DstPort == ${port}`;
let throwNext = false;

async function sendAll(handle) {
  for await (const batch of handle.batches()) {
    batch.send();
    if (throwNext) throw new Error('the handler failed');
  }
}

async function readAll(handle) {
  for await (const event of handle) void event;
}

const given = JSON.parse(options);
const divert = await open(filter, { attribution: true, ...given });
sendAll(divert);
for (const more of given.unhandled
  ? []
  : [
      [filter, { mode: 'sniff' }],
      ['true', { layer: 'flow' }],
      ['event == BIND and localPort == 1', { layer: 'socket' }],
      ['true', { layer: 'reflect' }],
    ]) {
  readAll(await open(...more));
}

/** Milliseconds in which the event loop does nothing else. */
function block(ms) {
  for (const end = Date.now() + ms; Date.now() < end; );
}

const ends = {
  segv: () => process.kill(process.pid, 'SIGSEGV'),
  'out of memory': () => {
    const kept = [];
    for (;;) kept.push(new Array(100_000).fill(kept.length + 0.5));
  },
  throw: () => {
    throwNext = true;
  },
  block: ({ ms }) => block(ms),
  stats: () => {
    const { waitMs, ...counts } = divert.stats();
    console.log(JSON.stringify(counts));
  },
};

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const { how, ...details } = JSON.parse(line);
  ends[how](details);
}
