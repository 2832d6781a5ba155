import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NetworkHandle, open, Packet } from '../../src/index.ts';
import { ipv6, udp } from '../helpers/build-packet.ts';
import { datagram, FAMILIES, received, receivedLengths, swapEnds } from '../helpers/datagram.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { runScript, startScript, waitReady } from '../helpers/traffic.ts';

const PORT = 5000;
const IDLE_MS = 700;
/** Addresses in the network of the pair that nobody has. */
const SPOOFED = { ipv4: '10.99.0.77', ipv6: 'fd00:99::77' } as const;
const LOCALHOST = { ipv4: '127.0.0.1', ipv6: '::1' } as const;
const UNROUTED = { ipv4: '192.0.2.1', ipv6: '2001:db8::1' } as const;
/** Largest UDP payloads. */
const LARGEST = { ipv4: 65_507, ipv6: 65_527 } as const;

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

/** An injector: its filter matches nothing. */
const openInjector = (options = {}): Promise<NetworkHandle> =>
  open('false', { namespace: net.a.path, ...options });

const receive = (end: 'a' | 'b', address: string, count: number) =>
  startScript(net[end], 'udp-receive', [address, PORT, count, IDLE_MS]);

describe.each(FAMILIES)('%s', (family) => {
  const make = (from: string, to: string, payload: number, more = {}): Uint8Array =>
    datagram(family, { from, to, port: PORT, payload, ...more });

  describe('outbound', () => {
    test('own and spoofed sources, every size: what does not fit is cut', async () => {
      const receiver = await receive('b', net.b[family], 10);
      await using handle = await openInjector();
      const sizes = [1, 2, 100, 1400, 1473, 3000, 9000, 60_000, LARGEST[family]];
      for (const size of sizes) {
        const from = size % 2 === 0 ? SPOOFED[family] : net.a[family];
        handle.send(make(from, net.b[family], size), { outbound: true });
      }
      expect(await receivedLengths(receiver)).toEqual(sizes);
      expect(handle.stats()).toMatchObject({ injected: sizes.length, sent: 0, received: 0 });
    });

    test('to this host, over lo', async () => {
      for (const address of [LOCALHOST[family], net.a[family]]) {
        const receiver = await receive('a', address, 3);
        await using handle = await openInjector();
        for (const size of [1, 1400, LARGEST[family]]) {
          handle.send(make(address, address, size), { outbound: true });
        }
        expect(await receivedLengths(receiver)).toEqual([1, 1400, LARGEST[family]]);
      }
    });

    test('with an address that says inbound on lo', async () => {
      const local = LOCALHOST[family];
      const receiver = await receive('a', local, 2);
      await using handle = await openInjector();
      handle.send(make(local, local, 10), { loopback: true });
      handle.send(make(local, local, 11), { interfaceIndex: 1 });
      expect(await receivedLengths(receiver)).toEqual([10, 11]);
    });

    test('a Packet of the own making, with a payload assigned', async () => {
      const receiver = await receive('b', net.b[family], 1);
      await using handle = await openInjector();
      const packet = new Packet(make(net.a[family], net.b[family], 5), { outbound: true });
      packet.payload = new TextEncoder().encode('made by hand');
      handle.send(packet);
      expect((await received(receiver)).map(String)).toEqual(['made by hand']);
    });

    test('refusals say why', async () => {
      await using handle = await openInjector();
      const send = (bytes: Uint8Array) => () => handle.send(bytes, { outbound: true });
      expect(send(make(net.a[family], UNROUTED[family], 10))).toThrow(
        expect.objectContaining({
          code: 'system',
          syscall: 'sendto',
          message: expect.stringContaining('no route'),
          hint: expect.stringContaining('ip route get'),
        }),
      );
      expect(send(make(net.a[family], net.b[family], 10).subarray(0, 25))).toThrow(
        expect.objectContaining({ code: 'invalid-parameter', win32: 87 }),
      );
      expect(handle.stats().injected).toBe(0);
    });
  });

  describe('inbound', () => {
    test('every size, from a neighbour and from a spoofed source', async () => {
      const receiver = await receive('a', net.a[family], 20);
      await using handle = await openInjector();
      const sizes = [1, 2, 1400, 3000, 3640, 3650, 3670, 3690, 9000, 60_000, LARGEST[family]];
      for (const size of sizes) {
        const from = size % 2 === 0 ? SPOOFED[family] : net.b[family];
        const interfaceIndex = size > 3000 ? net.a.interfaceIndex : 0;
        handle.send(make(from, net.a[family], size), { interfaceIndex });
      }
      expect(await receivedLengths(receiver)).toEqual(sizes);
      expect(handle.stats().injected).toBe(sizes.length);
      const { stdout } = await net.a.exec('ip', ['-br', 'link']);
      expect(stdout).toContain('ndivert');
      await handle.close();
      expect((await net.a.exec('ip', ['-br', 'link'])).stdout).not.toContain('ndivert');
    });

    test('from where no route leads: the only interface', async () => {
      const receiver = await receive('a', net.a[family], 1);
      await net.a.exec('sh', ['-c', 'echo 0 | tee /proc/sys/net/ipv4/conf/*/rp_filter']);
      await using handle = await openInjector();
      handle.send(make(UNROUTED[family], net.a[family], 33), { outbound: false });
      expect(await receivedLengths(receiver)).toEqual([33]);
    });

    test('from an address of this host: over lo', async () => {
      const receiver = await receive('a', net.a[family], 1);
      await using handle = await openInjector();
      handle.send(make(net.a[family], net.a[family], 12), {});
      expect(await receivedLengths(receiver)).toEqual([12]);
    });

    test('refusals say why', async () => {
      await using handle = await openInjector();
      const packet = make(net.b[family], net.a[family], 10);
      expect(() => handle.send(packet, { interfaceIndex: 4711 })).toThrow(
        expect.objectContaining({
          code: 'invalid-parameter',
          message: expect.stringContaining('no such interface'),
        }),
      );
      const martian = make(LOCALHOST[family], net.a[family], 10);
      expect(() => handle.send(martian, { interfaceIndex: net.a.interfaceIndex })).toThrow(
        expect.objectContaining({
          code: 'invalid-parameter',
          message: expect.stringContaining('loopback address'),
        }),
      );
      expect(handle.stats().injected).toBe(0);
    });
  });

  test('a retained packet sent twice, and by another handle: new ones', async () => {
    const receiver = await receive('b', net.b[family], 4);
    await using handle = await open(`outbound and udp.DstPort == ${PORT}`, {
      namespace: net.a.path,
    });
    await using other = await openInjector();
    await runScript(net.a, 'udp-send', [net.b[family], PORT, 21, 21]);
    const packet = (await handle.receive())?.retain() as Packet;
    handle.send(packet);
    handle.send(packet);
    packet.payload = new Uint8Array(22);
    handle.send(packet);
    packet.payload = new Uint8Array(23);
    other.send(packet);
    // The first goes on with the turn's verdicts, and still before the others.
    expect(await receivedLengths(receiver)).toEqual([21, 21, 22, 23]);
    expect(handle.stats()).toMatchObject({ received: 1, sent: 1, injected: 2, held: 0 });
    expect(other.stats()).toMatchObject({ received: 0, injected: 1 });
  });

  test('an echo without a server: inbound turned outbound', async () => {
    await using handle = await open(`inbound and udp.DstPort == 7`, { namespace: net.b.path });
    const work = (async () => {
      for await (const packet of handle) {
        swapEnds(packet);
        packet.address.outbound = true;
        handle.send(packet);
      }
    })();
    const { stdout } = await net.a.node(
      `import dgram from 'node:dgram';
       const socket = dgram.createSocket(process.argv[1].includes(':') ? 'udp6' : 'udp4');
       socket.on('message', (message) => { console.log(String(message)); socket.close(); });
       socket.send('who is there', 7, process.argv[1]);`,
      [net.b[family]],
      { timeoutMs: 10_000 },
    );
    expect(stdout).toBe('who is there\n');
    await handle.close();
    await work;
    expect(handle.stats()).toMatchObject({ received: 1, dropped: 1, injected: 1, sent: 0 });
  });

  test('a reflecting proxy: outbound turned inbound', async () => {
    const proxy = await waitReady(
      net.a.spawn(process.execPath, [
        '--input-type=module',
        '-e',
        `import http from 'node:http';
         const body = 'p'.repeat(200000);
         http.createServer((request, response) => response.end(request.socket.remoteAddress + body))
           .listen(8080, '::', () => console.log('ready'));`,
      ]),
    );
    await using handle = await open('outbound and (tcp.DstPort == 80 or tcp.SrcPort == 8080)', {
      namespace: net.a.path,
    });
    const work = (async () => {
      for await (const packet of handle) {
        const { tcp } = packet;
        if (!tcp) continue;
        if (tcp.dstPort === 80) tcp.dstPort = 8080;
        else tcp.srcPort = 80;
        swapEnds(packet);
        packet.address.outbound = false;
        handle.send(packet);
      }
    })();
    const asked = SPOOFED[family];
    const host = family === 'ipv4' ? asked : `[${asked}]`;
    const client = await net.a.exec('curl', ['-sS', '--max-time', '20', `http://${host}/`]);
    await handle.close();
    await work;
    proxy.child.kill();
    expect(client.stderr).toBe('');
    const mapped = family === 'ipv4' ? `::ffff:${asked}` : asked;
    expect(client.stdout).toBe(`${mapped}${'p'.repeat(200_000)}`);
    // The last segments may come when nobody turns them any more.
    const { received: all, dropped, injected, bypassed, lost } = handle.stats();
    expect({ dropped, lost: lost.total }).toEqual({ dropped: injected, lost: 0 });
    expect(dropped + bypassed).toBe(all);
  });

  test.each(['outbound', 'inbound'] as const)(
    'grown beyond what a verdict holds, %s',
    async (direction) => {
      const end = direction === 'outbound' ? 'a' : 'b';
      const receiver = await receive('b', net.b[family], 1);
      await using handle = await open(`${direction} and udp.DstPort == ${PORT}`, {
        namespace: net[end].path,
      });
      const work = (async () => {
        for await (const packet of handle) {
          if (packet.ip) packet.ip.dontFragment = false;
          packet.payload = new Uint8Array(LARGEST[family]).fill(1);
          handle.send(packet);
        }
      })();
      await runScript(net.a, 'udp-send', [net.b[family], PORT, 1000, 1000]);
      expect(await receivedLengths(receiver)).toEqual([LARGEST[family]]);
      await handle.close();
      await work;
      expect(handle.stats()).toMatchObject({ received: 1, sent: 1, changed: 1, dropped: 0 });
    },
  );
});

describe('what the kernel refuses is an error with a reason', () => {
  const to = '10.99.0.66';
  const run = (command: string) => net.a.exec('sh', ['-c', command]);
  const packet = () => datagram('ipv4', { from: net.a.ipv4, to, port: PORT, payload: 1 });

  test.each([
    ['route blackhole', 'EINVAL', 'invalid-parameter', 'blackhole'],
    ['route prohibit', 'EACCES', 'access-denied', 'prohibit'],
    ['route unreachable', 'EHOSTUNREACH', 'system', 'no route'],
  ])('%s', async (route, errno, code, text) => {
    const kind = route.split(' ')[1];
    await run(`ip route add ${kind} ${to}`);
    await using handle = await openInjector();
    expect(() => handle.send(packet(), { outbound: true })).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(errno) }),
    );
    expect(() => handle.send(packet(), { outbound: true })).toThrow(text);
    await run(`ip route del ${kind} ${to}`);
  });

  test('a firewall rule, and a handle in mode drop', async () => {
    await using handle = await openInjector({ priority: 1 });
    const denied = expect.objectContaining({ code: 'access-denied', errno: 1 });
    await run(
      `nft 'add table ip t; add chain ip t o { type filter hook output priority 0; }; add rule ip t o ip daddr ${to} drop'`,
    );
    expect(() => handle.send(packet(), { outbound: true })).toThrow(denied);
    await run('nft delete table ip t');
    await using drop = await open('outbound and udp', { namespace: net.a.path, mode: 'drop' });
    expect(() => handle.send(packet(), { outbound: true })).toThrow(denied);
    expect(drop.stats().dropped).toBe(1);
    expect(handle.stats().injected).toBe(0);
  });

  test('a device that is down', async () => {
    await run('ip link add down0 type veth peer name down1');
    const { stdout } = await run('ip -o link');
    const index = Number(/(\d+): down0/.exec(stdout)?.[1]);
    await using handle = await openInjector();
    const bytes = datagram('ipv4', { from: to, to: net.a.ipv4, port: PORT, payload: 1 });
    expect(() => handle.send(bytes, { interfaceIndex: index })).toThrow(
      expect.objectContaining({ code: 'system', hint: expect.stringContaining('ip link set') }),
    );
    await run('ip link del down0');
  });
});

test('IPv4 with DF that does not fit is refused, with what to do', async () => {
  await using handle = await openInjector();
  const { ipv4: from } = net.a;
  const packet = datagram('ipv4', {
    from,
    to: net.b.ipv4,
    port: PORT,
    payload: 2000,
    dontFragment: true,
  });
  expect(() => handle.send(packet, { outbound: true })).toThrow(
    expect.objectContaining({
      code: 'insufficient-buffer',
      message: expect.stringContaining('2028 bytes'),
      hint: expect.stringContaining('ip.dontFragment'),
    }),
  );
});

test('to an IPv6 link-local destination on an interface', async () => {
  const { stdout } = await net.b.exec('ip', ['-6', '-br', 'addr', 'show', 'dev', net.b.interface]);
  const destination = /fe80:[0-9a-f:]+/.exec(stdout)?.[0] as string;
  const receiver = await startScript(net.b, 'udp-receive', ['::', PORT, 1, IDLE_MS]);
  await using handle = await openInjector();
  const packet = ipv6(
    { source: net.a.ipv6, destination, nextHeader: 17 },
    udp({ destinationPort: PORT }, new Uint8Array(44)),
  );
  handle.send(packet, { outbound: true, interfaceIndex: net.a.interfaceIndex });
  expect(await receivedLengths(receiver)).toEqual([44]);
});

test('own IPv4 addresses on a device: refused unless it accepts them', async () => {
  const handle = await openInjector();
  const packet = datagram('ipv4', { from: net.a.ipv4, to: net.a.ipv4, port: PORT, payload: 14 });
  const { interface: device, interfaceIndex } = net.a;
  const set = (value: number) =>
    net.a.exec('sh', ['-c', `echo ${value} > /proc/sys/net/ipv4/conf/${device}/accept_local`]);
  expect(() => handle.send(packet, { interfaceIndex })).toThrow(
    expect.objectContaining({
      code: 'invalid-parameter',
      hint: expect.stringContaining('accept_local'),
    }),
  );
  const receiver = await receive('a', net.a.ipv4, 1);
  await set(1);
  handle.send(packet, { interfaceIndex });
  expect(await receivedLengths(receiver)).toEqual([14]);
  await set(0);
  await handle.close();
});

test('a packet larger than the kernel hands over goes on, looked at but not changed', async () => {
  const receiver = await receive('a', net.a.ipv4, 2);
  await using injector = await openInjector({ priority: 1 });
  await using handle = await open(`udp.DstPort == ${PORT}`, { namespace: net.a.path });
  const make = (payload: number) =>
    datagram('ipv4', { from: net.b.ipv4, to: net.a.ipv4, port: PORT, payload });
  for (const payload of [LARGEST.ipv4, LARGEST.ipv4 - 1, 100]) injector.send(make(payload), {});
  for (let count = 0; count < 3; count++) {
    const packet = (await handle.receive()) as Packet;
    if (packet.ip?.totalLength === LARGEST.ipv4 + 27) {
      packet.payload[9] = 1;
      expect(() => handle.send(packet)).toThrow(
        expect.objectContaining({ code: 'insufficient-buffer' }),
      );
      handle.drop(packet);
    } else {
      handle.send(packet);
    }
  }
  expect(await receivedLengths(receiver)).toEqual([LARGEST.ipv4, 100]);
});

test('a handle with access receive, or whose sending is shut down, injects nothing', async () => {
  const packet = datagram('ipv4', { from: net.a.ipv4, to: net.b.ipv4, port: PORT, payload: 1 });
  await using reader = await openInjector({ access: 'receive' });
  expect(() => reader.send(packet, { outbound: true })).toThrow(/cannot send/);
  await using handle = await openInjector();
  handle.shutdown('send');
  expect(() => handle.send(packet, { outbound: true })).toThrow(
    expect.objectContaining({ code: 'no-data' }),
  );
});
