import type { CaptureRecord } from '../record.ts';
import type { CaptureInput } from './byte-source.ts';
import { CaptureReader } from './capture-reader.ts';

/**
 * Reads a capture file, pcap or pcapng, packet by packet in constant memory.
 *
 * pcap: both byte orders, micro- and nanoseconds. pcapng: several sections and interfaces, enhanced,
 * simple and obsolete packet blocks; all other blocks are passed over.
 *
 * @param input - all bytes of the file, or a stream of them in chunks of any size
 * @returns the packets in the order of the file; ending the loop early closes the stream
 * @throws {@link CaptureError} when the file is truncated, corrupt or no capture, after everything
 *   before that place was yielded
 * @throws TypeError when the stream's chunks are not bytes
 * @example
 * ```ts
 * import { createReadStream } from 'node:fs';
 * import { readCapture } from 'netdivert/pcap';
 *
 * for await (const record of readCapture(createReadStream('demo.pcapng'))) {
 *   console.log(record.timestampNs, record.bytes.length);
 * }
 * ```
 */
export async function* readCapture(input: CaptureInput): AsyncGenerator<CaptureRecord, void> {
  const reader = new CaptureReader(input);
  try {
    while (!reader.isEnded) {
      const record = reader.next();
      if (record !== null) yield record;
      else if (!reader.isEnded) await reader.fill();
    }
  } finally {
    await reader.close();
  }
}
