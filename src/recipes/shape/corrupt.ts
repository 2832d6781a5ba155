/**
 * One wrong bit in a packet.
 *
 * @module
 */
import { readUint8, writeUint8 } from '../../packet/bytes.ts';
import { PacketScan, scanPacket } from '../../packet/layout.ts';
import type { Packet } from '../../packet/packet.ts';

const scan: PacketScan = new PacketScan();

/**
 * Turns one bit over behind the IP headers. No checksum follows.
 *
 * @param random 32 bits that say which one
 */
export function corruptPacket(packet: Packet, random: number): void {
  const { bytes } = packet;
  if (!scanPacket(bytes, 0, bytes.length, scan)) return;
  const bits = (scan.dataEnd - scan.headersEnd) * 8;
  if (bits === 0) return;
  const bit = random % bits;
  const at = scan.headersEnd + (bit >> 3);
  writeUint8(bytes, at, readUint8(bytes, at) ^ (1 << (bit & 7)));
}
