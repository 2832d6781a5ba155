import { CaptureError } from '../errors.ts';
import { BLOCK_TYPE } from './block.ts';
import { ByteSource, type CaptureInput } from './byte-source.ts';
import { pcapFormat, readPcap, viewOf } from './read-pcap.ts';
import { readPcapng } from './read-pcapng.ts';
import type { CaptureRecord } from './record.ts';

const MAGIC_BYTES = 4;
/** First bytes of files that people hand over by mistake. */
const OTHER_FORMATS: readonly (readonly [prefix: number, bits: number, advice: string])[] = [
  [0x1f8b, 16, 'It is compressed with gzip: decompress it first (gunzip).'],
  [0x28b52ffd, 32, 'It is compressed with Zstandard: decompress it first (unzstd).'],
  [0x425a68, 24, 'It is compressed with bzip2: decompress it first (bunzip2).'],
  [0x504b0304, 32, 'It is a ZIP archive: unpack it first (unzip).'],
];

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
  const source = new ByteSource(input);
  try {
    if (!(await source.has(MAGIC_BYTES))) {
      throw new CaptureError(0, `Not a capture file: it has ${source.remaining} bytes`);
    }
    const magic = viewOf(source.peek(MAGIC_BYTES)).getUint32(0);
    const format = pcapFormat(magic);
    if (format !== null) yield* readPcap(source, format);
    else if (magic === BLOCK_TYPE.SECTION_HEADER) yield* readPcapng(source);
    else throw notACapture(magic);
  } finally {
    await source.close();
  }
}

function notACapture(magic: number): CaptureError {
  const other = OTHER_FORMATS.find(([prefix, bits]) => magic >>> (32 - bits) === prefix);
  const digits = magic.toString(16).padStart(8, '0');
  return new CaptureError(0, `Not a pcap or pcapng file: it starts with 0x${digits}`, {
    hint: other?.[2],
  });
}
