import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NetworkHandle, type NetworkOpenOptions, open, type Packet } from '../../src/index.ts';
import { splitPacket } from '../../src/linux/inject/split.ts';
import { calcChecksums } from '../../src/packet/checksum.ts';
import { datagram, FAMILIES, type Family, received, receivedLengths } from '../helpers/datagram.ts';
import { listTables } from '../helpers/kernel-objects.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { createRoutedNetwork } from '../helpers/routed.ts';
import { runScript, startScript } from '../helpers/traffic.ts';

const PORT = 5000;
const IDLE_MS = 700;
const MTU_BYTES = 1500;
const IP_HEADER_BYTES = { ipv4: 20, ipv6: 40 } as const;
const UDP_HEADER_BYTES = 8;
const SIZES = [100, 3000, 60_000];

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

/** Pieces of a datagram: each carries a multiple of 8 bytes, and over IPv6 a header of 8 for it. */
function piecesOf(family: Family, payload: number): number {
  const header = IP_HEADER_BYTES[family];
  const total = UDP_HEADER_BYTES + payload;
  if (header + total <= MTU_BYTES) return 1;
  const room = MTU_BYTES - header - (family === 'ipv6' ? 8 : 0);
  return Math.ceil(total / (room - (room % 8)));
}

const wholeLength = (family: Family, payload: number): number =>
  IP_HEADER_BYTES[family] + UDP_HEADER_BYTES + payload;

const isPiece = (packet: Packet): boolean =>
  packet.ip ? packet.ip.moreFragments || packet.ip.fragmentOffset > 0 : packet.bytes[6] === 44;

/** A handle in b that lets `work` see each packet and sends it on unless that says 'drop'. */
async function divert(
  filter: string,
  options: NetworkOpenOptions,
  work: (packet: Packet) => 'drop' | undefined = () => undefined,
) {
  const handle: NetworkHandle = await open(filter, { namespace: net.b.path, ...options });
  const seen: { length: number; isPiece: boolean; outbound: boolean; interfaceIndex: number }[] =
    [];
  const loop = (async () => {
    for await (const packet of handle) {
      const { outbound, interfaceIndex } = packet.address;
      seen.push({ length: packet.length, isPiece: isPiece(packet), outbound, interfaceIndex });
      if (work(packet) === 'drop') handle.drop(packet);
      else handle.send(packet);
    }
  })();
  const close = async () => {
    await handle.close();
    await loop;
    return handle.stats();
  };
  return { handle, seen, close, [Symbol.asyncDispose]: close };
}

const receive = (family: Family, count: number) =>
  startScript(net.b, 'udp-receive', [net.b[family], PORT, count, IDLE_MS]);

const send = (family: Family, size: number) =>
  runScript(net.a, 'udp-send', [net.b[family], PORT, size, size]);

const FILTER = {
  ipv4: 'inbound and ip and not tcp and not icmp',
  ipv6: 'inbound and ipv6 and not icmpv6',
} as const;

const countConnections = async (): Promise<number> =>
  Number((await net.b.exec('sysctl', ['-n', 'net.netfilter.nf_conntrack_count'])).stdout);

test('connection tracking stays off, and nothing is left behind', async () => {
  for (const fragments of [false, true]) {
    const receiver = await receive('ipv6', 1);
    const { close } = await divert('inbound and udp', { fragments });
    await send('ipv6', 100);
    await receivedLengths(receiver);
    expect(await countConnections()).toBe(0);
    await close();
  }
  expect(await listTables(net.b)).toEqual([]);
});

describe.each([false, true])('with conntrack of somebody else: %s', (conntrack) => {
  beforeAll(async () => {
    if (!conntrack) return;
    const rules =
      'table inet other { chain in { type filter hook input priority 0; ct state invalid accept; }; chain out { type filter hook output priority 0; ct state invalid accept; }; }';
    expect(await net.b.exec('nft', ['-f', '-'], { input: rules })).toMatchObject({ code: 0 });
  });
  afterAll(async () => {
    if (conntrack) await net.b.exec('nft', ['delete', 'table', 'inet', 'other']);
  });

  describe.each(FAMILIES)('%s', (family) => {
    test('by default each datagram comes whole, once', async () => {
      const receiver = await receive(family, SIZES.length);
      const { seen, close } = await divert(FILTER[family], {});
      for (const size of SIZES) await send(family, size);
      expect(await receivedLengths(receiver)).toEqual(SIZES);
      const stats = await close();
      expect(seen.map(({ length }) => length)).toEqual(
        SIZES.map((size) => wholeLength(family, size)),
      );
      expect(seen.some((packet) => packet.isPiece)).toBe(false);
      expect(stats).toMatchObject({ received: 3, sent: 3, lost: { total: 0 } });
    });

    test('with fragments each piece comes, once, and not the whole', async () => {
      const receiver = await receive(family, SIZES.length);
      const { seen, close } = await divert(FILTER[family], { fragments: true });
      for (const size of SIZES) await send(family, size);
      expect(await receivedLengths(receiver)).toEqual(SIZES);
      const stats = await close();
      const pieces = SIZES.map((size) => piecesOf(family, size));
      const total = pieces.reduce((sum, count) => sum + count, 0);
      expect(seen).toHaveLength(total);
      expect(seen.filter((packet) => packet.isPiece)).toHaveLength(total - 1);
      expect(Math.max(...seen.map(({ length }) => length))).toBeLessThanOrEqual(MTU_BYTES);
      expect(new Set(seen.map(({ outbound }) => outbound))).toEqual(new Set([false]));
      expect(new Set(seen.map(({ interfaceIndex }) => interfaceIndex))).toEqual(
        new Set([net.b.interfaceIndex]),
      );
      expect(stats).toMatchObject({ received: total, sent: total, lost: { total: 0 } });
    });

    test('a reassembled datagram is changed: the change arrives', async () => {
      const receiver = await receive(family, 2);
      const { close } = await divert(FILTER[family], {}, (packet) => {
        packet.payload = packet.payload.map((byte) => byte ^ 255);
        return undefined;
      });
      for (const size of [3000, 60_000]) await send(family, size);
      const arrived = await received(receiver);
      await close();
      expect(arrived.map(({ length }) => length)).toEqual([3000, 60_000]);
      for (const bytes of arrived) {
        const { length } = bytes;
        expect(bytes.every((byte, index) => byte === (~(length + index) & 255))).toBe(true);
      }
    });

    test('without one piece there is no datagram', async () => {
      const receiver = await receive(family, 2);
      const { seen, close } = await divert(FILTER[family], { fragments: true }, () =>
        seen.length === 2 ? 'drop' : undefined,
      );
      for (const size of [3000, 3100]) await send(family, size);
      expect(await receivedLengths(receiver)).toEqual([3100]);
      expect(await close()).toMatchObject({ received: 6, sent: 5, dropped: 1 });
    });

    test('a piece is changed: the change arrives', async () => {
      const receiver = await receive(family, 1);
      const { seen, close } = await divert(FILTER[family], { fragments: true }, (packet) => {
        // The first one has the checksum, which would have to follow.
        if (seen.length === 3)
          [packet.payload[0], packet.payload[2]] = [packet.payload[2] ?? 0, packet.payload[0] ?? 0];
        return undefined;
      });
      await send(family, 3000);
      const [bytes] = await received(receiver);
      await close();
      const sent = Uint8Array.from({ length: 3000 }, (_, index) => (3000 + index) & 255);
      const differing = [...sent.keys()].filter((index) => bytes?.[index] !== sent[index]);
      expect(bytes).toHaveLength(3000);
      expect(differing).toHaveLength(2);
    });

    test("mode 'sniff' sees the same as 'divert'", async () => {
      for (const fragments of [false, true]) {
        const receiver = await receive(family, 1);
        const handle = await open(FILTER[family], {
          namespace: net.b.path,
          mode: 'sniff',
          fragments,
        });
        await send(family, 3000);
        await receivedLengths(receiver);
        handle.shutdown('receive');
        let count = 0;
        for await (const packet of handle) count += packet.length > 0 ? 1 : 0;
        expect(count).toBe(fragments ? piecesOf(family, 3000) : 1);
        await handle.close();
      }
    });
  });
});

describe('fragments: true', () => {
  test('takes broadcast, multicast and link-local packets in, and no looped ones', async () => {
    const { seen, close } = await divert('inbound and udp.DstPort == 5001', { fragments: true });
    const script = `
      import dgram from 'node:dgram';
      const [v4, broadcast, linkLocal] = process.argv.slice(1);
      const send = (type, address) => new Promise((resolve) => {
        const socket = dgram.createSocket(type);
        socket.bind(0, () => {
          if (type === 'udp4') { socket.setBroadcast(true); socket.setMulticastInterface(v4); }
          socket.send('x', 5001, address, () => socket.close(resolve));
        });
      });
      await send('udp4', broadcast);
      await send('udp4', '224.0.0.1');
      await send('udp6', linkLocal + '%veth0');
      await send('udp6', 'ff02::1%veth0');
      await send('udp6', 'fd00:99::2');
    `;
    const { stdout } = await net.b.exec('ip', ['-j', '-6', 'addr', 'show', 'dev', net.b.interface]);
    const addresses: { local: string; scope: string }[] = JSON.parse(stdout)[0].addr_info;
    const linkLocal = addresses.find(({ scope }) => scope === 'link')?.local ?? '';
    const args = [net.a.ipv4, '10.99.0.255', linkLocal];
    expect(await net.a.node(script, args)).toMatchObject({ code: 0, stderr: '' });
    // Its own: outbound, and what loops back is not seen again.
    expect(await net.b.node(script, [net.b.ipv4, '10.99.0.255', linkLocal])).toMatchObject({
      code: 0,
    });
    const stats = await close();
    expect(seen).toHaveLength(5);
    expect(stats).toMatchObject({ received: 5, sent: 5 });
  });

  test.each(FAMILIES)(
    'leaves what is passing through over %s to the forward layer',
    async (family) => {
      const routed = await createRoutedNetwork();
      try {
        const { a, b, router } = routed;
        const inbound = await open(FILTER[family], { namespace: router.path, fragments: true });
        const forward = await open(FILTER[family].replace('inbound and ', ''), {
          namespace: router.path,
          layer: 'forward',
          mode: 'sniff',
        });
        const receiver = await startScript(b.end, 'udp-receive', [b[family], PORT, 1, IDLE_MS]);
        await runScript(a.end, 'udp-send', [b[family], PORT, 3000, 3000]);
        expect(await receivedLengths(receiver)).toEqual([3000]);
        expect(inbound.stats().received).toBe(0);
        forward.shutdown('receive');
        let pieces = 0;
        for await (const packet of forward) pieces += isPiece(packet) ? 1 : 0;
        expect(pieces).toBe(piecesOf(family, 3000));
        await Promise.all([inbound.close(), forward.close()]);
      } finally {
        await routed.close();
      }
    },
  );
});

describe('outbound', () => {
  test.each([
    ['ipv4', false],
    ['ipv4', true],
    ['ipv6', false],
    ['ipv6', true],
  ] as const)(
    'over %s, fragments %s: whole as they were sent, pieces as they were put in',
    async (family, fragments) => {
      const handle = await open(FILTER[family].replace('inbound', 'outbound'), {
        namespace: net.a.path,
        fragments,
      });
      const lengths: number[] = [];
      const loop = (async () => {
        for await (const packet of handle) {
          lengths.push(packet.length);
          handle.send(packet);
        }
      })();
      const receiver = await receive(family, 2);
      await send(family, 3000);
      const injector = await open('false', { namespace: net.a.path, priority: 1 });
      const bytes = datagram(family, {
        from: net.a[family],
        to: net.b[family],
        port: PORT,
        payload: 3000,
      });
      calcChecksums(bytes);
      for (const piece of splitPacket(bytes, MTU_BYTES, 77) ?? [])
        injector.send(piece, { outbound: true });
      expect(await receivedLengths(receiver)).toEqual([3000, 3000]);
      await injector.close();
      await handle.close();
      await loop;
      expect(lengths[0]).toBe(wholeLength(family, 3000));
      expect(lengths).toHaveLength(1 + piecesOf(family, 3000));
    },
  );
});
