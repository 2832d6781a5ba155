import { describe, expect, test } from 'vitest';
import { ADDRESS_FLAGS } from '../../src/packet/address.ts';
import { calcChecksums } from '../../src/packet/checksum.ts';
import { Packet } from '../../src/packet/packet.ts';
import { build, recomputed, VALID } from './build.ts';
import { fromHex, toHex } from './vectors.ts';

const ALL_VALID =
  ADDRESS_FLAGS.IP_CHECKSUM | ADDRESS_FLAGS.TCP_CHECKSUM | ADDRESS_FLAGS.UDP_CHECKSUM;

/** A packet as the kernel's backend hands it out, somewhere in a larger memory. */
function received(bytes: Uint8Array, flags: number = ALL_VALID): Packet {
  const memory = new Uint8Array(bytes.length + 64).fill(0xa5);
  memory.set(bytes, 32);
  const packet = new Packet(new Uint8Array(0), {});
  packet.rebind(memory, 32, bytes.length, flags, 7, 0, 123n, 0);
  return packet;
}

/** What would be sent. */
function sent(packet: Packet): string {
  packet.finish();
  return toHex(packet.bytes);
}

function expectValid(packet: Packet): void {
  packet.finish();
  expect(toHex(packet.bytes)).toBe(toHex(recomputed(packet.bytes)));
}

/** Spoils a checksum, for tests of who computes it. */
function spoiled(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice();
  copy[at]! ^= 0x55;
  return copy;
}

const TCP4 = build(4, 'tcp', 100);
const UDP4 = build(4, 'udp', 33);
const UDP6 = build(6, 'udp', 33);
const ICMP4 = build(4, 'icmp', 16);
const ICMP6 = build(6, 'icmp', 16);

describe('the address', () => {
  test('of a received packet, by its flags', () => {
    const packet = received(UDP4, ALL_VALID | ADDRESS_FLAGS.OUTBOUND | ADDRESS_FLAGS.LOOPBACK);
    expect(packet.address).toEqual({
      timestamp: 123n,
      layer: 'network',
      event: 'packet',
      sniffed: false,
      outbound: true,
      loopback: true,
      impostor: false,
      ipv6: false,
      ipChecksum: true,
      tcpChecksum: true,
      udpChecksum: true,
      interfaceIndex: 7,
      subInterfaceIndex: 0,
    });
  });

  test('of an own packet, from names, numbers and both spellings', () => {
    const packet = new Packet(UDP6.slice(), { layer: 1, ifIdx: 3, subIfIdx: 4, timestamp: '5' });
    expect(packet.address).toMatchObject({
      layer: 'forward',
      interfaceIndex: 3,
      subInterfaceIndex: 4,
      timestamp: 5n,
      ipv6: true,
      tcpChecksum: false,
    });
    expect(() => new Packet(UDP6, { layer: 9 })).toThrow(RangeError);
  });

  test('is one object, live until the packet is sent', () => {
    const packet = received(UDP4, ALL_VALID | ADDRESS_FLAGS.OUTBOUND);
    expect(packet.address).toBe(packet.address);
    packet.address.outbound = false;
    packet.address.interfaceIndex = 9;
    expect(packet.currentFlags()).toBe(ALL_VALID);
    expect(packet.finish()).toBe(false);
    expect(packet.flags).toBe(ALL_VALID);
    expect(packet.retain().address.interfaceIndex).toBe(9);
  });
});

describe('finish says whether anything may have changed', () => {
  test.each<[string, (packet: Packet) => unknown, boolean]>([
    ['nothing asked for', () => {}, false],
    ['fields read', ({ ip, udp }) => [ip?.srcAddr, ip?.options, udp?.dstPort, udp?.length], false],
    ['the address read', (packet) => packet.address.outbound, false],
    ['retained', (packet) => packet.retain(), false],
    ['the payload read', (packet) => packet.readPayload(), false],
    [
      'both ends read',
      ({ srcAddr, dstAddr, srcPort, dstPort }) => [srcAddr, dstAddr, srcPort, dstPort],
      false,
    ],
    ['bytes handed out', (packet) => packet.bytes, true],
    ['payload handed out', (packet) => packet.payload, true],
    ['a field set', (packet) => Object.assign(packet.ip ?? {}, { ttl: 3 }), true],
    [
      'payload assigned',
      (packet) => Object.assign(packet, { payload: packet.retain().payload }),
      true,
    ],
    ['replaced', (packet) => packet.replace(UDP6.slice()), true],
    [
      'a checksum declared invalid',
      (packet) => Object.assign(packet.address, { udpChecksum: false }),
      true,
    ],
  ])('%s', (_name, use, changed) => {
    const packet = received(UDP4);
    use(packet);
    expect(packet.finish()).toBe(changed);
    expect(packet.finish()).toBe(false);
  });

  test('a packet whose checksums were left to the hardware, untouched', () => {
    const bytes = spoiled(TCP4, 36);
    const packet = received(bytes, 0);
    expect(packet.finish()).toBe(false);
    expect(toHex(packet.bytes)).toBe(toHex(bytes));
  });

  test('wrong checksums of an untouched packet stay', () => {
    const bytes = spoiled(spoiled(TCP4, 36), 10);
    const packet = received(bytes);
    void packet.payload;
    expect(packet.finish()).toBe(true);
    expect(toHex(packet.bytes)).toBe(toHex(bytes));
  });
});

describe('which checksums are computed', () => {
  const both = spoiled(spoiled(TCP4, 36), 10);
  const ipFixed = recomputed(both);
  ipFixed.set(both.subarray(36, 38), 36);
  const tcpFixed = recomputed(both);
  tcpFixed.set(both.subarray(10, 12), 10);

  test.each<[string, (packet: Packet) => unknown, Uint8Array]>([
    ['a TTL: the IP header only', (packet) => Object.assign(packet.ip!, { ttl: 64 }), ipFixed],
    ['a port: the TCP one only', (packet) => Object.assign(packet.tcp!, { dstPort: 80 }), tcpFixed],
    [
      'an address: both',
      (packet) => Object.assign(packet.ip!, { dstAddr: '10.0.0.2' }),
      recomputed(both),
    ],
    ['in bytes: none', (packet) => packet.bytes.fill(packet.bytes[8]!, 8, 9), both],
    ['IP flag cleared', (packet) => Object.assign(packet.address, { ipChecksum: false }), ipFixed],
    [
      'TCP flag cleared',
      (packet) => Object.assign(packet.address, { tcpChecksum: false }),
      tcpFixed,
    ],
    [
      'UDP flag cleared on TCP',
      (packet) => Object.assign(packet.address, { udpChecksum: false }),
      both,
    ],
  ])('%s', (_name, use, expected) => {
    const packet = received(both);
    use(packet);
    expect(sent(packet)).toBe(toHex(expected));
  });

  test('all that is not said to be valid, of an own packet; the address then says so', () => {
    const packet = new Packet(both.slice(), {});
    expect(sent(packet)).toBe(toHex(recomputed(both)));
    expect(packet.address).toMatchObject({ ipChecksum: true, tcpChecksum: true });
  });

  test('none of an own packet that says they are valid', () => {
    expect(sent(new Packet(both.slice(), VALID))).toBe(toHex(both));
  });

  test('what the caller assigned stays, whatever else was set', () => {
    const packet = received(TCP4, 0);
    packet.tcp!.checksum = 0x1234;
    packet.ip!.checksum = 0x5678;
    packet.tcp!.dstPort = 9;
    packet.ip!.ttl = 9;
    packet.payload = new Uint8Array(3);
    packet.finish();
    expect([packet.ip!.checksum, packet.tcp!.checksum]).toEqual([0x5678, 0x1234]);
  });

  test('unless its flag is cleared afterwards', () => {
    const packet = received(TCP4);
    packet.tcp!.checksum = 0x1234;
    packet.address.tcpChecksum = false;
    expect(sent(packet)).toBe(toHex(TCP4));
  });

  test('ICMP: not for another address, but ICMPv6', () => {
    const icmp = received(spoiled(ICMP4, 22));
    icmp.ip!.dstAddr = '10.0.0.9';
    icmp.finish();
    expect(icmp.icmp!.checksum).toBe(received(spoiled(ICMP4, 22)).icmp!.checksum);
    const icmpv6 = received(ICMP6);
    icmpv6.ipv6!.dstAddr = '2001:db8::9';
    expectValid(icmpv6);
  });
});

describe('UDP checksum 0', () => {
  const none4 = UDP4.slice();
  none4.set([0, 0], 26);
  const none6 = UDP6.slice();
  none6.set([0, 0], 46);

  test.each<[string, (packet: Packet) => unknown]>([
    ['port', (packet) => Object.assign(packet.udp!, { dstPort: 9 })],
    ['address', (packet) => Object.assign(packet.ip ?? packet.ipv6!, { dstAddr: '1.2.3.4' })],
    ['payload in place', (packet) => packet.payload.fill(0x77)],
    ['payload', (packet) => Object.assign(packet, { payload: new Uint8Array(5) })],
  ])('stays over IPv4, is computed over IPv6: %s', (_name, use) => {
    const over4 = received(none4);
    use(over4);
    over4.finish();
    expect(over4.udp!.checksum).toBe(0);
    const over6 = received(none6);
    use(over6);
    expectValid(over6);
  });

  test('is computed over IPv4 when the address says that it is not valid', () => {
    const packet = received(none4, ADDRESS_FLAGS.IP_CHECKSUM);
    packet.udp!.dstPort = 9;
    expectValid(packet);
    expect(packet.udp!.checksum).not.toBe(0);
  });
});

describe('ends', () => {
  test.each([
    ['IPv4 UDP', UDP4],
    ['IPv6 UDP', UDP6],
    ['TCP', TCP4],
  ])('%s: as the headers say', (_, bytes) => {
    const packet = received(bytes);
    const [ip, transport] = [packet.ip ?? packet.ipv6!, packet.tcp ?? packet.udp!];
    expect([packet.srcAddr, packet.dstAddr]).toEqual([ip.srcAddr, ip.dstAddr]);
    expect([packet.srcPort, packet.dstPort]).toEqual([transport.srcPort, transport.dstPort]);
  });

  test('null where there are none', () => {
    const icmp = received(ICMP6);
    expect([icmp.srcAddr === null, icmp.srcPort, icmp.dstPort]).toEqual([false, null, null]);
    const nothing = received(Uint8Array.of(1, 2, 3));
    expect([nothing.srcAddr, nothing.dstAddr, nothing.srcPort]).toEqual([null, null, null]);
  });
});

describe('payload', () => {
  test('for reading: the same bytes', () => {
    const packet = received(TCP4);
    expect(toHex(packet.readPayload())).toBe(toHex(received(TCP4).payload));
    expect(packet.readPayload().length).toBe(100);
    expect(received(Uint8Array.of(1)).readPayload().length).toBe(0);
  });

  test('in place: the checksum follows, and nothing is computed when it is written back', () => {
    const packet = received(TCP4);
    packet.payload[3]! ^= 0xff;
    expectValid(packet);
    const restored = received(spoiled(TCP4, 36));
    restored.payload[3]! ^= 0xff;
    restored.payload[3]! ^= 0xff;
    expect(sent(restored)).toBe(toHex(spoiled(TCP4, 36)));
  });

  test('what stood behind the IP data is cut off, memory beside the packet is not written', () => {
    const packet = received(Uint8Array.of(...UDP4, 9, 9, 9));
    const { memory } = packet;
    packet.payload = new Uint8Array(33);
    expect(packet.bytes.length).toBe(UDP4.length);
    packet.payload = new Uint8Array(2000).fill(1);
    expectValid(packet);
    expect(packet.bytes.length).toBe(2028);
    expect(memory.subarray(0, 32).every((byte) => byte === 0xa5)).toBe(true);
    expect(memory.subarray(32 + UDP4.length + 3).every((byte) => byte === 0xa5)).toBe(true);
  });

  test('a part of itself', () => {
    const packet = received(UDP4);
    const expected = toHex(packet.payload.slice(5));
    packet.payload = packet.payload.subarray(5);
    expect(toHex(packet.payload)).toBe(expected);
    expectValid(packet);
  });

  test('views that were handed out follow', () => {
    const packet = received(UDP4);
    const { ip, udp } = packet;
    packet.payload = new Uint8Array(500);
    udp!.dstPort = 4242;
    ip!.ttl = 17;
    expectValid(packet);
    expect(udp!.payloadLength).toBe(500);
    expect([packet.udp!.dstPort, packet.ip!.ttl, packet.udp!.length]).toEqual([4242, 17, 508]);
  });

  test('options and extension headers stay', () => {
    const options = [0x94, 4, 0, 0];
    const over4 = received(build(4, 'udp', 10, { extra: options }));
    over4.payload = new Uint8Array(11);
    expect(toHex(over4.ip!.options)).toBe('94040000');
    expectValid(over4);
    const hopByHop = [17, 0, 1, 4, 0, 0, 0, 0];
    const over6 = received(build(6, 'udp', 10, { extra: hopByHop, nextHeader: 0 }));
    over6.payload = new Uint8Array(11);
    expect(over6.ipv6!.payloadLength).toBe(8 + 8 + 11);
    expect(toHex(over6.bytes.subarray(40, 48))).toBe(toHex(Uint8Array.from(hopByHop)));
    expectValid(over6);
  });

  test('of another protocol: all behind the IP header', () => {
    const bytes = fromHex('450000180000000040fd000001020304050607080a0b0c0d');
    calcChecksums(bytes);
    const packet = received(bytes);
    expect(toHex(packet.payload)).toBe('0a0b0c0d');
    packet.payload = Uint8Array.of(1);
    expect(packet.ip!.totalLength).toBe(21);
    expectValid(packet);
  });

  test('the longest fits, one byte more does not', () => {
    const over4 = received(UDP4);
    over4.payload = new Uint8Array(65507);
    expectValid(over4);
    expect(() => {
      over4.payload = new Uint8Array(65508);
    }).toThrow('packet.payload: 65508 bytes make the packet too long for IP');
    const over6 = received(UDP6);
    over6.payload = new Uint8Array(65527);
    expectValid(over6);
    expect(over6.bytes.length).toBe(65575);
  });

  test('wrong types, and bytes without an IP header', () => {
    const packet = received(UDP4);
    expect(() => Reflect.set(packet, 'payload', 'text')).toThrow(TypeError);
    expect(() => packet.replace(null as unknown as Uint8Array)).toThrow(TypeError);
    expect(() => new Packet('4500' as unknown as Uint8Array, {})).toThrow(TypeError);
    const garbage = new Packet(new Uint8Array(30), {});
    expect(garbage.payload.length).toBe(0);
    expect(() => Reflect.set(garbage, 'payload', new Uint8Array(1))).toThrow(
      'without an IP header',
    );
  });
});

describe('pieces of a datagram', () => {
  const whole = build(4, 'udp', 64);

  function firstPiece(): Uint8Array {
    const piece = whole.slice(0, 20 + 40);
    piece.set([0, 60], 2);
    piece.set([0x20, 0], 6);
    const sum = new Packet(piece, { udpChecksum: true });
    sum.finish();
    return piece;
  }

  /** The datagram put together from a changed first piece and the rest as it was. */
  function joined(piece: Packet): Uint8Array {
    const bytes = whole.slice();
    bytes.set(piece.bytes);
    bytes.set([0, whole.length], 2);
    bytes.set([0x40, 0], 6);
    return bytes;
  }

  test.each<[string, (packet: Packet) => unknown]>([
    ['port', (packet) => Object.assign(packet.udp!, { dstPort: 4242 })],
    ['address', (packet) => Object.assign(packet.ip!, { dstAddr: '192.0.2.200' })],
    ['payload in place', (packet) => packet.payload.fill(0x41)],
    ['payload', (packet) => Object.assign(packet, { payload: new Uint8Array(32).fill(3) })],
    [
      'several',
      (packet) => {
        packet.udp!.srcPort = 1;
        packet.payload[0] = 99;
        packet.ip!.srcAddr = '1.1.1.1';
        packet.payload[1] = 98;
      },
    ],
  ])('the first one is mended: %s', (_name, use) => {
    const packet = received(firstPiece());
    use(packet);
    expect(packet.finish()).toBe(true);
    const bytes = joined(packet);
    const expected = recomputed(bytes);
    bytes.set(expected.subarray(10, 12), 10);
    expect(toHex(bytes)).toBe(toHex(expected));
    expect(packet.udp!.length).toBe(72);
    const header = packet.ip!.checksum;
    packet.address.ipChecksum = false;
    packet.finish();
    expect(packet.ip!.checksum).toBe(header);
  });

  test('a later one has no transport header', () => {
    const bytes = whole.slice();
    bytes.set([0, 4], 6);
    const packet = received(bytes);
    expect([packet.udp, packet.tcp, packet.payload.length]).toEqual([null, null, 72]);
    packet.payload = Uint8Array.of(1, 2, 3);
    packet.finish();
    expect([packet.ip!.totalLength, packet.bytes.length]).toEqual([23, 23]);
    expectValid(packet);
  });

  test('a truncated packet is mended, and whole again with a new payload', () => {
    const packet = received(TCP4.slice(0, 80));
    packet.tcp!.dstPort = 8080;
    packet.finish();
    const bytes = TCP4.slice();
    bytes.set(packet.bytes);
    expect(toHex(bytes)).toBe(toHex(recomputed(bytes)));
    packet.payload = new Uint8Array(5);
    expectValid(packet);
    expect(packet.ip!.totalLength).toBe(45);
  });
});

describe('replace', () => {
  test('other bytes are the packet from then on, of any length', () => {
    const packet = received(UDP4);
    const { ip } = packet;
    const other = build(4, 'tcp', 1000);
    packet.replace(other);
    expect(packet.bytes).toBe(other);
    expect(packet.udp).toBeNull();
    packet.tcp!.dstPort = 1;
    ip!.ttl = 2;
    expectValid(packet);
    expect(packet.ip!.ttl).toBe(2);
    packet.replace(new Uint8Array(65575));
    expect(packet.ip).toBeNull();
    expect(packet.finish()).toBe(true);
  });
});

describe('retain', () => {
  test('the copy stays when the object is used for another packet', () => {
    const packet = received(UDP4);
    packet.udp!.dstPort = 4242;
    packet.payload[0] = 1;
    packet.address.outbound = true;
    const copy = packet.retain();
    packet.memory.fill(0);
    packet.rebind(new Uint8Array(64), 0, 64, 0, 0, 0, 0n, 0);
    expectValid(copy);
    expect([copy.udp!.dstPort, copy.payload[0], copy.address.outbound]).toEqual([4242, 1, true]);
  });

  test('rebinding leaves nothing behind', () => {
    const packet = received(UDP4);
    packet.udp!.checksum = 7;
    packet.address.outbound = true;
    const { bytes } = packet;
    packet.rebind(TCP4.slice(), 0, TCP4.length, ALL_VALID, 1, 2, 3n, 1);
    expect(packet.bytes).not.toBe(bytes);
    expect(packet.udp).toBeNull();
    expect(packet.address).toMatchObject({ outbound: false, timestamp: 3n, layer: 'forward' });
    expect(packet.process).toBeNull();
    packet.tcp!.dstPort = 80;
    expectValid(packet);
  });
});
