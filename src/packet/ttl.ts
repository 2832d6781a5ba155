/**
 * One hop less (`WinDivertHelperDecrementTTL`).
 *
 * @module
 */

import { readUint8, readUint16, writeUint8, writeUint16 } from './bytes.ts';
import { LENGTHS } from './layout.ts';

const IPV4_TTL = 8;
const IPV4_CHECKSUM = 10;
const IPV6_HOP_LIMIT = 7;

/**
 * Takes one off the IPv4 time to live, mending the header checksum, or off the IPv6 hop limit.
 *
 * @param bytes - from the IP header; only its version and length are looked at besides
 * @returns false, with nothing changed, when there is no IP header or the packet has no hop left
 */
export function decrementTtl(bytes: Uint8Array): boolean {
  if (bytes.length < LENGTHS.IPV4_HEADER) return false;
  const version = readUint8(bytes, 0) >> 4;
  if (version === 4) {
    if (!decrementByte(bytes, IPV4_TTL)) return false;
    // The ones' complement sum lost 0x0100, so the checksum gains it, carry around (RFC 1141).
    const checksum = readUint16(bytes, IPV4_CHECKSUM) + 0x0100;
    writeUint16(bytes, IPV4_CHECKSUM, checksum >= 0xffff ? checksum - 0xffff : checksum);
    return true;
  }
  return (
    version === 6 && bytes.length >= LENGTHS.IPV6_HEADER && decrementByte(bytes, IPV6_HOP_LIMIT)
  );
}

function decrementByte(bytes: Uint8Array, at: number): boolean {
  const hops = readUint8(bytes, at);
  if (hops <= 1) return false;
  writeUint8(bytes, at, hops - 1);
  return true;
}
