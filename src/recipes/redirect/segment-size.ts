/**
 * The TCP maximum segment size option (RFC 9293 3.7.1).
 *
 * @module
 */
import { readUint8, readUint16, writeUint16 } from '../../packet/bytes.ts';
import type { TcpView } from '../../packet/tcp.ts';

const END_OF_OPTIONS = 0;
const NO_OPERATION = 1;
const MSS = { KIND: 2, LENGTH: 4, VALUE: 2 } as const;

/**
 * Four segments of this size are a super-packet that the kernel hands over whole; of the 65,495 bytes
 * that are usual on lo, it does not.
 */
const SEGMENT_BYTES_MAX = 16_000;

/** Lowers the segment size that a SYN announces to one whose packets can be changed. */
export function limitSegmentSize(tcp: TcpView): void {
  const { options } = tcp;
  for (let at = 0; at + 1 < options.length; ) {
    const kind = readUint8(options, at);
    if (kind === END_OF_OPTIONS) return;
    if (kind === NO_OPERATION) {
      at++;
      continue;
    }
    const length = readUint8(options, at + 1);
    if (length < 2) return;
    if (kind === MSS.KIND && length === MSS.LENGTH && at + length <= options.length) {
      if (readUint16(options, at + MSS.VALUE) <= SEGMENT_BYTES_MAX) return;
      writeUint16(options, at + MSS.VALUE, SEGMENT_BYTES_MAX);
      tcp.options = options;
      return;
    }
    at += length;
  }
}
