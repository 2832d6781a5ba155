import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type NetworkHandle, open, type Packet } from '../../src/index.ts';
import { datagram, FAMILIES, receivedLengths } from '../helpers/datagram.ts';
import { countDescriptors, listTables, mapsOf, programsOf } from '../helpers/kernel-objects.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { runScript, startScript, waitReady } from '../helpers/traffic.ts';

const PORT = 5300;
const IDLE_MS = 700;

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

const opened: NetworkHandle[] = [];
afterEach(async () => {
  for (const handle of opened.splice(0)) await handle.close();
  await nft('flush ruleset');
});

const openHere = async (filter: string, options = {}): Promise<NetworkHandle> => {
  const handle = await open(filter, { namespace: net.a.path, ...options });
  opened.push(handle);
  return handle;
};

const nft = async (ruleset: string): Promise<string> => {
  const { code, stdout, stderr } = await net.a.exec('nft', ['-f', '-'], { input: ruleset });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
};

/** Counts packets to our port by their mark, behind all handles. */
const COUNT_MARKS = `table inet marks {
  chain out {
    type filter hook output priority 0
    udp dport ${PORT} meta mark 0 counter comment "out none"
    udp dport ${PORT} meta mark 0x1234 counter comment "out user"
    udp dport ${PORT} counter comment "out all"
  }
  chain in {
    type filter hook input priority 0
    udp dport ${PORT} meta mark 0 counter comment "in none"
    udp dport ${PORT} meta mark 0x1234 counter comment "in user"
    udp dport ${PORT} counter comment "in all"
  }
}`;

const counted = async (): Promise<Record<string, number>> => {
  const { stdout } = await net.a.exec('nft', ['list', 'table', 'inet', 'marks']);
  const lines = stdout.matchAll(/counter packets (\d+) .* comment "([a-z ]+)"/g);
  return Object.fromEntries([...lines].map(([, packets, name]) => [name, Number(packets)]));
};

describe.each(FAMILIES)('%s', (family) => {
  const make = (from: string, to: string, payload: number): Uint8Array =>
    datagram(family, { from, to, port: PORT, payload });

  test('no rule behind the handles sees the mark of a new packet', async () => {
    await nft(COUNT_MARKS);
    const handle = await openHere('false', { priority: -30000 });
    const there = await startScript(net.b, 'udp-receive', [net.b[family], PORT, 2, IDLE_MS]);
    const here = await startScript(net.a, 'udp-receive', [net.a[family], PORT, 2, IDLE_MS]);
    for (const size of [10, 3000]) {
      handle.send(make(net.a[family], net.b[family], size), { outbound: true });
      handle.send(make(net.b[family], net.a[family], size + 1000), {});
    }
    await receivedLengths(there);
    await receivedLengths(here);
    const counts = await counted();
    // What is larger than the MTU goes out in pieces.
    expect(counts['out all']).toBeGreaterThanOrEqual(2);
    expect(counts['out none']).toBe(counts['out all']);
    expect(counts).toMatchObject({ 'in all': 2, 'in none': 2, 'out user': 0, 'in user': 0 });
  });

  test('marks of others stay, and are no impostors', async () => {
    await nft(COUNT_MARKS);
    await nft(`table inet early {
      chain out { type route hook output priority -100000
        udp dport ${PORT} meta mark set 0x1234
      }
    }`);
    const handle = await openHere(`udp.DstPort == ${PORT}`);
    const injector = await openHere('false', { priority: -1 });
    const other = await openHere(`udp.DstPort == ${PORT} and impostor`, { priority: -5 });
    const receiver = await startScript(net.b, 'udp-receive', [net.b[family], PORT, 5, IDLE_MS]);
    const impostors: boolean[] = [];
    const work = (async () => {
      for await (const packet of handle) {
        impostors.push(packet.address.impostor);
        packet.payload = new Uint8Array(packet.payload.length + 1);
        handle.send(packet);
      }
    })();
    await runScript(net.a, 'udp-send', [net.b[family], PORT, 1, 5]);
    expect(await receivedLengths(receiver)).toEqual([2, 3, 4, 5, 6]);
    expect(impostors).toEqual([false, false, false, false, false]);
    expect(await counted()).toMatchObject({ 'out all': 5, 'out user': 5, 'out none': 0 });
    expect(other.stats().matched).toBe(0);
    expect(injector.stats().injected).toBe(0);
    await handle.close();
    await work;
  });

  test('a policy route by mark does not take new packets for marked ones', async () => {
    const [version, prefix] = family === 'ipv4' ? ['-4', 32] : ['-6', 128];
    // Priority 0 sets this bit in the mark; lo would swallow the packet.
    await net.a.exec('ip', [version, 'rule', 'add', 'fwmark', '0x8000/0x8000', 'lookup', '100']);
    await net.a.exec('ip', [
      version,
      'route',
      'add',
      `${net.b[family]}/${prefix}`,
      'dev',
      'lo',
      'table',
      '100',
    ]);
    const handle = await openHere('false');
    const receiver = await startScript(net.b, 'udp-receive', [net.b[family], PORT, 1, IDLE_MS]);
    handle.send(make(net.a[family], net.b[family], 77), { outbound: true });
    expect(await receivedLengths(receiver)).toEqual([77]);
    await net.a.exec('ip', [version, 'rule', 'del', 'fwmark', '0x8000/0x8000', 'lookup', '100']);
  });
});

test('reports of the kernel, whose marks are leftovers, are no impostors', async () => {
  const reports = await openHere('outbound and (ip.Protocol == 2 or icmpv6.Type == 143)');
  const impostors = await openHere('impostor', { priority: -1 });
  const join = net.a.spawn(process.execPath, [
    '--input-type=module',
    '-e',
    `import dgram from 'node:dgram';
     dgram.createSocket('udp4').bind(5301, function () { this.addMembership('239.9.9.9', '${net.a.ipv4}'); });
     dgram.createSocket('udp6').bind(5302, function () { this.addMembership('ff05::9:9', '::%${net.a.interface}'); });`,
  ]);
  const seen = new Set<boolean>();
  while (seen.size < 2) {
    const packet = (await reports.receive()) as Packet;
    expect(packet.address.impostor).toBe(false);
    seen.add(packet.address.ipv6);
    reports.send(packet);
  }
  join.kill('SIGKILL');
  expect(impostors.stats().matched).toBe(0);
});

describe('nothing left behind', () => {
  const injectAll = (handle: NetworkHandle): void => {
    const { a, b } = net;
    for (const family of FAMILIES) {
      for (const payload of [10, 9000]) {
        const make = (from: string, to: string): Uint8Array =>
          datagram(family, { from, to, port: PORT, payload });
        handle.send(make(a[family], b[family]), { outbound: true });
        handle.send(make(b[family], a[family]), {});
      }
    }
  };

  test('50 injectors opened, used and closed leave no descriptor, device, rule, program or map', async () => {
    const once = async (): Promise<void> => {
      const handle = await open('false', { namespace: net.a.path });
      injectAll(handle);
      expect(handle.stats().injected).toBe(8);
      await handle.close();
    };
    await once();
    const before = { descriptors: countDescriptors(), maps: mapsOf(process.pid) };
    for (let cycle = 0; cycle < 50; cycle++) await once();
    expect({ descriptors: countDescriptors(), maps: mapsOf(process.pid) }).toEqual(before);
    expect(await listTables(net.a)).toEqual([]);
    expect((await net.a.exec('ip', ['-br', 'link'])).stdout).not.toContain('ndivert');
    for (let tries = 0; programsOf(process.pid).length > 0 && tries < 200; tries++) await sleep(10);
    expect(programsOf(process.pid)).toEqual([]);
  });

  test('a handle that only receives makes none of it', async () => {
    const handle = await openHere(`udp.DstPort == ${PORT}`);
    await runScript(net.a, 'udp-send', [net.b.ipv4, PORT, 1, 1]);
    handle.send((await handle.receive()) as Packet);
    const { stdout } = await net.a.exec('nft', ['list', 'ruleset']);
    expect(stdout).toContain('chain-');
    expect(stdout).not.toContain('unmark');
  });

  test('kill -9 while injecting, a TAP device included', async () => {
    const running = await waitReady(
      net.a.spawn(process.execPath, [
        '--input-type=module',
        '-e',
        `import { open } from 'netdivert';
         const handle = await open('false');
         const bytes = Buffer.from('${Buffer.from(
           datagram('ipv4', { from: net.b.ipv4, to: net.a.ipv4, port: PORT, payload: 9000 }),
         ).toString('hex')}', 'hex');
         const more = () => {
           for (let i = 0; i < 20; i++) handle.send(new Uint8Array(bytes), {});
           setImmediate(more);
         };
         more();
         setTimeout(() => console.log('ready'), 300);`,
      ]),
    );
    const pid = Number(running.child.pid);
    expect((await net.a.exec('ip', ['-br', 'link'])).stdout).toContain('ndivert');
    running.child.kill('SIGKILL');
    await running.output;
    for (let tries = 0; programsOf(pid).length > 0 && tries < 200; tries++) await sleep(10);
    expect(programsOf(pid)).toEqual([]);
    expect((await net.a.exec('ip', ['-br', 'link'])).stdout).not.toContain('ndivert');
    expect(await listTables(net.a)).toEqual([]);
  });

  test('150 packets held by one handle survive others that begin to inject and close', async () => {
    const receiver = await startScript(net.b, 'udp-receive', [net.b.ipv4, PORT, 150, 1000]);
    const filter = `outbound and udp.DstPort == ${PORT} and not impostor`;
    const handle = await openHere(filter, { queueTimeMs: 16_000 });
    await runScript(net.a, 'udp-send', [net.b.ipv4, PORT, 1, 150]);
    for (let tries = 0; handle.stats().received < 150 && tries < 1000; tries++) await sleep(5);
    const to = { from: net.b.ipv6, to: net.a.ipv6, port: PORT + 1, payload: 9000 };
    for (const priority of [-3, 0, 3]) {
      const injector = await openHere('false', { priority });
      injector.send(datagram('ipv6', to), {});
      await injector.close();
    }
    for (let index = 0; index < 150; index++) {
      const packet = await handle.receive();
      if (packet) handle.send(packet);
    }
    expect(await receivedLengths(receiver)).toHaveLength(150);
  });
});
