/**
 * Which checksums of a sniffed packet are right: the kernel hands out packets whose checksum a
 * device is still to fill in, and does not say which.
 *
 * @module
 */
import { ADDRESS_FLAGS } from '../packet/address.ts';
import { readUint16 } from '../packet/bytes.ts';
import { CHECKSUM_OFFSETS, foldSum, sumAddresses, sumBytes } from '../packet/checksum.ts';
import { PacketScan, scanPacket } from '../packet/layout.ts';
import { isWhole } from '../packet/stale-checksums.ts';

const { TCP_CHECKSUM, UDP_CHECKSUM } = ADDRESS_FLAGS;
const scan: PacketScan = new PacketScan();

/**
 * Computes the TCP or UDP checksum of a packet.
 *
 * @returns the flags to be set in its address: a header that is not there has nothing wrong; the
 * checksum of a piece of a datagram, or of a packet that was cut, counts as wrong
 */
export function verifyChecksums(memory: Uint8Array, offset: number, length: number): number {
  if (!scanPacket(memory, offset, length, scan)) return 0;
  if (scan.tcp < 0 && scan.udp < 0) return TCP_CHECKSUM | UDP_CHECKSUM;
  const isRight = isWhole(scan) && (hasNone(memory, offset) || isSumRight(memory, offset));
  if (scan.tcp >= 0) return UDP_CHECKSUM | (isRight ? TCP_CHECKSUM : 0);
  return TCP_CHECKSUM | (isRight ? UDP_CHECKSUM : 0);
}

/** RFC 768: over IPv4, a UDP checksum of 0 says that there is none. */
function hasNone(memory: Uint8Array, offset: number): boolean {
  const { udp, version } = scan;
  return udp >= 0 && version === 4 && readUint16(memory, offset + udp + CHECKSUM_OFFSETS.UDP) === 0;
}

function isSumRight(memory: Uint8Array, offset: number): boolean {
  const { headersEnd, dataEnd, protocol, version } = scan;
  const length = dataEnd - headersEnd;
  const pseudoHeader = sumAddresses(memory, offset, version) + protocol + length;
  return foldSum(sumBytes(memory, offset + headersEnd, length) + pseudoHeader) === 0xffff;
}
