import { describe, expect, test } from 'vitest';
import { ADDRESS_FLAGS } from '../../src/packet/address.ts';
import { Packet } from '../../src/packet/packet.ts';
import { build, recomputed } from './build.ts';
import { toHex } from './vectors.ts';

const ALL_VALID =
  ADDRESS_FLAGS.IP_CHECKSUM | ADDRESS_FLAGS.TCP_CHECKSUM | ADDRESS_FLAGS.UDP_CHECKSUM;
const MARGIN_BYTES = 8;

/** A packet as it came from a wire that may change bits, somewhere in a larger memory. */
function fromWire(bytes: Uint8Array): Packet {
  const memory = new Uint8Array(bytes.length + 2 * MARGIN_BYTES);
  memory.set(bytes, MARGIN_BYTES);
  const packet = new Packet(new Uint8Array(0), {});
  packet.rebind(memory, MARGIN_BYTES, bytes.length, ALL_VALID, 7, 0, 123n, 0);
  packet.doubt();
  return packet;
}

/** The wire changed one bit of the last byte. */
function broken(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy[copy.length - 1]! ^= 0x10;
  return copy;
}

/** Whether the receiver takes what is sent. */
function isRight(packet: Packet): boolean {
  packet.finish();
  return toHex(packet.bytes) === toHex(recomputed(packet.bytes));
}

const PACKETS = {
  'TCP over IPv4': build(4, 'tcp', 1000),
  'TCP over IPv6': build(6, 'tcp', 101),
  'UDP over IPv4': build(4, 'udp', 100),
  'UDP over IPv6': build(6, 'udp', 100),
  ICMP: build(4, 'icmp', 40),
  ICMPv6: build(6, 'icmp', 40),
} as const;

const CHANGES: Record<string, (packet: Packet) => void> = {
  'payload in place': ({ payload }) => {
    for (let index = 0; index < payload.length; index++) payload[index]! ^= 0x55;
  },
  'payload assigned': (packet) => {
    packet.payload = packet.readPayload().map((byte) => byte ^ 0x55);
  },
  'payload of another length': (packet) => {
    packet.payload = Uint8Array.of(...packet.readPayload(), 1, 2, 3);
  },
  replaced: (packet) => packet.replace(packet.bytes.slice()),
  'a field of the transport header': ({ tcp, udp, icmp, icmpv6 }) => {
    if (tcp) tcp.dstPort = 4242;
    if (udp) udp.dstPort = 4242;
    if (icmp) icmp.code = 3;
    if (icmpv6) icmpv6.code = 3;
  },
  'looked at, then a field and the payload': (packet) => {
    expect(packet.bytes.length).toBeGreaterThan(0);
    CHANGES['a field of the transport header']?.(packet);
    CHANGES['payload in place']?.(packet);
  },
};

describe.each(Object.entries(PACKETS))('%s', (_, bytes) => {
  test.each(Object.entries(CHANGES))(
    '%s: right stays right, wrong stays wrong',
    (_name, change) => {
      const right = fromWire(bytes);
      change(right);
      expect(isRight(right)).toBe(true);
      const wrong = fromWire(broken(bytes));
      change(wrong);
      expect(isRight(wrong)).toBe(false);
    },
  );

  test('wrong stays wrong when it is kept, and changed and sent twice', () => {
    const packet = fromWire(broken(bytes)).retain();
    CHANGES['payload in place']?.(packet);
    expect(isRight(packet)).toBe(false);
    CHANGES['a field of the transport header']?.(packet);
    expect(isRight(packet.retain())).toBe(false);
  });
});

test('addresses: wrong stays wrong', () => {
  const packet = fromWire(broken(PACKETS['TCP over IPv4']));
  packet.ip!.dstAddr = '192.0.2.1';
  expect(isRight(packet)).toBe(false);
});

test('bytes that the caller wrote before a field are not the wire', () => {
  const packet = fromWire(PACKETS['TCP over IPv4']);
  packet.bytes[100]! ^= 1;
  packet.tcp!.dstPort = 80;
  expect(isRight(packet)).toBe(true);
});

test.each<[string, (packet: Packet) => unknown]>([
  ['bytes', (packet) => packet.bytes],
  ['a field that the checksum does not cover', (packet) => Object.assign(packet.ip!, { ttl: 5 })],
])('nothing is computed for what the caller writes to bytes: %s', (_, use) => {
  const packet = fromWire(PACKETS['TCP over IPv4']);
  const { checksum } = packet.tcp!;
  use(packet);
  packet.bytes[100]! ^= 1;
  packet.finish();
  expect(packet.tcp!.checksum).toBe(checksum);
});

test('a cleared flag asks for a right one all the same', () => {
  const packet = fromWire(broken(PACKETS['UDP over IPv6']));
  packet.payload[0] = 1;
  packet.address.udpChecksum = false;
  expect(isRight(packet)).toBe(true);
});

test('UDP over IPv4 without a checksum stays without', () => {
  const bytes = PACKETS['UDP over IPv4'].slice();
  bytes.set([0, 0], 26);
  const packet = fromWire(bytes);
  packet.payload[0] = 1;
  packet.udp!.dstPort = 4242;
  packet.finish();
  expect(packet.udp?.checksum).toBe(0);
});

test('the next packet of the same object starts anew', () => {
  const packet = fromWire(broken(PACKETS['TCP over IPv4']));
  packet.payload[0] = 1;
  const { length } = PACKETS['TCP over IPv6'];
  packet.rebind(PACKETS['TCP over IPv6'].slice(), 0, length, ALL_VALID, 7, 0, 1n, 0);
  packet.payload[0] = 1;
  expect(isRight(packet)).toBe(true);
});
