/**
 * Internet checksums: RFC 1071 (the sum), RFC 1624 (changing one in place), RFC 768, 9293, 792 and
 * 4443 (what they cover). {@link calcChecksums} does what `WinDivertHelperCalcChecksums` does.
 *
 * A sum here is a number whose 16-bit ones' complement fold is the sum of the big-endian words.
 *
 * @module
 */

import type { AddressInit } from './address.ts';
import { readUint8, readUint16, writeUint16 } from './bytes.ts';
import { IPPROTO, PacketScan, scanPacket } from './layout.ts';
import { type PacketFunctions, packetFunctions, SUM_CAPACITY } from './wasm/packet-functions.ts';

/** What {@link calcChecksums} leaves alone (`WINDIVERT_HELPER_NO_*_CHECKSUM`). */
export const CHECKSUM_FLAGS = {
  WINDIVERT_HELPER_NO_IP_CHECKSUM: 1,
  WINDIVERT_HELPER_NO_ICMP_CHECKSUM: 2,
  WINDIVERT_HELPER_NO_ICMPV6_CHECKSUM: 4,
  WINDIVERT_HELPER_NO_TCP_CHECKSUM: 8,
  WINDIVERT_HELPER_NO_UDP_CHECKSUM: 16,
} as const;

/** Where each header keeps its checksum. @internal */
export const CHECKSUM_OFFSETS = { IPV4: 10, TCP: 16, UDP: 6, ICMP: 2 } as const;

/** Source and destination address, one behind the other. @internal */
export const ADDRESS_FIELDS = {
  IPV4_OFFSET: 12,
  IPV4_LENGTH: 8,
  IPV6_OFFSET: 8,
  IPV6_LENGTH: 32,
} as const;

const TCP_DATA_OFFSET = 12;

/** From this many bytes on, copying them to where WebAssembly sums them is faster than a loop (measured). */
const LONG_SUM = 192;

/**
 * Sums bytes as big-endian 16-bit words; an odd last byte is the high half of a word.
 *
 * @returns a sum below 2^32, to be folded
 * @internal
 */
export function sumBytes(memory: Uint8Array, offset: number, length: number): number {
  if (length >= LONG_SUM && length <= SUM_CAPACITY) {
    const functions = packetFunctions();
    if (functions !== null) return sumCopied(functions, memory, offset, length);
  }
  const end = offset + length;
  let at = offset;
  let sum = 0;
  for (const last = end - 2; at <= last; at += 2) sum += readUint16(memory, at);
  if (at < end) sum += readUint8(memory, at) << 8;
  return sum;
}

/** A view of a part costs as much as copying about this many bytes more (measured). */
const VIEW_COST_BYTES = 512;

function sumCopied(
  { bytes, sum }: PacketFunctions,
  memory: Uint8Array,
  offset: number,
  length: number,
): number {
  const copiesAll = memory.length - length <= VIEW_COST_BYTES && memory.length <= SUM_CAPACITY;
  bytes.set(copiesAll ? memory : memory.subarray(offset, offset + length));
  const start = copiesAll ? offset : 0;
  return swapBytes(foldSum(sum(start, start + length) >>> 0));
}

function swapBytes(word: number): number {
  return (word >>> 8) | ((word & 0xff) << 8);
}

/**
 * Folds a sum below 2^33 to 16 bits.
 *
 * @internal
 */
export function foldSum(sum: number): number {
  const low = sum >>> 0;
  const once = (low & 0xffff) + (low >>> 16) + (sum > 0xffff_ffff ? 1 : 0);
  const twice = (once & 0xffff) + (once >>> 16);
  return (twice & 0xffff) + (twice >>> 16);
}

/**
 * Changes a checksum for a change of what it covers (RFC 1624, equation 3).
 *
 * @param checksum - as it stands in the packet
 * @param before - folded sum of the words that go
 * @param after - folded sum of the words that come
 * @internal
 */
export function mendChecksum(checksum: number, before: number, after: number): number {
  return ~foldSum((~checksum & 0xffff) + (~before & 0xffff) + after) & 0xffff;
}

/** Sum of the addresses in the IP header. @internal */
export function sumAddresses(memory: Uint8Array, offset: number, version: number): number {
  return version === 4
    ? sumBytes(memory, offset + ADDRESS_FIELDS.IPV4_OFFSET, ADDRESS_FIELDS.IPV4_LENGTH)
    : sumBytes(memory, offset + ADDRESS_FIELDS.IPV6_OFFSET, ADDRESS_FIELDS.IPV6_LENGTH);
}

/** Computes and writes the IPv4 header checksum. @internal */
export function fillIPv4Checksum(memory: Uint8Array, offset: number, headerLength: number): void {
  const at = offset + CHECKSUM_OFFSETS.IPV4;
  writeUint16(memory, at, 0);
  writeUint16(memory, at, ~foldSum(sumBytes(memory, offset, headerLength)) & 0xffff);
}

/** Offset of the transport checksum in the packet, -1 when it has none. @internal */
export function transportChecksumOffset(scan: PacketScan): number {
  if (scan.tcp >= 0) return scan.tcp + CHECKSUM_OFFSETS.TCP;
  if (scan.udp >= 0) return scan.udp + CHECKSUM_OFFSETS.UDP;
  if (scan.icmp >= 0) return scan.icmp + CHECKSUM_OFFSETS.ICMP;
  if (scan.icmpv6 >= 0) return scan.icmpv6 + CHECKSUM_OFFSETS.ICMP;
  return -1;
}

/**
 * Computes and writes the checksum of the TCP, UDP, ICMP or ICMPv6 header over all IP data that is
 * there. The pseudo header has the IP data's length, not that of the UDP header; a routing header's
 * final destination is not looked for.
 *
 * @internal
 */
export function fillTransportChecksum(memory: Uint8Array, offset: number, scan: PacketScan): void {
  const at = offset + transportChecksumOffset(scan);
  const length = coveredLength(memory, offset, scan);
  const present = Math.min(length, scan.packetLength - scan.headersEnd);
  writeUint16(memory, at, 0);
  let sum = sumBytes(memory, offset + scan.headersEnd, present);
  if (scan.icmp < 0) sum += sumAddresses(memory, offset, scan.version);
  writeTransportChecksum(memory, offset, scan, sum, length);
}

/**
 * Writes the transport checksum, given the sum of the header, with 0 in the checksum's place, the payload
 * and, except in ICMP, the addresses.
 *
 * @param length - of header and payload
 * @internal
 */
export function writeTransportChecksum(
  memory: Uint8Array,
  offset: number,
  scan: PacketScan,
  sum: number,
  length: number,
): void {
  const checksum = ~foldSum(scan.icmp < 0 ? sum + scan.protocol + length : sum) & 0xffff;
  const at = offset + transportChecksumOffset(scan);
  // RFC 768: a computed 0 is sent as all ones, 0 means none.
  writeUint16(memory, at, checksum === 0 && scan.udp >= 0 ? 0xffff : checksum);
}

/**
 * Length of the transport header and payload. A TCP header that claims more than the IP data counts
 * in full, as in the original, with zeros for what is behind the packet.
 */
function coveredLength(memory: Uint8Array, offset: number, scan: PacketScan): number {
  const length = scan.dataEnd - scan.headersEnd;
  if (scan.tcp < 0 || scan.payloadLength > 0) return length;
  return Math.max(length, (readUint8(memory, offset + scan.tcp + TCP_DATA_OFFSET) >> 4) * 4);
}

const scan: PacketScan = new PacketScan();

/**
 * Computes the checksums of a packet, in place: the IPv4 header's, then that of its TCP, UDP, ICMP or
 * ICMPv6 header (`WinDivertHelperCalcChecksums`).
 *
 * @param bytes - from the IP header; what follows the IP packet is not looked at
 * @param options - `flags`: {@link CHECKSUM_FLAGS} of what to leave alone; `address`: gets
 *   `ipChecksum`, `tcpChecksum` and `udpChecksum` set for what was computed
 * @returns false when there is no valid IP header, and for the transport checksum of a truncated
 *   packet or a first fragment (the IPv4 header's is written then)
 * @example
 * const bytes = packet.bytes;
 * bytes[8] = 64;
 * calcChecksums(bytes);
 */
export function calcChecksums(
  bytes: Uint8Array,
  options: { flags?: number; address?: AddressInit | null } = {},
): boolean {
  const { flags = 0, address } = options;
  if (!scanPacket(bytes, 0, bytes.length, scan)) return false;
  if (scan.version === 4 && (flags & CHECKSUM_FLAGS.WINDIVERT_HELPER_NO_IP_CHECKSUM) === 0) {
    fillIPv4Checksum(bytes, 0, scan.headerLength);
    if (address) address.ipChecksum = true;
  }
  if (transportChecksumOffset(scan) < 0 || (flags & transportFlag(scan.protocol)) !== 0)
    return true;
  if (scan.moreFragments === 1 || scan.ipLength > scan.packetLength) return false;
  fillTransportChecksum(bytes, 0, scan);
  if (address && scan.tcp >= 0) address.tcpChecksum = true;
  if (address && scan.udp >= 0) address.udpChecksum = true;
  return true;
}

function transportFlag(protocol: number): number {
  switch (protocol) {
    case IPPROTO.TCP:
      return CHECKSUM_FLAGS.WINDIVERT_HELPER_NO_TCP_CHECKSUM;
    case IPPROTO.UDP:
      return CHECKSUM_FLAGS.WINDIVERT_HELPER_NO_UDP_CHECKSUM;
    case IPPROTO.ICMP:
      return CHECKSUM_FLAGS.WINDIVERT_HELPER_NO_ICMP_CHECKSUM;
    default:
      return CHECKSUM_FLAGS.WINDIVERT_HELPER_NO_ICMPV6_CHECKSUM;
  }
}
