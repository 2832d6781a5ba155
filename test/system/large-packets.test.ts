import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NetworkHandle, open, type Packet } from '../../src/index.ts';
import { SOCKET } from '../../src/linux/sys/constants.ts';
import { libc } from '../../src/linux/sys/libc.ts';
import { allocate } from '../../src/linux/sys/memory.ts';
import { withNamespace } from '../../src/linux/sys/namespace.ts';
import { parseIPv4Address, parseIPv6Address } from '../../src/packet/ip-text.ts';
import { FAMILIES, type Family, receivedLengths } from '../helpers/datagram.ts';
import { createNetwork, type Network, type NetworkEnd } from '../helpers/namespaces.ts';
import { createRoutedNetwork } from '../helpers/routed.ts';
import { runScript, startScript } from '../helpers/traffic.ts';

const PORT = 7000;
const MASK = 0x55;
const MEGABYTE = 1 << 20;
const MTU_BYTES = 1500;
const LARGE = { largePackets: true } as const;

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

const BOTH = (['inbound', 'outbound'] as const).flatMap((direction) =>
  FAMILIES.map((family) => [direction, family] as const),
);

const flip = ({ payload }: Packet): void => {
  for (let index = 0; index < payload.length; index++) {
    payload[index] = (payload[index] ?? 0) ^ MASK;
  }
};

/** Sends a stream and returns what both ends saw of it. */
async function transfer(
  from: NetworkEnd,
  to: NetworkEnd,
  address: string,
  megabytes: number,
  mask: number,
) {
  const receiver = await startScript(to, 'tcp-receive', [address, PORT, mask]);
  const sent = JSON.parse(await runScript(from, 'tcp-send', [address, PORT, megabytes * MEGABYTE]));
  return { sent, received: JSON.parse(await receiver.output) };
}

/** Sends every packet on after `work` on it; returns the length of the longest. */
async function sendAll(handle: NetworkHandle, work: (packet: Packet) => void): Promise<number> {
  let longest = 0;
  for await (const batch of handle.batches()) {
    for (const packet of batch) {
      longest = Math.max(longest, packet.originalLength);
      work(packet);
    }
    batch.send();
  }
  return longest;
}

describe('TCP', () => {
  test.each(BOTH)(
    '%s over %s: 100 MB with every payload rewritten arrive byte-exact',
    async (direction, family) => {
      const end = direction === 'inbound' ? net.b : net.a;
      const filter = `${direction} and tcp.DstPort == ${PORT}`;
      const handle = await open(filter, { namespace: end.path, ...LARGE });
      const loop = sendAll(handle, flip);
      const { sent, received } = await transfer(net.a, net.b, net.b[family], 100, MASK);
      await handle.close();
      expect(received).toEqual(sent);
      expect(await loop).toBeGreaterThan(10 * MTU_BYTES);
      const stats = handle.stats();
      expect(stats.received).toBeLessThan((100 * MEGABYTE) / MTU_BYTES / 2);
      expect(stats).toMatchObject({ sent: stats.received, dropped: 0, lost: { total: 0 } });
    },
  );

  test.each(['127.0.0.1', '::1'])('over %s: packets too long to copy pass', async (address) => {
    const handle = await open(`loopback and tcp.DstPort == ${PORT}`, {
      namespace: net.a.path,
      ...LARGE,
    });
    const loop = sendAll(handle, () => {});
    const { sent, received } = await transfer(net.a, net.a, address, 16, 0);
    await handle.close();
    expect(received).toEqual(sent);
    expect(await loop).toBeGreaterThan(60_000);
    expect(handle.stats().changed).toBe(0);
  });

  test.each(FAMILIES)(
    'forwarded over %s: 20 MB with every payload rewritten arrive byte-exact',
    async (family) => {
      const routed = await createRoutedNetwork();
      try {
        const handle = await open(`tcp.DstPort == ${PORT}`, {
          layer: 'forward',
          namespace: routed.router.path,
          ...LARGE,
        });
        const loop = sendAll(handle, flip);
        const { a, b } = routed;
        const { sent, received } = await transfer(a.end, b.end, b[family], 20, MASK);
        await handle.close();
        expect(received).toEqual(sent);
        expect(await loop).toBeGreaterThan(2 * MTU_BYTES);
      } finally {
        await routed.close();
      }
    },
  );

  test('a filter on lengths is decided on whole packets in the kernel', async () => {
    const handle = await open(`outbound and tcp.DstPort == ${PORT} and tcp.PayloadLength > 3000`, {
      namespace: net.a.path,
      ...LARGE,
    });
    let shortest = Number.POSITIVE_INFINITY;
    const loop = sendAll(handle, (packet) => {
      shortest = Math.min(shortest, packet.length);
    });
    const { sent, received } = await transfer(net.a, net.b, net.b.ipv4, 10, 0);
    await handle.close();
    expect(received).toEqual(sent);
    expect(await loop).toBeGreaterThan(3000);
    expect(shortest).toBeGreaterThan(3000);
    expect(handle.stats().passed).toBe(0);
  });
});

test.each(['inbound', 'outbound'] as const)(
  '%s BIG TCP: packets of more than 64 KB are matched, and pass',
  async (direction) => {
    const big = await createNetwork();
    try {
      for (const { name } of [big.a, big.b]) {
        const set = ['-n', name, 'link', 'set', 'veth0', 'gso_max_size', '130000'];
        expect(await big.a.exec('ip', [...set, 'gro_max_size', '130000'])).toMatchObject({
          code: 0,
        });
      }
      const handle = await open(`${direction} and tcp.DstPort == ${PORT}`, {
        namespace: direction === 'inbound' ? big.b.path : big.a.path,
        ...LARGE,
      });
      let bytes = 0;
      let withoutHeader = 0;
      const loop = sendAll(handle, (packet) => {
        bytes += packet.originalLength;
        if (!packet.tcp) withoutHeader++;
      });
      const { sent, received } = await transfer(big.a, big.b, big.b.ipv6, 100, 0);
      await handle.close();
      expect(received).toEqual(sent);
      expect(await loop).toBeGreaterThan(65_575);
      expect(bytes).toBeGreaterThan(100 * MEGABYTE);
      expect(withoutHeader).toBe(0);
      expect(handle.stats()).toMatchObject({ changed: 0, lost: { total: 0 } });
    } finally {
      await big.close();
    }
  },
);

describe('other bytes in the place of a super-packet', () => {
  const BURST = 14_000;
  /** Less than a segment, about one, several, as many, more than came, the most that there can be. */
  const LENGTHS = [100, 1400, 1448, 5000, 13_000, 15_000, 60_000];
  /** Of each test: what a killed sender's host still sends is not for the next one. */
  const FIRST_PORTS = { inbound: { ipv4: 7100, ipv6: 7120 }, outbound: { ipv4: 7140, ipv6: 7160 } };
  const IDLE_MS = 500;
  const filling = (length: number): Uint8Array =>
    Uint8Array.from({ length }, (_, index) => (7 * index + length) & 255);

  test.each(BOTH)('%s over %s: arrive, in segments', async (direction, family) => {
    const firstPort = FIRST_PORTS[direction][family];
    const ports = `tcp.DstPort >= ${firstPort} and tcp.DstPort < ${firstPort + LENGTHS.length}`;
    const filter = `${ports} and tcp.PayloadLength > 0`;
    const namespace = direction === 'inbound' ? net.b.path : net.a.path;
    const handle = await open(`${direction} and ${filter}`, { namespace, largePackets: true });
    /** Where each stream begins, and who got its other bytes. */
    const begins = new Map<number, number>();
    const done = new Set<number>();
    const checksums = new Set<boolean>();
    const change = (packet: Packet): boolean => {
      const { tcp } = packet;
      const index = (tcp?.dstPort ?? 0) - firstPort;
      const begin = begins.get(index) ?? tcp?.sequenceNumber ?? 0;
      begins.set(index, begin);
      // The kernel may send a single segment first.
      if (!tcp || done.has(index) || packet.length <= MTU_BYTES) return false;
      done.add(index);
      checksums.add(packet.address.tcpChecksum);
      tcp.sequenceNumber = begin;
      packet.payload = filling(LENGTHS[index] ?? 0);
      return true;
    };
    const loop = (async () => {
      for await (const packet of handle) {
        if (change(packet)) handle.send(packet);
        else handle.drop(packet);
      }
    })();
    // Sees what is cut: behind the other handle, and without large packets.
    const wire = await open(`inbound and ${filter}`, { namespace: net.b.path, priority: -1 });
    let longest = 0;
    const watching = (async () => {
      for await (const packet of wire) {
        longest = Math.max(longest, packet.length);
        wire.send(packet);
      }
    })();
    const common = [net.b[family], firstPort, LENGTHS.length];
    const receiver = await startScript(net.b, 'tcp-bursts', ['receive', ...common, IDLE_MS]);
    const sender = await startScript(net.a, 'tcp-bursts', ['send', ...common, BURST]);
    const lines = (await receiver.output).split('\n').slice(0, LENGTHS.length);
    sender.child.kill();
    await Promise.all([handle.close(), wire.close()]);
    await Promise.all([loop, watching]);
    const arrived = lines.map((line) => Buffer.from(line, 'base64'));
    expect(arrived.map(({ length }) => length)).toEqual(LENGTHS);
    expect(arrived.every((bytes) => bytes.equals(filling(bytes.length)))).toBe(true);
    expect(longest).toBeLessThanOrEqual(MTU_BYTES);
    // Left to the device.
    expect([...checksums]).toEqual([false]);
  });
});

describe('trains of UDP datagrams', () => {
  const SOL_UDP = 17;
  const UDP_SEGMENT = 103;
  const DATAGRAM_BYTES = 1000;
  const DATAGRAMS = 10;

  /** Sends ten datagrams with one system call, which the kernel keeps together for as long as it can. */
  function sendTrain(family: Family): void {
    const domain = family === 'ipv4' ? SOCKET.AF_INET : SOCKET.AF_INET6;
    const fd = withNamespace(net.a.path, () => libc.socket(domain, SOCKET.SOCK_DGRAM, 0));
    const size = allocate(4);
    size.view.setUint32(0, DATAGRAM_BYTES, true);
    expect(libc.setsockopt(fd, SOL_UDP, UDP_SEGMENT, size.bytes, 4)).toBe(0);
    const to = allocate(28);
    to.view.setUint16(0, domain, true);
    to.view.setUint16(2, PORT);
    if (family === 'ipv4') to.view.setUint32(4, parseIPv4Address(net.b.ipv4) ?? 0);
    for (const [index, word] of parseIPv6Address(net.b.ipv6)?.entries() ?? []) {
      if (family === 'ipv6') to.view.setUint32(20 - 4 * index, word);
    }
    const bytes = new Uint8Array(DATAGRAMS * DATAGRAM_BYTES).fill(7);
    const length = family === 'ipv4' ? 16 : 28;
    expect(libc.sendto(fd, bytes, bytes.length, 0, to.bytes, length)).toBe(bytes.length);
    libc.close(fd);
  }

  test.each(BOTH)(
    '%s over %s: come as one, go on as they were, and cannot be changed',
    async (direction, family) => {
      const receiver = await startScript(net.b, 'udp-receive', [net.b[family], PORT, 100, 700]);
      const namespace = direction === 'inbound' ? net.b.path : net.a.path;
      const handle = await open(`${direction} and udp.DstPort == ${PORT}`, { namespace, ...LARGE });
      sendTrain(family);
      const packet = await handle.receive();
      expect(packet?.payload.length).toBe(DATAGRAMS * DATAGRAM_BYTES);
      expect(packet?.address.udpChecksum).toBe(false);
      if (packet)
        expect(() => handle.send(packet)).toThrow(expect.objectContaining({ code: 'unsupported' }));
      if (packet) handle.drop(packet);
      sendTrain(family);
      const next = await handle.receive();
      if (next) handle.send(next);
      expect(await receivedLengths(receiver)).toEqual(new Array(DATAGRAMS).fill(DATAGRAM_BYTES));
      await handle.close();
      expect(handle.stats()).toMatchObject({ received: 2, sent: 1, dropped: 1, changed: 0 });
    },
  );
});
