/**
 * Random packets and addresses: mostly well-formed, with few different values, so that filters hit.
 *
 * @module
 */

import type { AddressInit, Layer } from '../../src/packet/address.ts';
import {
  concat,
  extension,
  fragmentHeader,
  icmp,
  ipv4,
  ipv6,
  tcp,
  text,
  udp,
} from './build-packet.ts';
import type { Random } from './random.ts';

export const IPV4_ADDRESSES: readonly string[] = [
  '0.0.0.0',
  '10.0.0.1',
  '10.0.0.2',
  '127.0.0.1',
  '192.168.1.1',
  '192.168.1.255',
  '255.255.255.255',
];
export const IPV6_ADDRESSES: readonly string[] = [
  '::',
  '::1',
  '::ffff:10.0.0.1',
  '2001:db8::1',
  '2001:db8::2',
  '2001:db8:0:1::1',
  'fe80::1',
  'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
];
export const PORTS: readonly number[] = [0, 1, 53, 80, 443, 8080, 50_000, 65_535];
export const WORDS: readonly number[] = [0, 1, 2, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
const BYTES: readonly number[] = [0, 1, 2, 6, 17, 58, 64, 127, 128, 255];
const PAYLOADS: readonly string[] = ['', 'G', 'GET', 'GET ', 'GET / HTTP/1.1\r\n', 'POST /'];
/** ICMP, TCP, UDP, ICMPv6, ESP, no next header, and one of no meaning. */
const PROTOCOLS: readonly number[] = [1, 6, 6, 6, 17, 17, 58, 50, 59, 253];
const IPV4_FRAGMENTS: readonly number[] = [0, 0, 0, 0x4000, 0x4000, 0x2000, 0x2001, 0x0001, 0x1fff];
const IPV6_FRAGMENTS: readonly number[] = [0, 0, 1, 8, 9, 0xfff8];

const byte = (random: Random): number => random.pick(BYTES);
const port = (random: Random): number => random.pick(PORTS);
const word = (random: Random): number => random.pick(WORDS);
const short = (random: Random): number => random.pick([...BYTES, 0x7fff, 0x8000, 0xffff]);

/** A packet: well-formed, truncated, with bytes behind its end, or with wrong fields. */
export function randomPacket(random: Random): Uint8Array {
  const protocol = random.pick(PROTOCOLS);
  const data = transport(random, protocol);
  const packet = random.chance(50)
    ? ipv4Packet(random, protocol, data)
    : ipv6Packet(random, protocol, data);
  return spoil(random, packet);
}

function payload(random: Random): Uint8Array {
  return random.chance(80) ? text(random.pick(PAYLOADS)) : random.bytes(random.below(40));
}

function transport(random: Random, protocol: number): Uint8Array {
  if (protocol === 6) {
    return tcp(
      {
        sourcePort: port(random),
        destinationPort: port(random),
        sequence: word(random),
        acknowledgment: word(random),
        flags: random.bits() & 0xff,
        window: short(random),
        checksum: short(random),
        urgentPointer: short(random),
        ...(random.chance(20) ? { options: random.bytes(4 * random.below(4)) } : {}),
        ...(random.chance(10) ? { dataOffset: random.below(16) } : {}),
      },
      payload(random),
    );
  }
  if (protocol === 17) {
    return udp(
      {
        sourcePort: port(random),
        destinationPort: port(random),
        checksum: short(random),
        ...(random.chance(20) ? { length: short(random) } : {}),
      },
      payload(random),
    );
  }
  const header = {
    type: byte(random),
    code: byte(random),
    checksum: short(random),
    body: word(random),
  };
  return icmp(header, payload(random));
}

function ipv4Packet(random: Random, protocol: number, data: Uint8Array): Uint8Array {
  return ipv4(
    {
      tos: byte(random),
      id: short(random),
      fragment: random.pick(IPV4_FRAGMENTS),
      ttl: byte(random),
      protocol,
      checksum: short(random),
      source: random.pick(IPV4_ADDRESSES),
      destination: random.pick(IPV4_ADDRESSES),
      ...(random.chance(20) ? { options: random.bytes(4 * random.below(11)) } : {}),
      ...(random.chance(8) ? { totalLength: random.below(80) } : {}),
    },
    data,
  );
}

function ipv6Packet(random: Random, protocol: number, data: Uint8Array): Uint8Array {
  let next = protocol;
  let chain = data;
  for (let left = random.chance(40) ? random.between(1, 4) : 0; left > 0; left--) {
    const header = random.pick([0, 43, 44, 51, 60, 135]);
    chain = concat(extensionHeader(random, header, next), chain);
    next = header;
  }
  return ipv6(
    {
      trafficClass: byte(random),
      flowLabel: random.pick([0, 0, 1, 0x12345, 0xfffff]),
      nextHeader: next,
      hopLimit: byte(random),
      source: random.pick(IPV6_ADDRESSES),
      destination: random.pick(IPV6_ADDRESSES),
      ...(random.chance(8) ? { payloadLength: random.below(80) } : {}),
    },
    chain,
  );
}

function extensionHeader(random: Random, header: number, next: number): Uint8Array {
  if (header === 44) return fragmentHeader(next, random.pick(IPV6_FRAGMENTS), byte(random));
  const units = random.below(3);
  const bytes = header === 51 ? (units + 2) * 4 : (units + 1) * 8;
  const claimed = random.chance(5) ? byte(random) : units;
  return extension(next, claimed, bytes);
}

function spoil(random: Random, packet: Uint8Array): Uint8Array {
  switch (random.below(12)) {
    case 0:
      return packet.subarray(0, random.below(packet.length + 1));
    case 1:
      return concat(packet, random.bytes(random.between(1, 30)));
    case 2: {
      const changed = Uint8Array.from(packet);
      changed[random.below(Math.min(packet.length, 64))] = random.bits();
      return changed;
    }
    default:
      return packet;
  }
}

/** An address of a layer. On packets, the family is that of the packet but for a few. */
export function randomAddress(
  random: Random,
  layer: Layer,
  packet: Uint8Array | null,
): AddressInit {
  const version6 = packet !== null && (packet[0] ?? 0) >> 4 === 6;
  const common: AddressInit = {
    layer,
    event: random.below(10),
    timestamp: randomTimestamp(random),
    sniffed: random.chance(30),
    outbound: random.chance(50),
    loopback: random.chance(30),
    impostor: random.chance(30),
    ipv6: packet === null ? random.chance(50) : random.chance(98) === version6,
  };
  if (layer === 'network' || layer === 'forward') {
    return { ...common, interfaceIndex: word(random), subInterfaceIndex: random.below(3) };
  }
  if (layer === 'reflect') {
    return {
      ...common,
      processId: word(random),
      handleLayer: random.below(5),
      priority: random.pick([-30_000, -1, 0, 1, 30_000]),
    };
  }
  return {
    ...common,
    endpointId: BigInt(word(random)) << BigInt(random.pick([0, 1, 32])),
    parentEndpointId: String((BigInt(word(random)) << 32n) | BigInt(word(random))),
    processId: word(random),
    localAddress: random.pick([...IPV4_ADDRESSES, ...IPV6_ADDRESSES]),
    remoteAddress: random.pick([...IPV4_ADDRESSES, ...IPV6_ADDRESSES]),
    localPort: port(random),
    remotePort: port(random),
    protocol: random.pick([1, 6, 17, 58, 255]),
  };
}

function randomTimestamp(random: Random): bigint {
  const value = (BigInt(word(random)) << BigInt(random.pick([0, 0, 32]))) | BigInt(word(random));
  return BigInt.asIntN(64, random.chance(30) ? -value : value);
}
