import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type NetworkHandle,
  type NetworkOpenOptions,
  open,
  type Packet,
  type Stats,
} from '../../src/index.ts';
import { countDescriptors, listTables, mapsOf, programsOf } from '../helpers/kernel-objects.ts';
import { createNetwork, type Network, type NetworkEnd } from '../helpers/namespaces.ts';
import { addRoutedEnd } from '../helpers/routed-network.ts';
import { runScript, startScript, waitReady } from '../helpers/traffic.ts';

const PORT = 7000;
const LONGEST = 1400;
const FILTER = `udp.DstPort == ${PORT}`;
/** The exact check in user space is asked, and says yes. */
const RESIDUAL = `${FILTER} and timestamp > 0`;
const FAMILIES = ['ipv4', 'ipv6'] as const;
const HEADER_BYTES = { ipv4: 20, ipv6: 40 } as const;
const UDP_HEADER_BYTES = 8;

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

const sniff = (end: NetworkEnd, filter: string, options: NetworkOpenOptions = {}) =>
  open(filter, {
    namespace: end.path,
    mode: 'sniff',
    queueLength: 16384,
    queueTimeMs: 16000,
    ...options,
  });

const pattern = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (length + index) & 255);
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);
const lengthsOf = (packets: readonly Packet[]): number[] =>
  packets.map((packet) => packet.payload.length);

/** Takes packets for as long as some come, and copies each. */
async function collect(handle: NetworkHandle, count: number): Promise<Packet[]> {
  const packets: Packet[] = [];
  while (packets.length < count) {
    const packet = await handle.receive({ signal: AbortSignal.timeout(5000) });
    if (!packet) break;
    packets.push(packet.retain());
  }
  return packets;
}

/** Waits until the books stand still: nothing is left in the ring. */
/** Waits until everything that was matched has been read, and nothing more comes. */
async function settle(handle: NetworkHandle): Promise<Stats> {
  let before = -1;
  for (let tries = 0; tries < 200; tries++) {
    const { matched, passed, received } = handle.stats();
    if (received === before && matched === passed + received) break;
    before = received;
    await sleep(50);
  }
  return handle.stats();
}

function expectBalance(stats: Stats): void {
  const { matched, passed, received, delivered, dropped, queued, lost, sent, held } = stats;
  expect(received).toBe(delivered + dropped + queued + lost.total);
  expect(matched).toBe(passed + received);
  expect({ sent, held }).toEqual({ sent: 0, held: 0 });
}

const send = (family: 'ipv4' | 'ipv6', from: number, to: number, end = net.a): Promise<string> =>
  runScript(end, 'udp-send', [net.b[family], PORT, from, to]);

describe.each(FAMILIES)('%s', (family) => {
  test(`payloads of 1 to ${LONGEST} bytes, outbound and inbound, byte by byte and in order`, async () => {
    const handles = await Promise.all([
      sniff(net.a, `outbound and ${FILTER}`),
      sniff(net.b, `inbound and ${FILTER}`),
    ]);
    const receiver = await startScript(net.b, 'udp-receive', [net.b[family], PORT, LONGEST, 3000]);
    const before = process.hrtime.bigint();
    await send(family, 1, LONGEST);
    const after = process.hrtime.bigint();
    for (const [index, handle] of handles.entries()) {
      const packets = await collect(handle, LONGEST);
      expect(lengthsOf(packets)).toEqual(range(1, LONGEST));
      let last = before;
      for (const packet of packets) {
        const { payload, address } = packet;
        expect(Buffer.compare(payload, pattern(payload.length))).toBe(0);
        expect(packet.length).toBe(HEADER_BYTES[family] + UDP_HEADER_BYTES + payload.length);
        expect(packet.originalLength).toBe(packet.length);
        expect(address).toMatchObject({
          sniffed: true,
          outbound: index === 0,
          loopback: false,
          impostor: false,
          ipv6: family === 'ipv6',
          ipChecksum: true,
          interfaceIndex: index === 0 ? 0 : net.b.interfaceIndex,
        });
        expect(address.timestamp >= last && address.timestamp <= after).toBe(true);
        last = address.timestamp;
      }
      expectBalance(handle.stats());
      await handle.close();
    }
    const arrived = (await receiver.output).trimEnd().split('\n');
    expect(arrived.map((line) => Buffer.from(line, 'base64').length)).toEqual(range(1, LONGEST));
  });

  test('loopback is seen once, outbound on interface 1', async () => {
    const own = family === 'ipv4' ? ['127.0.0.1', net.b.ipv4] : ['::1', net.b.ipv6];
    const handle = await sniff(net.b, FILTER);
    for (const address of own) await runScript(net.b, 'udp-send', [address, PORT, 1, 50]);
    const stats = await settle(handle);
    const packets = await collect(handle, 100);
    expect(stats.received).toBe(100);
    expect(lengthsOf(packets)).toEqual([...range(1, 50), ...range(1, 50)]);
    for (const { address } of packets) {
      expect(address).toMatchObject({ outbound: true, loopback: true, interfaceIndex: 1 });
    }
    await handle.close();
  });

  test.each([
    ['exact in the kernel', FILTER],
    ['checked in user space', RESIDUAL],
    [
      'checked in user space behind what is kept',
      `${FILTER} and (udp.PayloadLength != 90 or timestamp == 0)`,
    ],
  ])('snapLength keeps the first bytes: %s', async (_, filter) => {
    const snapLength = 100;
    const handle = await sniff(net.a, `outbound and ${filter}`, { snapLength });
    await send(family, 1, 200);
    const missing = filter.includes('90') ? [90] : [];
    const sizes = range(1, 200).filter((size) => !missing.includes(size));
    const packets = await collect(handle, sizes.length);
    const headers = HEADER_BYTES[family] + UDP_HEADER_BYTES;
    expect(packets.map(({ originalLength }) => originalLength - headers)).toEqual(sizes);
    for (const packet of packets) {
      const kept = Math.min(snapLength, packet.originalLength);
      expect(packet.bytes).toHaveLength(kept);
      expect(packet.payload).toEqual(
        pattern(packet.originalLength - headers).subarray(0, kept - headers),
      );
    }
    expect(handle.stats()).toMatchObject({ passed: missing.length, received: sizes.length });
    await handle.close();
  });

  test('the forward layer, through a router', async () => {
    const behind = addRoutedEnd(net);
    try {
      const handle = await sniff(net.b, FILTER, { layer: 'forward' });
      await runScript(net.a, 'udp-send', [behind[family], PORT, 1, 300]);
      const packets = await collect(handle, 300);
      expect(lengthsOf(packets)).toEqual(range(1, 300));
      for (const { payload, address } of packets) {
        expect(Buffer.compare(payload, pattern(payload.length))).toBe(0);
        expect(address).toMatchObject({
          layer: 'forward',
          sniffed: true,
          ipv6: family === 'ipv6',
          interfaceIndex: behind.interfaceIndex,
        });
      }
      await handle.close();
    } finally {
      behind.close();
    }
  });
});

describe('what the program cannot see', () => {
  test.each([
    ['ifIdx', (index: number) => `ifIdx == ${index}`, 20],
    ['not ifIdx', (index: number) => `ifIdx != ${index}`, 10],
    ['ifIdx range', (index: number) => `ifIdx > 1 and ifIdx <= ${index}`, 20],
    ['no interface', (index: number) => `ifIdx > ${index}`, 0],
  ])('the outgoing interface: %s', async (_, condition, count) => {
    const filter = `outbound and ${FILTER} and ${condition(net.a.interfaceIndex)}`;
    const handle = await sniff(net.a, filter);
    await send('ipv4', 1, 20);
    await runScript(net.a, 'udp-send', ['127.0.0.1', PORT, 1, 10]);
    const stats = await settle(handle);
    expect(stats).toMatchObject({ matched: count, received: count });
    const [first] = await collect(handle, count && 1);
    if (condition(0) === 'ifIdx == 0') {
      expect(first?.address.interfaceIndex).toBe(net.a.interfaceIndex);
    }
    await handle.close();
  });

  test('checksums that the device is to fill in are not said to be valid', async () => {
    const flags: boolean[] = [];
    for (const offload of ['on', 'off']) {
      await net.a.exec('ethtool', ['-K', net.a.interface, 'tx', offload]);
      const handle = await sniff(net.a, `outbound and ${FILTER}`);
      await send('ipv4', 20, 20);
      const [packet] = await collect(handle, 1);
      expect(packet?.address).toMatchObject({ ipChecksum: true, tcpChecksum: true });
      flags.push(packet?.address.udpChecksum ?? false);
      await handle.close();
    }
    await net.a.exec('ethtool', ['-K', net.a.interface, 'tx', 'on']);
    expect(flags).toEqual([false, true]);
  });

  test('super-packets come whole, and the stream in them is the one that was sent', async () => {
    const bytes = 4_000_000;
    const handle = await sniff(
      net.a,
      `outbound and tcp.DstPort == ${PORT} and tcp.PayloadLength > 0`,
      {
        queueSizeBytes: 33_554_432,
      },
    );
    const parts = new Map<number, Uint8Array>();
    let longest = 0;
    const reading = (async () => {
      for await (const packet of handle) {
        parts.set(packet.tcp?.sequenceNumber ?? 0, packet.payload.slice());
        longest = Math.max(longest, packet.length);
      }
    })();
    const receiver = await startScript(net.b, 'tcp-receive', [net.b.ipv4, PORT, 0]);
    const sent = JSON.parse(await runScript(net.a, 'tcp-send', [net.b.ipv4, PORT, bytes]));
    expect(JSON.parse(await receiver.output)).toEqual(sent);
    expect((await settle(handle)).lost.total).toBe(0);
    await handle.close();
    await reading;
    expect(longest).toBeGreaterThan(1500);
    expect(sha256InOrder(parts, bytes)).toBe(sent.sha256);
  });
});

/** Hash of a TCP stream out of its pieces, which may overlap. */
function sha256InOrder(parts: ReadonlyMap<number, Uint8Array>, length: number): string {
  const [start = 0] = parts.keys();
  const stream = new Uint8Array(length);
  for (const [sequence, part] of parts) stream.set(part, (sequence - start) >>> 0);
  return createHash('sha256').update(stream).digest('hex');
}

describe('books', () => {
  test.each([
    ['exact in the kernel', FILTER],
    ['checked in user space', RESIDUAL],
  ])('a flood while the event loop is blocked: every packet counted, %s', async (_, filter) => {
    const count = 40_000;
    const handle = await sniff(net.a, `outbound and ${filter}`, {
      queueLength: 4096,
      queueSizeBytes: 1 << 20,
    });
    let delivered = 0;
    const reading = (async () => {
      for await (const batch of handle.batches()) delivered += batch.length;
    })();
    const flood = `import dgram from 'node:dgram';
      const socket = dgram.createSocket('udp4');
      const bytes = Buffer.alloc(${LONGEST});
      let left = ${count};
      const more = () => left-- > 0 ? socket.send(bytes, ${PORT}, '${net.b.ipv4}', more) : socket.close();
      more();`;
    const args = [`--net=${net.a.path}`, process.execPath, '--input-type=module', '-e', flood];
    expect(spawnSync('nsenter', args).status).toBe(0);
    const stats = await settle(handle);
    expect(stats.matched).toBe(count);
    await expect.poll(() => handle.stats().queued).toBe(0);
    expect(handle.stats().delivered).toBe(delivered);
    expect(stats.lost.ringFull).toBeGreaterThan(0);
    expectBalance(handle.stats());
    await send('ipv4', 1, 20);
    expect((await settle(handle)).delivered).toBe(delivered);
    await handle.close();
    await reading;
    expectBalance(handle.stats());
    expect(handle.stats().matched).toBe(count + 20);
  });

  test('a full queue loses its oldest, and what nobody received is dropped on close', async () => {
    const handle = await sniff(net.a, `outbound and ${FILTER}`, { queueLength: 32 });
    await send('ipv4', 1, 100);
    expect(await settle(handle)).toMatchObject({ queued: 32, lost: { queueFull: 68 } });
    const [oldest] = await collect(handle, 1);
    expect(oldest?.payload).toHaveLength(69);
    await handle.close();
    expect(handle.stats()).toMatchObject({ delivered: 1, dropped: 31, queued: 0 });
    expectBalance(handle.stats());
  });

  test('packets one by one, with pauses around the time a wake-up is asked for again', async () => {
    const handle = await sniff(net.a, `outbound and ${FILTER}`);
    const socket = net.a.spawn(process.execPath, [
      '--input-type=module',
      '-e',
      `import dgram from 'node:dgram';
       const socket = dgram.createSocket('udp4');
       process.stdin.on('data', (data) => { for (const _ of data) socket.send('x', ${PORT}, '${net.b.ipv4}'); });
       console.log('ready');`,
    ]);
    await waitReady(socket);
    for (let round = 0; round < 300; round++) {
      socket.stdin?.write('.'.repeat((round % 3) + 1));
      expect(await collect(handle, (round % 3) + 1)).toHaveLength((round % 3) + 1);
      await sleep(round % 5);
    }
    socket.kill();
    expectBalance(handle.stats());
    await handle.close();
  });

  test('setFilter under load: each packet is seen once, by the old filter or the new one', async () => {
    const handle = await sniff(net.a, `outbound and ${FILTER}`);
    const sending = send('ipv4', 1, LONGEST);
    const filters = [RESIDUAL, FILTER, `${FILTER} and length > 0`, `${RESIDUAL} and not tcp`];
    for (let swap = 0; swap < 60; swap++) {
      await handle.setFilter(`outbound and ${filters[swap % filters.length]}`);
      await sleep(2);
    }
    await sending;
    expect(lengthsOf(await collect(handle, LONGEST))).toEqual(range(1, LONGEST));
    await handle.setFilter('outbound and tcp');
    await send('ipv4', 1, 5);
    expect((await settle(handle)).matched).toBe(LONGEST);
    await handle.close();
  });
});

describe('beside other handles', () => {
  test('sees packets as they are at its priority', async () => {
    const [above, below] = await Promise.all([
      sniff(net.a, `outbound and ${FILTER}`, { priority: 10 }),
      sniff(net.a, `outbound and ${FILTER}`, { priority: -10 }),
    ]);
    const divert = await open(`outbound and ${FILTER}`, { namespace: net.a.path });
    const changing = (async () => {
      for await (const packet of divert) {
        packet.payload = packet.payload.map((byte) => byte ^ 0xff);
        divert.send(packet);
      }
    })();
    await send('ipv4', 1, 50);
    const originals = await collect(above, 50);
    const changed = await collect(below, 50);
    expect(lengthsOf(originals)).toEqual(range(1, 50));
    expect(lengthsOf(changed)).toEqual(range(1, 50));
    for (const { payload } of originals) expect(payload).toEqual(pattern(payload.length));
    for (const { payload } of changed) {
      expect(payload).toEqual(pattern(payload.length).map((byte) => byte ^ 0xff));
    }
    for (const handle of [above, below, divert]) await handle.close();
    await changing;
  });

  test.each(['one by one', 'as a batch'])(
    'a copy that is sent goes in as a packet of its own: %s',
    async (how) => {
      const receiver = await startScript(net.b, 'udp-receive', [net.b.ipv4, PORT, 20, 3000]);
      const handle = await sniff(net.a, `outbound and ${FILTER}`);
      await send('ipv4', 1, 10);
      if (how === 'one by one') {
        for (const packet of await collect(handle, 10)) handle.send(packet);
      } else {
        await settle(handle);
        for await (const batch of handle.batches()) {
          batch.send();
          break;
        }
      }
      const arrived = (await receiver.output).trimEnd().split('\n');
      const lengths = arrived.map((line) => Buffer.from(line, 'base64').length);
      expect(lengths).toEqual([...range(1, 10), ...range(1, 10)]);
      const stats = await settle(handle);
      expect(stats).toMatchObject({ injected: 10, matched: 10, received: 10 });
      expectBalance(stats);
      await handle.close();
    },
  );
});

/** Waits until the kernel has put away what it puts away in its own time. */
async function untilGone(pid: number): Promise<void> {
  const left = (): string[] => [...programsOf(pid), ...mapsOf(pid)];
  for (let tries = 0; left().length > 0 && tries < 200; tries++) await sleep(10);
  expect(left()).toEqual([]);
}

describe('life', () => {
  test('bytes that are kept outlive the handle', async () => {
    const handle = await sniff(net.a, `outbound and ${FILTER}`);
    await send('ipv4', 1, 200);
    const views: Uint8Array[] = [];
    for (let index = 0; index < 200; index++) {
      const packet = await handle.receive();
      if (packet) views.push(packet.payload);
    }
    await handle.close();
    for (const [index, view] of views.entries()) expect(view).toEqual(pattern(index + 1));
  });

  test('shutdown: what was copied can still be received, then null', async () => {
    const handle = await sniff(net.a, `outbound and ${FILTER}`);
    await send('ipv4', 1, 10);
    handle.shutdown('receive');
    await send('ipv4', 11, 20);
    expect(lengthsOf(await collect(handle, 20))).toEqual(range(1, 10));
    expect(await handle.receive()).toBeNull();
    await handle.close();
  });

  test('an AbortSignal closes', async () => {
    const controller = new AbortController();
    const handle = await sniff(net.a, FILTER, { signal: controller.signal });
    const waiting = handle.receive();
    controller.abort();
    expect(await waiting).toBeNull();
    await handle.close();
    expect(await listTables(net.a)).toEqual([]);
  });

  test('100 handles opened, used and closed leave no descriptor, rule, program, map or mapping', async () => {
    const mappings = (): number =>
      readFileSync('/proc/self/maps', 'utf8').split('bpf-map').length - 1;
    await (await sniff(net.a, FILTER)).close();
    const before = countDescriptors();
    for (let cycle = 0; cycle < 100; cycle++) {
      const handle = await sniff(net.a, `outbound and ${FILTER}`);
      if (cycle % 25 === 0) {
        expect(mappings()).toBe(2);
        await send('ipv4', 1, 3);
        expect(await collect(handle, 3)).toHaveLength(3);
      }
      await handle.close();
    }
    expect({ descriptors: countDescriptors(), mappings: mappings() }).toEqual({
      descriptors: before,
      mappings: 0,
    });
    expect(await listTables(net.a)).toEqual([]);
    await untilGone(process.pid);
  });

  test('kill -9 under load leaves nothing', async () => {
    const source = `import { open } from 'netdivert';
      const handle = await open('outbound and ${FILTER}', { mode: 'sniff' });
      console.log('ready');
      for await (const batch of handle.batches()) batch.drop();`;
    const reader = await waitReady(
      net.a.spawn(process.execPath, ['--input-type=module', '-e', source]),
    );
    const sending = send('ipv4', 1, LONGEST);
    const pid = Number(reader.child.pid);
    expect(programsOf(pid).length).toBeGreaterThan(0);
    expect(mapsOf(pid)).toHaveLength(2);
    reader.child.kill('SIGKILL');
    await reader.output;
    await sending;
    expect(await listTables(net.a)).toEqual([]);
    await untilGone(pid);
  });

  test('options that do not go together are refused', async () => {
    const refused = { code: 'invalid-parameter' };
    for (const options of [
      { mode: 'divert', snapLength: 100 },
      { mode: 'sniff', snapLength: 0 },
      { mode: 'sniff', snapLength: 65_576 },
    ] as const) {
      await expect(open(FILTER, { namespace: net.a.path, ...options })).rejects.toMatchObject(
        refused,
      );
    }
    const sender = await sniff(net.a, FILTER, { access: 'send' });
    await expect(sender.receive()).rejects.toMatchObject(refused);
    await sender.close();
  });
});
