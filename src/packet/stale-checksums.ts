/**
 * Which checksums of a changed packet are stale, and making them right.
 *
 * @module
 */

import { ADDRESS_FLAGS } from './address.ts';
import { readUint16, writeUint16 } from './bytes.ts';
import {
  fillIPv4Checksum,
  fillTransportChecksum,
  foldSum,
  mendChecksum,
  sumAddresses,
  sumBytes,
  transportChecksumOffset,
  writeTransportChecksum,
} from './checksum.ts';
import { CHANGES } from './header-view.ts';
import type { PacketScan } from './layout.ts';

/** The flags that say which checksums are valid. @internal */
export const CHECKSUM_BITS: number =
  ADDRESS_FLAGS.IP_CHECKSUM | ADDRESS_FLAGS.TCP_CHECKSUM | ADDRESS_FLAGS.UDP_CHECKSUM;

/** No sum was taken. @internal */
export const NO_SUM = -1;

/** All that the transport checksum covers is here: no piece of a datagram, not truncated. @internal */
export function isWhole(scan: PacketScan): boolean {
  return (
    scan.moreFragments === 0 && scan.fragmentOffset === 0 && scan.ipLength <= scan.packetLength
  );
}

/**
 * Sum of what the transport checksum covers, itself left out, as far as it is here.
 *
 * @returns 1..0xffff, or {@link NO_SUM} when the packet has no such checksum
 * @internal
 */
export function sumCovered(memory: Uint8Array, offset: number, scan: PacketScan): number {
  const field = transportChecksumOffset(scan);
  if (field < 0) return NO_SUM;
  const checksum = readUint16(memory, offset + field);
  let sum = sumBytes(memory, offset + scan.headersEnd, scan.dataEnd - scan.headersEnd);
  if (scan.icmp < 0) sum += sumAddresses(memory, offset, scan.version);
  // A number and its complement are zero together, and this zero is never written as 0.
  return foldSum(sum + (~checksum & 0xffff));
}

/**
 * Whether a packet came with a transport checksum that is wrong. That of a piece is the whole datagram's: nobody can say.
 *
 * @param sum - {@link sumCovered}
 * @internal
 */
export function isWrong(
  memory: Uint8Array,
  offset: number,
  scan: PacketScan,
  sum: number,
): boolean {
  if (sum === NO_SUM || !isWhole(scan)) return false;
  const checksum = readUint16(memory, offset + transportChecksumOffset(scan));
  if (scan.udp >= 0 && checksum === 0) return false;
  const pseudoHeader = scan.icmp < 0 ? scan.protocol + scan.dataEnd - scan.headersEnd : 0;
  return foldSum(sum + pseudoHeader + checksum) !== 0xffff;
}

/**
 * Computes the stale checksums.
 *
 * @param changes - bits of `CHANGES`
 * @param flags - of the address: a checksum that is not valid is computed
 * @param before - {@link sumCovered} before the changes, where it was taken
 * @returns the flags with those of the computed checksums set
 * @internal
 */
export function fixChecksums(
  memory: Uint8Array,
  offset: number,
  scan: PacketScan,
  changes: number,
  flags: number,
  before: number,
): number {
  let valid = flags;
  if (scan.version === 4) {
    const invalid = (flags & ADDRESS_FLAGS.IP_CHECKSUM) === 0;
    const stale = (changes & CHANGES.IP) !== 0 && (changes & CHANGES.IP_ASSIGNED) === 0;
    if (invalid || stale) fillIPv4Checksum(memory, offset, scan.headerLength);
    valid |= ADDRESS_FLAGS.IP_CHECKSUM;
  }
  return valid | fixTransport(memory, offset, scan, changes, flags, before);
}

/** @returns the flag of the transport checksum when it is valid now */
function fixTransport(
  memory: Uint8Array,
  offset: number,
  scan: PacketScan,
  changes: number,
  flags: number,
  before: number,
): number {
  const field = transportChecksumOffset(scan);
  if (field < 0) return 0;
  const flag = transportFlag(scan);
  const invalid = (flag & ~flags) !== 0;
  if (!invalid && isTheirs(scan, changes, readUint16(memory, offset + field))) return 0;
  if (isWhole(scan) && (invalid || isStale(scan, changes))) {
    fillTransportChecksum(memory, offset, scan);
    if (!invalid && (changes & CHANGES.WRONG) !== 0) spoil(memory, offset + field);
    return flag;
  }
  if (before !== NO_SUM) followPayload(memory, offset, scan, changes, before);
  return 0;
}

/** Makes the checksum right when what it covers was written to in place. */
function followPayload(
  memory: Uint8Array,
  offset: number,
  scan: PacketScan,
  changes: number,
  before: number,
): void {
  const after = sumCovered(memory, offset, scan);
  if (after === before) return;
  // Over a piece there is nothing but the difference; ICMP alone can have a sum of 0 (see sumCovered).
  if (!isWhole(scan) || (changes & CHANGES.WRONG) !== 0) mend(memory, offset, scan, before, after);
  else if (scan.icmp >= 0) fillTransportChecksum(memory, offset, scan);
  else writeTransportChecksum(memory, offset, scan, after, scan.dataEnd - scan.headersEnd);
}

/** The checksum stays as it is: the caller assigned it, or there is none (0 in UDP over IPv4). */
function isTheirs(scan: PacketScan, changes: number, checksum: number): boolean {
  if ((changes & CHANGES.TRANSPORT_ASSIGNED) !== 0) return true;
  return scan.udp >= 0 && scan.version === 4 && checksum === 0;
}

function isStale(scan: PacketScan, changes: number): boolean {
  const covered = scan.icmp < 0 ? CHANGES.TRANSPORT | CHANGES.PSEUDO_HEADER : CHANGES.TRANSPORT;
  return (changes & covered) !== 0;
}

function transportFlag(scan: PacketScan): number {
  if (scan.tcp >= 0) return ADDRESS_FLAGS.TCP_CHECKSUM;
  return scan.udp >= 0 ? ADDRESS_FLAGS.UDP_CHECKSUM : 0;
}

/** Makes a right checksum a wrong one, which says that there is one. */
function spoil(memory: Uint8Array, at: number): void {
  const right = readUint16(memory, at);
  writeUint16(memory, at, right === 1 ? 2 : right ^ 1);
}

function mend(
  memory: Uint8Array,
  offset: number,
  scan: PacketScan,
  before: number,
  after: number,
): void {
  const at = offset + transportChecksumOffset(scan);
  const checksum = mendChecksum(readUint16(memory, at), before, after);
  writeUint16(memory, at, checksum === 0 && scan.udp >= 0 ? 0xffff : checksum);
}
