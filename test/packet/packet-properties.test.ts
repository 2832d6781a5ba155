import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Packet } from '../../src/packet/packet.ts';
import { parsePacket } from '../../src/packet/parse.ts';
import { build, recomputed, type Transport, VALID } from './build.ts';
import { fromHex, loadVectors, toHex } from './vectors.ts';

/** What the lengths in the headers must be, given the bytes there are. */
function expectLengths(packet: Packet, payload: Uint8Array): void {
  const { bytes, ip, ipv6, udp } = packet;
  expect(parsePacket(bytes)).toMatchObject({ dataLength: payload.length, next: null });
  if (ip) expect(ip.totalLength).toBe(bytes.length);
  if (ipv6) expect(ipv6.payloadLength).toBe(bytes.length - 40);
  if (udp) expect(udp.length).toBe(payload.length + 8);
  expect(toHex(packet.payload)).toBe(toHex(payload));
}

const random = (length: number, seed: number): Uint8Array => {
  let state = seed | 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state >>> 24;
  });
};

test.each([4, 6] as const)('IPv%i: a payload of every length 0..1500', (family) => {
  for (const transport of ['tcp', 'udp', 'icmp'] as const) {
    const original = build(family, transport, 700);
    for (let length = 0; length <= 1500; length++) {
      const payload = random(length, length);
      const packet = new Packet(original.slice(), VALID);
      packet.payload = payload;
      expect(packet.finish()).toBe(true);
      expectLengths(packet, payload);
      expect(toHex(packet.bytes)).toBe(toHex(recomputed(packet.bytes)));
    }
  }
});

type Step = (packet: Packet) => void;
const port = fc.nat({ max: 0xffff });
const byte = fc.nat({ max: 0xff });
const word = fc.nat({ max: 0xffff_ffff });

/** One change of a packet through the API. */
const step: fc.Arbitrary<Step> = fc.oneof(
  byte.map<Step>((ttl) => (packet) => {
    if (packet.ip) packet.ip.ttl = ttl;
    if (packet.ipv6) packet.ipv6.hopLimit = ttl;
  }),
  byte.map<Step>((tos) => (packet) => {
    if (packet.ip) packet.ip.tos = tos;
    if (packet.ipv6) packet.ipv6.trafficClass = tos;
  }),
  fc.tuple(word, fc.boolean()).map<Step>(([address, source]) => ({ ip, ipv6 }) => {
    const key = source ? 'sourceAddress' : 'destinationAddress';
    if (ip) ip[key] = address;
    if (ipv6) ipv6[key] = [address, ~address >>> 0, 0, 0x20010db8];
  }),
  port.map<Step>((value) => ({ tcp, udp }) => {
    if (tcp) tcp.dstPort = value;
    if (udp) udp.srcPort = value;
  }),
  word.map<Step>((value) => ({ tcp, icmp, icmpv6 }) => {
    if (tcp) tcp.sequenceNumber = value;
    if (icmp) icmp.body = value;
    if (icmpv6) icmpv6.body = value;
  }),
  byte.map<Step>((flags) => ({ tcp, icmp, icmpv6 }) => {
    if (tcp) tcp.flags = flags;
    if (icmp) icmp.type = flags;
    if (icmpv6) icmpv6.code = flags;
  }),
  fc.tuple(fc.nat(), byte).map<Step>(([at, value]) => ({ payload }) => {
    if (payload.length > 0) payload[at % payload.length] = value;
  }),
  fc.uint8Array({ maxLength: 300 }).map<Step>((payload) => (packet) => {
    packet.payload = payload;
  }),
  fc.constantFrom('ipChecksum', 'tcpChecksum', 'udpChecksum').map<Step>((key) => (packet) => {
    packet.address[key as 'ipChecksum'] = false;
  }),
  fc.constant<Step>((packet) => void packet.finish()),
  fc.constant<Step>((packet) => void packet.payload),
);

const shape = fc.record({
  family: fc.constantFrom(4 as const, 6 as const),
  transport: fc.constantFrom<Transport>('tcp', 'udp', 'icmp'),
  payload: fc.uint8Array({ maxLength: 200 }),
});

test('any changes, then finish: lengths agree and checksums are the computed ones', () => {
  fc.assert(
    fc.property(
      shape,
      fc.array(step, { maxLength: 8 }),
      ({ family, transport, payload }, steps) => {
        const memory = new Uint8Array(2000).fill(0x5a);
        const original = build(family, transport, payload);
        memory.set(original, 100);
        const packet = new Packet(memory.subarray(100, 100 + original.length), VALID);
        for (const change of steps) change(packet);
        const before = packet.payload.slice();
        packet.finish();
        expectLengths(packet, before);
        expect(toHex(packet.bytes)).toBe(toHex(recomputed(packet.bytes)));
        expect(memory.subarray(0, 100).every((value) => value === 0x5a)).toBe(true);
        expect(memory.subarray(100 + original.length).every((value) => value === 0x5a)).toBe(true);
      },
    ),
    { numRuns: 3000 },
  );
});

test('any changes of the first piece of a datagram: the datagram stays valid', () => {
  fc.assert(
    fc.property(
      shape,
      fc.array(step, { maxLength: 5 }),
      ({ family, transport, payload }, steps) => {
        if (family === 6) return;
        const whole = build(4, transport, Uint8Array.of(...payload, ...new Uint8Array(64)));
        const pieceLength = whole.length - 32;
        const piece = whole.slice(0, pieceLength);
        piece.set([pieceLength >> 8, pieceLength & 0xff], 2);
        piece.set([0x20, 0], 6);
        const packet = new Packet(piece, VALID);
        const length = packet.payload.length;
        for (const apply of steps) {
          apply(packet);
          // Another length would change the datagram's too, which a piece does not know.
          if (packet.payload.length !== length) packet.payload = random(length, 7);
        }
        const flags = packet.address;
        flags.ipChecksum = flags.tcpChecksum = flags.udpChecksum = true;
        packet.finish();
        const joined = whole.slice();
        joined.set(packet.bytes.subarray(20), 20);
        joined.set(packet.bytes.subarray(12, 20), 12);
        const expected = recomputed(joined);
        expect(toHex(joined.subarray(20))).toBe(toHex(expected.subarray(20)));
      },
    ),
    { numRuns: 2000 },
  );
});

/** Reads everything there is to read. */
function readAll(packet: Packet): unknown[] {
  const views = [packet.ip, packet.ipv6, packet.tcp, packet.udp, packet.icmp, packet.icmpv6];
  const values: unknown[] = [packet.payload.length, packet.address, packet.process];
  for (const view of views) {
    if (!view) continue;
    let prototype: object | null = Object.getPrototypeOf(view);
    while (prototype && prototype !== Object.prototype) {
      for (const [name, { get }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
        if (get) values.push([name, Reflect.get(view, name)]);
      }
      prototype = Object.getPrototypeOf(prototype);
    }
  }
  return values;
}

test('garbage: no getter throws or sees what is beside the packet', () => {
  const start = fc.constantFrom(
    [],
    [0x45],
    [0x4f, 0],
    [0x60],
    [0x46, 0, 0, 40],
    [0x60, 0, 0, 0, 0, 60, 0],
  );
  const bytes = fc.tuple(start, fc.uint8Array({ maxLength: 120 }));
  fc.assert(
    fc.property(bytes, ([first, rest]) => {
      const length = first.length + rest.length;
      const read = [0x00, 0xff].map((filler) => {
        const memory = new Uint8Array(length + 80).fill(filler);
        memory.set([...first, ...rest], 40);
        const packet = new Packet(new Uint8Array(0), {});
        packet.rebind(memory, 40, length, 0xe0, 0, 0, 0n, 0);
        const values = readAll(packet);
        packet.finish();
        expect(memory.subarray(0, 40).every((value) => value === filler)).toBe(true);
        expect(memory.subarray(40 + length).every((value) => value === filler)).toBe(true);
        return values;
      });
      expect(read[0]).toEqual(read[1]);
    }),
    { numRuns: 3000 },
  );
});

test('every packet of the parse vectors: changed and finished without writing outside', () => {
  for (const { packet: hex } of loadVectors<{ packet: string }>('parse')) {
    const bytes = fromHex(hex);
    const memory = new Uint8Array(bytes.length + 64).fill(0xee);
    memory.set(bytes, 32);
    const packet = new Packet(new Uint8Array(0), {});
    packet.rebind(memory, 32, bytes.length, 0, 0, 0, 0n, 0);
    packet.payload.fill(0x31);
    if (packet.ip) packet.ip.dstAddr = '1.2.3.4';
    if (packet.ipv6) packet.ipv6.dstAddr = '::1:2';
    if (packet.icmp) packet.icmp.body = 7;
    packet.finish();
    expect(toHex(memory.subarray(0, 32))).toBe('ee'.repeat(32));
    expect(toHex(memory.subarray(32 + bytes.length))).toBe('ee'.repeat(32));
    expect(packet.bytes.length).toBe(bytes.length);
    if (parsePacket(packet.bytes)) {
      expect(toHex(packet.bytes)).toBe(toHex(recomputed(packet.bytes)));
    }
  }
});
