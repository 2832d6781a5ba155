/**
 * The public form of a packet's layout, as `WinDivertHelperParsePacket` returns it.
 *
 * @module
 */

import { PacketScan, scanPacket } from './layout.ts';

/** Byte offsets of what a packet has, from its start; null for what it has not. */
export interface PacketLayout {
  /** The IPv4 header. */
  readonly ip: number | null;
  readonly ipv6: number | null;
  readonly icmp: number | null;
  readonly icmpv6: number | null;
  readonly tcp: number | null;
  readonly udp: number | null;
  /** The payload behind the last header found; null when it is empty. */
  readonly data: number | null;
  /** The transport protocol, behind IPv6 extension headers. */
  readonly protocol: number;
  /** Bytes of payload. */
  readonly dataLength: number;
  /** What follows the IP packet in the same bytes, the next packet of a batch; null when nothing does. */
  readonly next: number | null;
  readonly nextLength: number;
}

const scan: PacketScan = new PacketScan();

/**
 * Finds the headers and the payload of a packet.
 *
 * @param bytes - from the IP header; more packets may follow it
 * @returns null when there is no valid IP header, or less than the header says (a truncated packet)
 * @example
 * const layout = parsePacket(packet.bytes);
 * if (layout?.udp != null) console.log(layout.dataLength);
 */
export function parsePacket(bytes: Uint8Array): PacketLayout | null {
  if (!scanPacket(bytes, 0, bytes.length, scan) || scan.ipLength > scan.packetLength) return null;
  const nextLength = scan.packetLength - scan.ipLength;
  return {
    ip: scan.version === 4 ? 0 : null,
    ipv6: scan.version === 6 ? 0 : null,
    icmp: offsetOrNull(scan.icmp),
    icmpv6: offsetOrNull(scan.icmpv6),
    tcp: offsetOrNull(scan.tcp),
    udp: offsetOrNull(scan.udp),
    data: scan.payloadLength === 0 ? null : scan.payloadOffset,
    protocol: scan.protocol,
    dataLength: scan.payloadLength,
    next: nextLength === 0 ? null : scan.ipLength,
    nextLength,
  };
}

function offsetOrNull(offset: number): number | null {
  return offset < 0 ? null : offset;
}
