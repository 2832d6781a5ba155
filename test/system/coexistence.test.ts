import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type NetworkHandle, type OpenOptions, open } from '../../src/index.ts';
import type { NetworkEnd } from '../helpers/namespaces.ts';
import { runNft } from '../helpers/nft.ts';
import { createRoutedNetwork, type RoutedNetwork } from '../helpers/routed.ts';
import { runScript, scriptPath, startScript } from '../helpers/traffic.ts';

const PORT = 6200;

let routed: RoutedNetwork;
let net: { a: NetworkEnd; b: NetworkEnd };
beforeAll(async () => {
  routed = await createRoutedNetwork();
  net = { a: routed.a.end, b: routed.b.end };
});
afterAll(() => routed.close());
afterEach(async () => {
  await runNft(net.a, 'flush ruleset');
  await runNft(net.b, 'flush ruleset');
  routed.router.nft('flush ruleset');
});

const openHere = (filter: string, options: OpenOptions = {}): Promise<NetworkHandle> =>
  open(filter, { namespace: net.b.path, ...options }) as Promise<NetworkHandle>;

async function sendAll(handle: NetworkHandle): Promise<void> {
  for await (const batch of handle.batches()) batch.send();
}

/** Datagrams of 1..50 bytes from the other end; returns how many arrived. */
async function exchange(): Promise<number> {
  const receiver = await startScript(net.b, 'udp-receive', [net.b.ipv4, PORT, 50, 1000]);
  await runScript(net.a, 'udp-send', [net.b.ipv4, PORT, 1, 50]);
  return (await receiver.output).split('\n').filter(Boolean).length;
}

async function run(file: string, args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await net.b.exec(file, args, input ? { input } : {});
  if (code !== 0) throw new Error(`${file} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** The rules of all others. */
async function foreignRules(): Promise<string> {
  const text = await run('nft', ['list', 'ruleset']);
  return text.replace(/^table inet netdivert-[^{]*\{.*?^\}\n/gms, '').replace(/^#.*\n/gm, '');
}

/** What administrators and their tools do to all rules. */
const UPHEAVALS: [string, () => Promise<unknown>][] = [
  ['nft flush ruleset', () => run('nft', ['flush', 'ruleset'])],
  [
    'iptables-nft-restore, as a firewall service starts',
    () =>
      run(
        'iptables-nft-restore',
        [],
        '*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n-A INPUT -p tcp --dport 1 -j DROP\nCOMMIT\n*nat\n:PREROUTING ACCEPT\n:POSTROUTING ACCEPT\n-A POSTROUTING -o lo -j MASQUERADE\nCOMMIT\n',
      ),
  ],
  [
    'iptables -F and -X, as it stops',
    async () => {
      for (const option of ['-F', '-X', '-Z']) await run('iptables-nft', [option]);
    },
  ],
  [
    'conntrack comes and goes',
    async () => {
      const chain = 'chain c { type filter hook input priority 0; ct state new counter; }';
      await runNft(net.b, `table inet tracking { ${chain}; }`);
      await exchange();
      await runNft(net.b, 'delete table inet tracking');
    },
  ],
  [
    'NAT rules come and go',
    async () => {
      const chain = 'chain c { type nat hook postrouting priority 100; masquerade; }';
      await runNft(net.b, `table ip translating { ${chain}; }`);
      await exchange();
      await runNft(net.b, 'delete table ip translating');
    },
  ],
  [
    'a firewall that loads its whole file anew',
    () =>
      runNft(
        net.b,
        'flush ruleset\ntable inet filter { chain input { type filter hook input priority 0; policy accept; }; }',
      ),
  ],
];

describe('handles survive', () => {
  test.each(UPHEAVALS)('%s', async (_, upheaval) => {
    const handle = await openHere(`inbound and udp.DstPort == ${PORT}`);
    const sending = sendAll(handle);
    expect(await exchange()).toBe(50);
    await upheaval();
    const { matched } = handle.stats();
    expect(await exchange()).toBe(50);
    expect(handle.stats().matched).toBe(matched + 50);
    expect(handle.stats().lost.total).toBe(0);
    await handle.close();
    await sending;
  });

  test('nobody else can change or delete the table', async () => {
    const handle = await openHere(`inbound and udp.DstPort == ${PORT}`);
    const [, table = ''] =
      /table inet (netdivert-\S+)/.exec(await run('nft', ['list', 'tables'])) ?? [];
    const chain = /chain (\S+)/.exec(await run('nft', ['list', 'table', 'inet', table]))?.[1];
    for (const command of [
      `delete table inet ${table}`,
      `flush table inet ${table}`,
      `flush chain inet ${table} ${chain}`,
      `delete chain inet ${table} ${chain}`,
      `insert rule inet ${table} ${chain} accept`,
      `add chain inet ${table} mine`,
      `add table inet ${table} { flags dormant; }`,
    ]) {
      await expect(runNft(net.b, command), command).rejects.toThrow(/not permitted/);
    }
    const sending = sendAll(handle);
    expect(await exchange()).toBe(50);
    await handle.close();
    await sending;
    expect(handle.stats()).toMatchObject({ matched: 50, sent: 50 });
  });

  test('counters that somebody resets do not go back', async () => {
    const handle = await openHere(`inbound and udp.DstPort == ${PORT}`);
    const sending = sendAll(handle);
    await exchange();
    const { offered, matched } = handle.stats();
    expect(matched).toBe(50);
    await run('nft', ['reset', 'counters']);
    expect(handle.stats().offered).toBe(offered);
    await exchange();
    await run('nft', ['reset', 'counters']);
    await handle.close();
    await sending;
    expect(handle.stats().matched).toBeGreaterThanOrEqual(matched);
    expect(handle.stats()).toMatchObject({ received: 100, sent: 100 });
  });
});

describe('others keep what is theirs', () => {
  test('rules of others are the same before, while and after handles are open', async () => {
    await runNft(
      net.b,
      `table inet filter {
         set ports { type inet_service; elements = { 22, 80 }; }
         chain input { type filter hook input priority 0; policy accept; tcp dport @ports accept; }
         chain first { type filter hook input priority -45000; policy accept; }
       }
       table ip nat { chain post { type nat hook postrouting priority 100; masquerade; }; }`,
    );
    const before = await foreignRules();
    const one = await openHere('udp.DstPort == 1', { priority: 100 });
    const two = await openHere('tcp', { mode: 'sniff' });
    const three = await openHere('true', { layer: 'forward' });
    expect(await foreignRules()).toBe(before);
    await two.setFilter('udp');
    for (const handle of [one, two, three]) await handle.close();
    expect(await foreignRules()).toBe(before);
    expect(await run('nft', ['list', 'ruleset'])).not.toContain('netdivert');
  });

  test.each([
    ['unchanged', false],
    ['changed', true],
  ])('marks stay: SO_MARK and rules of others, packet %s', async (_, changes) => {
    await runNft(
      net.b,
      `table inet marks {
         counter sent {}
         counter passed {}
         chain out { type route hook output priority 0; udp dport 6201 meta mark 0x1234abcd counter name sent; }
         chain pre { type filter hook prerouting priority 0; udp dport ${PORT} meta mark set 0x99887766; }
         chain in { type filter hook input priority 0; udp dport ${PORT} meta mark 0x99887766 counter name passed; }
       }`,
    );
    const handle = await openHere(`udp.DstPort == ${PORT} or udp.DstPort == 6201`);
    const work = (async () => {
      for await (const packet of handle) {
        if (changes) packet.payload = Uint8Array.of(...packet.payload, 1, 2, 3);
        handle.send(packet);
      }
    })();
    expect(await exchange()).toBe(50);
    await run('python3', [
      '-c',
      `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 36, 0x1234abcd)
for i in range(20): s.sendto(b"marked", ("${net.a.ipv4}", 6201))`,
    ]);
    await handle.flush();
    await sleep(100);
    const counters = await run('nft', ['list', 'counters', 'table', 'inet', 'marks']);
    expect([...counters.matchAll(/packets (\d+)/g)].map((match) => Number(match[1]))).toEqual([
      20, 50,
    ]);
    await handle.close();
    await work;
  });
});

const MASQUERADE =
  'table ip nat { chain c { type nat hook postrouting priority 100; masquerade; }; }';
const CONNTRACK =
  'table inet tracking { chain c { type filter hook input priority 0; ct state new counter; }; }';

describe('with NAT and conntrack', () => {
  test.each([
    ['nothing', ''],
    ['conntrack', CONNTRACK],
    ['masquerading', MASQUERADE],
  ])('a TCP connection through handles on both hooks, beside %s', async (_, rules) => {
    if (rules) await runNft(net.b, rules);
    const handle = await openHere(`tcp.DstPort == ${PORT} or tcp.SrcPort == ${PORT}`);
    const sending = sendAll(handle);
    const receiver = await startScript(net.b, 'tcp-receive', [net.b.ipv4, PORT, 0]);
    const sent = await runScript(net.a, 'tcp-send', [net.b.ipv4, PORT, 2_000_000]);
    expect(JSON.parse(await receiver.output)).toEqual(JSON.parse(sent));
    await handle.close();
    await sending;
    expect(handle.stats().lost.total).toBe(0);
    expect(handle.stats().sent).toBeGreaterThan(1000);
  });

  test('both translations in a router, handles in it and in both hosts', async () => {
    const { router, a, b } = routed;
    router.nft(`table ip nat {
      chain pre { type nat hook prerouting priority -100; ip daddr 10.98.1.1 dnat to ${b.ipv4}; }
      chain post { type nat hook postrouting priority 100; masquerade; }
    }
`);
    const filter = `tcp.DstPort == ${PORT} or tcp.SrcPort == ${PORT}`;
    const handles = [
      await open(filter, { layer: 'forward', namespace: router.path }),
      await open(filter, { namespace: a.end.path }),
      await open(filter, { namespace: b.end.path }),
    ];
    const sending = handles.map(sendAll);
    const receiver = await startScript(b.end, 'tcp-receive', [b.ipv4, PORT, 0]);
    const sent = await runScript(a.end, 'tcp-send', ['10.98.1.1', PORT, 2_000_000]);
    expect(JSON.parse(await receiver.output)).toEqual(JSON.parse(sent));
    for (const handle of handles) {
      await handle.close();
      expect(handle.stats().lost.total).toBe(0);
      expect(handle.stats().sent).toBeGreaterThan(1000);
    }
    await Promise.all(sending);
  });

  describe('A and AAAA asked for at once by the C library: no answer is late in 500 tries', () => {
    const at = {
      client: () => ({ namespace: routed.a.end.path }),
      router: () => ({ namespace: routed.router.path, layer: 'forward' as const }),
      server: () => ({ namespace: routed.b.end.path }),
    };
    test.each(['client', 'router', 'server'] as const)('diverted in the %s', async (place) => {
      const { router, a, b } = routed;
      router.nft(`${MASQUERADE}\n`);
      await runNft(a.end, MASQUERADE);
      await runNft(b.end, CONNTRACK);
      const server = await startScript(b.end, 'dns-server', [b.ipv4]);
      const handle = await open('udp.DstPort == 53 or udp.SrcPort == 53', at[place]());
      const sending = sendAll(handle);
      const { stdout, stderr } = await a.end.exec('unshare', [
        '--mount',
        'sh',
        '-c',
        `mount -t tmpfs tmpfs /mnt && echo nameserver ${b.ipv4} > /mnt/resolv.conf &&
         mount --bind /mnt/resolv.conf /etc/resolv.conf && exec "$0" "$1" 500`,
        process.execPath,
        scriptPath('dns-lookup'),
      ]);
      server.child.kill();
      await handle.close();
      await sending;
      expect(stderr).toBe('');
      expect(JSON.parse(stdout)).toEqual({ complete: 500, slow: 0 });
      expect(handle.stats()).toMatchObject({ received: 2000, sent: 2000 });
    });
  });
});
