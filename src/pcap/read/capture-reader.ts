import { CaptureError } from '../../errors.ts';
import { BLOCK_TYPE } from '../block.ts';
import type { CaptureRecord, RecordSteps } from '../record.ts';
import { ByteSource, type CaptureInput } from './byte-source.ts';
import { pcapFormat, readPcap } from './read-pcap.ts';
import { readPcapng } from './read-pcapng.ts';

const MAGIC_BYTES = 4;
const CONVERT = 'convert it first (editcap -F pcapng FILE NEW-FILE).';
/** First bytes of files that people hand over by mistake. */
const OTHER_FORMATS: readonly (readonly [prefix: number, bits: number, advice: string])[] = [
  [0x1f8b, 16, 'It is compressed with gzip: decompress it first (gunzip).'],
  [0x28b52ffd, 32, 'It is compressed with Zstandard: decompress it first (unzstd).'],
  [0x425a68, 24, 'It is compressed with bzip2: decompress it first (bunzip2).'],
  [0xfd377a58, 32, 'It is compressed with xz: decompress it first (unxz).'],
  [0x04224d18, 32, 'It is compressed with LZ4: decompress it first (unlz4).'],
  [0x504b0304, 32, 'It is a ZIP archive: unpack it first (unzip).'],
  [0xa1b2cd34, 32, `It is a "modified" pcap file of an old libpcap: ${CONVERT}`],
  [0x34cdb2a1, 32, `It is a "modified" pcap file of an old libpcap: ${CONVERT}`],
  [0x736e6f6f, 32, `It is a snoop file: ${CONVERT}`],
  [0x474d4255, 32, `It is a Network Monitor file: ${CONVERT}`],
];

/**
 * Reads a capture: what is there without waiting, and more when asked to wait.
 *
 * @internal
 */
export class CaptureReader {
  readonly #source: ByteSource;
  readonly #steps: RecordSteps;
  /** Bytes without which it does not go on; 0: none. */
  #needed = 0;
  #isFilled = false;
  /** Nothing comes any more. */
  isEnded = false;

  constructor(input: CaptureInput) {
    this.#source = new ByteSource(input);
    this.#steps = readRecords(this.#source);
  }

  /**
   * The next record; null at the end, and when `fill` has to be called first.
   *
   * @throws {@link CaptureError} when it cannot be read
   */
  next(): CaptureRecord | null {
    if (this.#needed > 0 || this.isEnded) return null;
    const step = this.#steps.next(this.#isFilled);
    if (step.done === true) {
      this.isEnded = true;
    } else if (typeof step.value === 'number') {
      this.#needed = step.value;
    } else {
      return step.value;
    }
    return null;
  }

  /** Waits until `next` can go on. */
  async fill(): Promise<void> {
    this.#isFilled = await this.#source.fill(this.#needed);
    this.#needed = 0;
  }

  /** Tells the producer that no more is wanted. */
  close(): Promise<void> {
    this.isEnded = true;
    return this.#source.close();
  }
}

function* readRecords(source: ByteSource): RecordSteps {
  if (!source.has(MAGIC_BYTES) && !(yield MAGIC_BYTES)) {
    throw new CaptureError(0, `Not a capture file: it has ${source.remaining} bytes`);
  }
  const magic = source.uint32(0, false);
  const format = pcapFormat(magic);
  if (format !== null) yield* readPcap(source, format);
  else if (magic === BLOCK_TYPE.SECTION_HEADER) yield* readPcapng(source);
  else throw notACapture(magic);
}

function notACapture(magic: number): CaptureError {
  const other = OTHER_FORMATS.find(([prefix, bits]) => magic >>> (32 - bits) === prefix);
  const digits = magic.toString(16).padStart(8, '0');
  return new CaptureError(0, `Not a pcap or pcapng file: it starts with 0x${digits}`, {
    hint: other?.[2],
  });
}
