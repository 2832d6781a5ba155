/**
 * Addresses with ports as keys of a map: numbers for IPv4, which cost nothing to make, and short
 * strings for IPv6.
 *
 * @module
 */
import { readUint16, readUint32 } from '../../packet/bytes.ts';
import { parseIPv4Address, parseIPv6Address } from '../../packet/ip-text.ts';

export type EndpointKey = number | string;

/** An address with a port in words. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** By IP version: where the addresses are. */
const ADDRESSES = {
  4: { SOURCE: 12, DESTINATION: 16 },
  6: { SOURCE: 8, DESTINATION: 24 },
} as const;
/** 16-bit units of an IPv6 address. */
const UNITS = 8;
/** What stands before an IPv4 address in the addresses of sockets for both families. */
const MAPPED = /^::ffff:(?=\d+\.)/i;

/** Key of a packet's source or destination. */
export function keyOf(
  memory: Uint8Array,
  offset: number,
  end: 'SOURCE' | 'DESTINATION',
  port: number,
): EndpointKey {
  const version = (memory[offset] ?? 0) >> 4 === 6 ? 6 : 4;
  const at = offset + ADDRESSES[version][end];
  return version === 4 ? ipv4Key(readUint32(memory, at), port) : ipv6Key(memory, at, port);
}

/** Key of an address in text; null when it is none. IPv4-mapped ones are IPv4. */
export function parseKey({ address, port }: Endpoint): EndpointKey | null {
  const ipv4 = parseIPv4Address(address.replace(MAPPED, ''));
  if (ipv4 !== null) return ipv4Key(ipv4, port);
  const words = parseIPv6Address(address.replace(/%.*$/, ''));
  if (words === null) return null;
  let text = '';
  for (const word of [...words].reverse()) text += String.fromCharCode(word >>> 16, word & 0xffff);
  return text + String.fromCharCode(port);
}

/** The same address with another port. */
export function withPort(key: EndpointKey, port: number): EndpointKey {
  if (typeof key === 'number') return key - (key % 0x1_0000) + port;
  return key.slice(0, UNITS) + String.fromCharCode(port);
}

/** 48 bits: exact in a number. */
function ipv4Key(address: number, port: number): number {
  return address * 0x1_0000 + port;
}

function ipv6Key(memory: Uint8Array, at: number, port: number): string {
  let text = '';
  for (let unit = 0; unit < UNITS; unit++) {
    text += String.fromCharCode(readUint16(memory, at + 2 * unit));
  }
  return text + String.fromCharCode(port);
}
