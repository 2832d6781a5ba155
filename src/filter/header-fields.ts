/**
 * Where the fields of packet headers are: RFC 791 (IPv4), RFC 8200 (IPv6), RFC 9293 (TCP), RFC 768
 * (UDP), RFC 792 (ICMP), RFC 4443 (ICMPv6).
 *
 * @module
 */

import { FIELD, type FieldHeader } from './fields.ts';

/** A field of up to 32 bits: `(bigEndian(at, size) >>> shift) & mask`. */
export interface HeaderField {
  readonly header: FieldHeader;
  /** Byte offset in the header. */
  readonly at: number;
  /** Bytes to load. */
  readonly size: 1 | 2 | 4;
  readonly shift: number;
  /** Applied after the shift; all ones where the whole value counts. */
  readonly mask: number;
}

const ALL_BITS = { 1: 0xff, 2: 0xffff, 4: 0xffffffff } as const;

type Row = readonly [
  header: FieldHeader,
  at: number,
  size: 1 | 2 | 4,
  shift?: number,
  mask?: number,
];

const ROWS: readonly (readonly [field: number, ...Row])[] = [
  [FIELD['ip.HdrLength'], 'ip', 0, 1, 0, 0x0f],
  [FIELD['ip.TOS'], 'ip', 1, 1],
  [FIELD['ip.Length'], 'ip', 2, 2],
  [FIELD['ip.Id'], 'ip', 4, 2],
  [FIELD['ip.DF'], 'ip', 6, 1, 6, 1],
  [FIELD['ip.MF'], 'ip', 6, 1, 5, 1],
  [FIELD['ip.FragOff'], 'ip', 6, 2, 0, 0x1fff],
  [FIELD['ip.TTL'], 'ip', 8, 1],
  [FIELD['ip.Protocol'], 'ip', 9, 1],
  [FIELD['ip.Checksum'], 'ip', 10, 2],
  [FIELD['ip.SrcAddr'], 'ip', 12, 4],
  [FIELD['ip.DstAddr'], 'ip', 16, 4],
  [FIELD['ipv6.TrafficClass'], 'ipv6', 0, 2, 4, 0xff],
  [FIELD['ipv6.Length'], 'ipv6', 4, 2],
  [FIELD['ipv6.NextHdr'], 'ipv6', 6, 1],
  [FIELD['ipv6.HopLimit'], 'ipv6', 7, 1],
  [FIELD['icmp.Type'], 'icmp', 0, 1],
  [FIELD['icmp.Code'], 'icmp', 1, 1],
  [FIELD['icmp.Checksum'], 'icmp', 2, 2],
  [FIELD['icmp.Body'], 'icmp', 4, 4],
  [FIELD['icmpv6.Type'], 'icmpv6', 0, 1],
  [FIELD['icmpv6.Code'], 'icmpv6', 1, 1],
  [FIELD['icmpv6.Checksum'], 'icmpv6', 2, 2],
  [FIELD['icmpv6.Body'], 'icmpv6', 4, 4],
  [FIELD['tcp.SrcPort'], 'tcp', 0, 2],
  [FIELD['tcp.DstPort'], 'tcp', 2, 2],
  [FIELD['tcp.SeqNum'], 'tcp', 4, 4],
  [FIELD['tcp.AckNum'], 'tcp', 8, 4],
  [FIELD['tcp.HdrLength'], 'tcp', 12, 1, 4, 0x0f],
  [FIELD['tcp.Urg'], 'tcp', 13, 1, 5, 1],
  [FIELD['tcp.Ack'], 'tcp', 13, 1, 4, 1],
  [FIELD['tcp.Psh'], 'tcp', 13, 1, 3, 1],
  [FIELD['tcp.Rst'], 'tcp', 13, 1, 2, 1],
  [FIELD['tcp.Syn'], 'tcp', 13, 1, 1, 1],
  [FIELD['tcp.Fin'], 'tcp', 13, 1, 0, 1],
  [FIELD['tcp.Window'], 'tcp', 14, 2],
  [FIELD['tcp.Checksum'], 'tcp', 16, 2],
  [FIELD['tcp.UrgPtr'], 'tcp', 18, 2],
  [FIELD['udp.SrcPort'], 'udp', 0, 2],
  [FIELD['udp.DstPort'], 'udp', 2, 2],
  [FIELD['udp.Length'], 'udp', 4, 2],
  [FIELD['udp.Checksum'], 'udp', 6, 2],
];

/** Header fields by field id; `ipv6.FlowLabel` and the IPv6 addresses are not among them. */
export const HEADER_FIELDS: ReadonlyMap<number, HeaderField> = new Map(
  ROWS.map(([field, header, at, size, shift = 0, mask = ALL_BITS[size]]) => [
    field,
    { header, at, size, shift, mask },
  ]),
);

/** Byte offsets of the addresses in their headers. */
export const ADDRESS_OFFSETS = {
  IPV4_SOURCE: 12,
  IPV4_DESTINATION: 16,
  IPV6_SOURCE: 8,
  IPV6_DESTINATION: 24,
} as const;

/** Byte offsets of the ports in TCP and UDP headers. */
export const PORT_OFFSETS = { SOURCE: 0, DESTINATION: 2 } as const;

/**
 * `ipv6.FlowLabel` is not the number on the wire: WinDivert puts the upper 4 bits in front of the lower
 * 16 bits as they are in memory and swaps the bytes of the whole, so label 0x12345 reads 0x23450100.
 */
export const FLOW_LABEL = {
  HIGH_BITS: 1,
  HIGH_MASK: 0x0f,
  HIGH_SHIFT: 8,
  LOW_BITS: 2,
  LOW_SHIFT: 16,
} as const;
