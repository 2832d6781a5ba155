/**
 * Packets too large for the device they leave by, in pieces: TCP as segments, everything else as
 * fragments (RFC 791 section 3.2, RFC 8200 section 4.5).
 *
 * @module
 */
import {
  readUint16,
  readUint32,
  writeUint8,
  writeUint16,
  writeUint32,
} from '../../packet/bytes.ts';
import { calcChecksums } from '../../packet/checksum.ts';
import { parsePacket } from '../../packet/parse.ts';

const IPV4 = { TOTAL_LENGTH: 2, ID: 4, FRAGMENT: 6, HEADER_BYTES: 20 } as const;
const IPV4_DF = 0x4000;
const IPV4_MF = 0x2000;
const IPV4_OFFSET_MASK = 0x1fff;
const IPV6 = { PAYLOAD_LENGTH: 4, NEXT_HEADER: 6, HEADER_BYTES: 40 } as const;
const TCP = { SEQUENCE: 4, DATA_OFFSET: 12, FLAGS: 13 } as const;
const TCP_FLAG = { FIN: 0x01, SYN: 0x02, RST: 0x04, PSH: 0x08, URG: 0x20, CWR: 0x80 } as const;
const NEXT_HEADER = { HOP_BY_HOP: 0, ROUTING: 43, FRAGMENT: 44, DESTINATION_OPTIONS: 60 } as const;
const FRAGMENT_HEADER_BYTES = 8;
/** Fragments but the last are multiples of this. */
const FRAGMENT_UNIT = 8;
/** IPv4 options: the end, no operation, and the bit of those that all fragments have. */
const OPTION = { END: 0, NOP: 1, COPIED: 0x80 } as const;

/**
 * Cuts a packet.
 *
 * @param packet a whole one with valid checksums
 * @param mtuBytes most that a piece may have
 * @param id of IPv6 fragments: other than those of earlier packets
 * @returns null when it may not be cut: DF is set, or it is an IPv6 fragment, or TCP with SYN, RST or URG
 */
export function splitPacket(packet: Uint8Array, mtuBytes: number, id: number): Uint8Array[] | null {
  const layout = parsePacket(packet);
  if (!layout) return null;
  const isFragment = layout.ip === null ? hasFragmentHeader(packet) : isIPv4Fragment(packet);
  if (layout.tcp !== null && !isFragment) return splitTcp(packet, layout.tcp, mtuBytes);
  if (layout.ip !== null) return splitIPv4(packet, mtuBytes);
  return isFragment ? null : splitIPv6(packet, mtuBytes, id);
}

function splitTcp(packet: Uint8Array, tcp: number, mtuBytes: number): Uint8Array[] | null {
  const flags = packet[tcp + TCP.FLAGS] ?? 0;
  if ((flags & (TCP_FLAG.SYN | TCP_FLAG.RST | TCP_FLAG.URG)) !== 0) return null;
  const header = tcp + ((packet[tcp + TCP.DATA_OFFSET] ?? 0) >> 4) * 4;
  const sequence = readUint32(packet, tcp + TCP.SEQUENCE);
  const isIPv4 = (packet[0] ?? 0) >> 4 === 4;
  const firstId = readUint16(packet, IPV4.ID);
  const cuts = cut(packet.length - header, mtuBytes - header, 1);
  return cuts.map(({ start, length, isLast }, index) => {
    const piece = join(packet, header, header + start, length);
    if (isIPv4) {
      writeUint16(piece, IPV4.TOTAL_LENGTH, piece.length);
      writeUint16(piece, IPV4.ID, (firstId + index) & 0xffff);
    } else {
      writeUint16(piece, IPV6.PAYLOAD_LENGTH, piece.length - IPV6.HEADER_BYTES);
    }
    const notHere = (isLast ? 0 : TCP_FLAG.FIN | TCP_FLAG.PSH) | (index === 0 ? 0 : TCP_FLAG.CWR);
    writeUint8(piece, tcp + TCP.FLAGS, flags & ~notHere);
    writeUint32(piece, tcp + TCP.SEQUENCE, (sequence + start) >>> 0);
    calcChecksums(piece);
    return piece;
  });
}

function splitIPv4(packet: Uint8Array, mtuBytes: number): Uint8Array[] | null {
  const fragment = readUint16(packet, IPV4.FRAGMENT);
  if ((fragment & IPV4_DF) !== 0) return null;
  const header = ((packet[0] ?? 0) & 15) * 4;
  const rest = packet.slice(0, header);
  dropUncopiedOptions(rest);
  const cuts = cut(packet.length - header, mtuBytes - header, FRAGMENT_UNIT);
  return cuts.map(({ start, length, isLast }) => {
    const piece = join(packet, header, header + start, length);
    if (start > 0) piece.set(rest);
    writeUint16(piece, IPV4.TOTAL_LENGTH, piece.length);
    const offset = (fragment & IPV4_OFFSET_MASK) + start / FRAGMENT_UNIT;
    writeUint16(piece, IPV4.FRAGMENT, offset | (isLast ? fragment & IPV4_MF : IPV4_MF));
    return piece;
  });
}

function splitIPv6(packet: Uint8Array, mtuBytes: number, id: number): Uint8Array[] | null {
  const { end: header, nextHeaderAt } = findPerFragmentHeaders(packet);
  const room = mtuBytes - header - FRAGMENT_HEADER_BYTES;
  const cuts = cut(packet.length - header, room, FRAGMENT_UNIT);
  return cuts.map(({ start, length, isLast }) => {
    const piece = new Uint8Array(header + FRAGMENT_HEADER_BYTES + length);
    piece.set(packet.subarray(0, header));
    piece.set(
      packet.subarray(header + start, header + start + length),
      header + FRAGMENT_HEADER_BYTES,
    );
    writeUint8(piece, header, piece[nextHeaderAt] ?? 0);
    writeUint8(piece, nextHeaderAt, NEXT_HEADER.FRAGMENT);
    writeUint16(piece, header + 2, start | (isLast ? 0 : 1));
    writeUint32(piece, header + 4, id);
    writeUint16(piece, IPV6.PAYLOAD_LENGTH, piece.length - IPV6.HEADER_BYTES);
    return piece;
  });
}

interface Cut {
  readonly start: number;
  readonly length: number;
  readonly isLast: boolean;
}

/** Where to cut so many bytes, given the room in a piece. */
function cut(totalBytes: number, roomBytes: number, unit: number): Cut[] {
  const step = roomBytes - (roomBytes % unit);
  if (step <= 0) return [];
  const cuts: Cut[] = [];
  for (let start = 0; start < totalBytes; start += step) {
    const isLast = start + step >= totalBytes;
    cuts.push({ start, length: isLast ? totalBytes - start : step, isLast });
  }
  return cuts;
}

/** The first bytes of a packet and some of what follows. */
function join(packet: Uint8Array, header: number, start: number, length: number): Uint8Array {
  const piece = new Uint8Array(header + length);
  piece.set(packet.subarray(0, header));
  piece.set(packet.subarray(start, start + length), header);
  return piece;
}

function isIPv4Fragment(packet: Uint8Array): boolean {
  return (readUint16(packet, IPV4.FRAGMENT) & (IPV4_MF | IPV4_OFFSET_MASK)) !== 0;
}

function hasFragmentHeader(packet: Uint8Array): boolean {
  const { end, nextHeaderAt } = findPerFragmentHeaders(packet);
  return end <= packet.length && packet[nextHeaderAt] === NEXT_HEADER.FRAGMENT;
}

/** The headers that every fragment has: up to a routing header, else up to hop-by-hop options. */
function findPerFragmentHeaders(packet: Uint8Array): { end: number; nextHeaderAt: number } {
  let found = { end: IPV6.HEADER_BYTES as number, nextHeaderAt: IPV6.NEXT_HEADER as number };
  let next = packet[IPV6.NEXT_HEADER] ?? 0;
  const { HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS } = NEXT_HEADER;
  for (let at: number = IPV6.HEADER_BYTES; at + 8 <= packet.length; ) {
    if (next !== HOP_BY_HOP && next !== ROUTING && next !== DESTINATION_OPTIONS) break;
    const end = at + ((packet[at + 1] ?? 0) + 1) * 8;
    if (next !== DESTINATION_OPTIONS) found = { end, nextHeaderAt: at };
    next = packet[at] ?? 0;
    at = end;
  }
  return found;
}

/** Turns options that only the first fragment has into no operation. */
function dropUncopiedOptions(header: Uint8Array): void {
  for (let at: number = IPV4.HEADER_BYTES; at < header.length; ) {
    const type = header[at] ?? 0;
    if (type === OPTION.END) return;
    const length = type === OPTION.NOP ? 1 : Math.max(2, header[at + 1] ?? 0);
    if ((type & OPTION.COPIED) === 0) header.fill(OPTION.NOP, at, at + length);
    at += length;
  }
}
