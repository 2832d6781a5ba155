/**
 * Where the headers of an IP packet are: RFC 791 (IPv4), RFC 8200 (IPv6), seen as WinDivert sees
 * them. Nothing is allocated here; the result goes into a structure that callers reuse.
 *
 * @module
 */

import { readUint8, readUint16 } from './bytes.ts';

/** IP protocol numbers (IANA), with the names of `netinet/in.h`. */
export const IPPROTO = {
  HOPOPTS: 0,
  ICMP: 1,
  TCP: 6,
  UDP: 17,
  ROUTING: 43,
  FRAGMENT: 44,
  AH: 51,
  ICMPV6: 58,
  DSTOPTS: 60,
  MH: 135,
} as const;

/** Lengths of fixed headers and the largest packet, in bytes. @internal */
export const LENGTHS = {
  IPV4_HEADER: 20,
  IPV6_HEADER: 40,
  TCP_HEADER: 20,
  UDP_HEADER: 8,
  ICMP_HEADER: 8,
  /** `WINDIVERT_MTU_MAX`: 40 + 65535, an IPv6 header and the longest payload. */
  PACKET_MAX: 65575,
} as const;

const IPV4_TOTAL_LENGTH = 2;
const IPV4_FRAGMENT = 6;
const IPV4_PROTOCOL = 9;
const IPV4_MORE_FRAGMENTS = 0x2000;
const IPV4_FRAGMENT_OFFSET = 0x1fff;
const IPV6_PAYLOAD_LENGTH = 4;
const IPV6_NEXT_HEADER = 6;
const IPV6_FRAGMENT_HEADER = 8;
const TCP_DATA_OFFSET = 12;

/** Layout of one packet. Offsets count from the start of the packet; -1: not there. */
export class PacketScan {
  /** 4 or 6. */
  version = 0;
  /** Of the packet as it is in memory, with what follows the IP data. */
  packetLength = 0;
  /** What the IP header says; may be more than there is (a truncated packet). */
  ipLength = 0;
  /** End of the IP data that is there: the smaller of the two lengths. */
  dataEnd = 0;
  /** Of the IPv4 header with options, or 40. */
  headerLength = 0;
  /** End of all IP headers, extension headers included. */
  headersEnd = 0;
  /** The final one, behind IPv6 extension headers. */
  protocol = 0;
  /** 1: a piece, or an IPv6 packet with a fragment header. */
  fragment = 0;
  /** In units of 8 bytes. Other than 0: there is no transport header. */
  fragmentOffset = 0;
  /** 1: further pieces follow. */
  moreFragments = 0;
  tcp = -1;
  udp = -1;
  icmp = -1;
  icmpv6 = -1;
  /** 0 when there is no transport header. */
  transportHeaderLength = 0;
  /** Behind the transport header, or else behind the IP headers. */
  payloadOffset = 0;
  payloadLength = 0;
}

/**
 * Finds the headers of a packet, truncated or not.
 *
 * @param memory - bytes that hold the packet
 * @param offset - where it starts
 * @param length - how long it is; nothing outside is read
 * @param out - overwritten; meaningless when the result is false
 * @returns whether it has a valid IP header
 * @internal
 */
export function scanPacket(
  memory: Uint8Array,
  offset: number,
  length: number,
  out: PacketScan,
): boolean {
  if (length < LENGTHS.IPV4_HEADER) return false;
  out.packetLength = length;
  out.tcp = -1;
  out.udp = -1;
  out.icmp = -1;
  out.icmpv6 = -1;
  out.transportHeaderLength = 0;
  const version = readUint8(memory, offset) >> 4;
  out.version = version;
  if (version === 4) {
    if (!scanIPv4(memory, offset, length, out)) return false;
  } else if (version !== 6 || !scanIPv6(memory, offset, length, out)) {
    return false;
  }
  if (out.fragmentOffset === 0) scanTransport(memory, offset, out);
  out.payloadOffset = out.headersEnd + out.transportHeaderLength;
  out.payloadLength = out.dataEnd - out.payloadOffset;
  return true;
}

/**
 * The IP version alone, for those that need nothing else.
 *
 * @param memory - bytes that hold the packet
 * @param offset - where it starts
 * @param length - how long it is; nothing outside is read
 * @returns 4 or 6; 0 when {@link scanPacket} finds no valid IP header
 * @internal
 */
export function versionOfPacket(memory: Uint8Array, offset: number, length: number): 0 | 4 | 6 {
  if (length < LENGTHS.IPV4_HEADER) return 0;
  const first = readUint8(memory, offset);
  const version = first >> 4;
  if (version === 6) return length < LENGTHS.IPV6_HEADER ? 0 : 6;
  if (version !== 4) return 0;
  const headerLength = (first & 0x0f) * 4;
  const ipLength = readUint16(memory, offset + IPV4_TOTAL_LENGTH);
  return isIPv4HeaderLength(headerLength, ipLength, length) ? 4 : 0;
}

function isIPv4HeaderLength(headerLength: number, ipLength: number, length: number): boolean {
  return headerLength >= LENGTHS.IPV4_HEADER && ipLength >= headerLength && length >= headerLength;
}

function scanIPv4(memory: Uint8Array, offset: number, length: number, out: PacketScan): boolean {
  const headerLength = (readUint8(memory, offset) & 0x0f) * 4;
  const ipLength = readUint16(memory, offset + IPV4_TOTAL_LENGTH);
  if (!isIPv4HeaderLength(headerLength, ipLength, length)) return false;
  const piece = readUint16(memory, offset + IPV4_FRAGMENT);
  out.headerLength = headerLength;
  out.headersEnd = headerLength;
  out.ipLength = ipLength;
  out.dataEnd = Math.min(ipLength, length);
  out.protocol = readUint8(memory, offset + IPV4_PROTOCOL);
  out.fragmentOffset = piece & IPV4_FRAGMENT_OFFSET;
  out.moreFragments = (piece & IPV4_MORE_FRAGMENTS) === 0 ? 0 : 1;
  out.fragment = (piece & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET)) === 0 ? 0 : 1;
  return true;
}

function scanIPv6(memory: Uint8Array, offset: number, length: number, out: PacketScan): boolean {
  if (length < LENGTHS.IPV6_HEADER) return false;
  const ipLength = LENGTHS.IPV6_HEADER + readUint16(memory, offset + IPV6_PAYLOAD_LENGTH);
  out.headerLength = LENGTHS.IPV6_HEADER;
  out.headersEnd = LENGTHS.IPV6_HEADER;
  out.ipLength = ipLength;
  out.dataEnd = Math.min(ipLength, length);
  out.protocol = readUint8(memory, offset + IPV6_NEXT_HEADER);
  out.fragmentOffset = 0;
  out.moreFragments = 0;
  out.fragment = 0;
  scanExtensionHeaders(memory, offset, out);
  return true;
}

/** Walks to the first header that is no extension header, does not fit, or to a later piece. */
function scanExtensionHeaders(memory: Uint8Array, offset: number, out: PacketScan): void {
  let protocol = out.protocol;
  let at = LENGTHS.IPV6_HEADER;
  const end = out.dataEnd;
  // Every extension header starts with the next one's number and its own length.
  while (end - at >= 2 && out.fragmentOffset === 0) {
    const headerLength = extensionLength(protocol, readUint8(memory, offset + at + 1));
    if (headerLength === 0 || headerLength > end - at) break;
    if (protocol === IPPROTO.FRAGMENT) {
      // A second fragment header is no header any more.
      if (out.fragment === 1) break;
      const piece = readUint16(memory, offset + at + 2);
      out.fragment = 1;
      out.fragmentOffset = piece >> 3;
      out.moreFragments = piece & 1;
    }
    protocol = readUint8(memory, offset + at);
    at += headerLength;
  }
  out.protocol = protocol;
  out.headersEnd = at;
}

/** Length in bytes of an extension header, 0 when the protocol is none. */
function extensionLength(protocol: number, lengthField: number): number {
  switch (protocol) {
    case IPPROTO.HOPOPTS:
    case IPPROTO.ROUTING:
    case IPPROTO.DSTOPTS:
    case IPPROTO.MH:
      return (lengthField + 1) * 8;
    case IPPROTO.AH:
      return (lengthField + 2) * 4;
    case IPPROTO.FRAGMENT:
      return IPV6_FRAGMENT_HEADER;
    default:
      return 0;
  }
}

function scanTransport(memory: Uint8Array, offset: number, out: PacketScan): void {
  const at = out.headersEnd;
  const available = out.dataEnd - at;
  if (out.protocol === IPPROTO.TCP) {
    if (available < LENGTHS.TCP_HEADER) return;
    const headerLength = (readUint8(memory, offset + at + TCP_DATA_OFFSET) >> 4) * 4;
    if (headerLength < LENGTHS.TCP_HEADER) return;
    out.tcp = at;
    out.transportHeaderLength = Math.min(headerLength, available);
    return;
  }
  // UDP and ICMP headers have the same length.
  if (available < LENGTHS.UDP_HEADER) return;
  if (out.protocol === IPPROTO.UDP) out.udp = at;
  else if (out.protocol === IPPROTO.ICMP && out.version === 4) out.icmp = at;
  else if (out.protocol === IPPROTO.ICMPV6 && out.version === 6) out.icmpv6 = at;
  else return;
  out.transportHeaderLength = LENGTHS.UDP_HEADER;
}
