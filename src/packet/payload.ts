/**
 * The lengths that follow a packet's payload.
 *
 * @module
 */

import { writeUint16 } from './bytes.ts';
import { LENGTHS, type PacketScan } from './layout.ts';

const IPV4_TOTAL_LENGTH = 2;
const IPV6_PAYLOAD_LENGTH = 4;
const UDP_LENGTH = 4;
const LENGTH_MAX = 0xffff;

/**
 * End of the packet with a payload of another length.
 *
 * @throws RangeError when IP cannot say it
 * @internal
 */
export function endWithPayload(scan: PacketScan, payloadLength: number): number {
  const end = scan.payloadOffset + payloadLength;
  if (countedLength(scan, end) <= LENGTH_MAX) return end;
  throw new RangeError(`packet.payload: ${payloadLength} bytes make the packet too long for IP`);
}

/** The IPv6 header does not count itself. */
function countedLength(scan: PacketScan, end: number): number {
  return scan.version === 4 ? end : end - LENGTHS.IPV6_HEADER;
}

/**
 * Writes the lengths of the IP header and, in a whole packet, of the UDP header: in a piece that is
 * the datagram's.
 *
 * @internal
 */
export function writeLengths(
  memory: Uint8Array,
  offset: number,
  scan: PacketScan,
  end: number,
): void {
  const field = scan.version === 4 ? IPV4_TOTAL_LENGTH : IPV6_PAYLOAD_LENGTH;
  writeUint16(memory, offset + field, countedLength(scan, end));
  if (scan.udp >= 0 && scan.fragment === 0) {
    writeUint16(memory, offset + scan.udp + UDP_LENGTH, end - scan.udp);
  }
}
