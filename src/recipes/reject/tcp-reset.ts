/**
 * Resets for both ends of a TCP connection (RFC 9293 3.5.2, 3.10.7).
 *
 * @module
 */
import {
  readUint8,
  readUint16,
  readUint32,
  writeUint8,
  writeUint16,
  writeUint32,
} from '../../packet/bytes.ts';
import { IPPROTO, type PacketScan } from '../../packet/layout.ts';
import type { RejectAnswer } from './answers.ts';
import { createAnswer, headerLength } from './ip-header.ts';
import { TCP } from './offsets.ts';

const NO_OPTIONS = TCP.HEADER_BYTES << 2;

/**
 * The sender gets what a host without this connection answers; the other end gets a reset in the
 * place of the packet, unless it is a first SYN, which it has not heard of.
 */
export function resets(bytes: Uint8Array, offset: number, scan: PacketScan): RejectAnswer[] {
  const at = offset + scan.tcp;
  const flags = readUint8(bytes, at + TCP.FLAGS);
  const sequence = readUint32(bytes, at + TCP.SEQUENCE);
  const acknowledgment = readUint32(bytes, at + TCP.ACKNOWLEDGMENT);
  if ((flags & TCP.ACK) !== 0) {
    const back = reset(bytes, offset, scan, true, acknowledgment, null);
    const on = reset(bytes, offset, scan, false, sequence, acknowledgment);
    return [
      { bytes: back, to: 'source' },
      { bytes: on, to: 'destination' },
    ];
  }
  // RFC 9293 3.5.2: SYN and FIN count as a byte each.
  const length =
    scan.payloadLength + ((flags & TCP.SYN) === 0 ? 0 : 1) + ((flags & TCP.FIN) === 0 ? 0 : 1);
  const back = reset(bytes, offset, scan, true, 0, (sequence + length) >>> 0);
  return [{ bytes: back, to: 'source' }];
}

function reset(
  bytes: Uint8Array,
  offset: number,
  scan: PacketScan,
  isSwapped: boolean,
  sequence: number,
  acknowledgment: number | null,
): Uint8Array {
  const { version } = scan;
  const addresses = { bytes, offset, isSwapped };
  const answer = createAnswer(version, IPPROTO.TCP, TCP.HEADER_BYTES, addresses);
  const at = headerLength(version);
  const source = readUint16(bytes, offset + scan.tcp + TCP.SOURCE_PORT);
  const destination = readUint16(bytes, offset + scan.tcp + TCP.DESTINATION_PORT);
  writeUint16(answer, at + TCP.SOURCE_PORT, isSwapped ? destination : source);
  writeUint16(answer, at + TCP.DESTINATION_PORT, isSwapped ? source : destination);
  writeUint32(answer, at + TCP.SEQUENCE, sequence);
  writeUint32(answer, at + TCP.ACKNOWLEDGMENT, acknowledgment ?? 0);
  writeUint8(answer, at + TCP.DATA_OFFSET, NO_OPTIONS);
  writeUint8(answer, at + TCP.FLAGS, acknowledgment === null ? TCP.RST : TCP.RST | TCP.ACK);
  return answer;
}
