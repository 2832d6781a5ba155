/**
 * A capture over several files: the next one begins when one is large or long enough.
 *
 * @module
 */

import { DivertError } from '../../errors.ts';
import type { CaptureSink } from './capture-sink.ts';
import {
  type CapturePacket,
  type CaptureStatistics,
  type CaptureWriter,
  type CaptureWriterOptions,
  writeCapture,
} from './write-capture.ts';

const NANOSECONDS_PER_MILLISECOND = 1_000_000;
/** A packet's block besides its bytes and comments, its interface and the statistics at the end of the file. */
const OVERHEAD_BYTES = 256;
const MAX_BYTES_PER_CHARACTER = 3;

/** A file of a capture over several. */
export interface CaptureFile {
  /** 0 for the first one, 1 for the next, and so on. */
  readonly number: number;
  /** Which of the ring's places it has: `number` modulo `files`. What was there before is overwritten. */
  readonly place: number;
}

/** When a file is complete. Without `maxBytes`, `maxTimeMs` and `maxPackets` there is one file. */
export interface CaptureRingOptions extends CaptureWriterOptions {
  /** Most bytes of a file; at least one packet is in each. */
  readonly maxBytes?: number;
  /** Most time between the first and the last packet of a file, by their own clock, in milliseconds. */
  readonly maxTimeMs?: number;
  /** Most packets of a file. */
  readonly maxPackets?: number;
  /** Places in the ring. Default: no limit, `place` is `number`. */
  readonly files?: number;
}

/**
 * Starts a capture over several files, each a complete pcapng file.
 *
 * @param open - makes the sink of a file; called for the first one with the first packet, or by `close`
 *   when there was none
 * @returns a writer; its `length` is that of the file that is being written, its `statistics` are for
 *   the last file
 * @throws {@link DivertError} `invalid-parameter` for a limit that is no whole number above 0
 * @example
 * ```ts
 * const writer = writeCaptureRing(({ place }) => createWriteStream(`trace-${place}.pcapng`), {
 *   maxBytes: 100_000_000,
 *   files: 5,
 * });
 * ```
 */
export function writeCaptureRing(
  open: (file: CaptureFile) => CaptureSink | Promise<CaptureSink>,
  options: CaptureRingOptions = {},
): CaptureWriter {
  for (const name of ['maxBytes', 'maxTimeMs', 'maxPackets', 'files'] as const) {
    const value = options[name];
    if (value === undefined || (Number.isInteger(value) && value > 0)) continue;
    throw new DivertError('invalid-parameter', `Option ${name} is ${value}.`, {
      hint: 'It is a whole number above 0.',
    });
  }
  return new CaptureRing(open, options);
}

class CaptureRing implements CaptureWriter {
  readonly #open: (file: CaptureFile) => CaptureSink | Promise<CaptureSink>;
  readonly #options: CaptureRingOptions;
  #writer: CaptureWriter | null = null;
  #opened = 0;
  #packets = 0;
  #firstNs = 0n;
  #statistics: CaptureStatistics[] = [];
  /** One write after the other: a file may have to be opened in between. */
  #tail: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(
    open: (file: CaptureFile) => CaptureSink | Promise<CaptureSink>,
    options: CaptureRingOptions,
  ) {
    this.#open = open;
    this.#options = options;
  }

  get length(): number {
    return this.#writer?.length ?? 0;
  }

  write(packet: CapturePacket): Promise<void> {
    if (this.#closing) {
      return Promise.reject(new DivertError('closed', 'The capture is closed.'));
    }
    // The caller may reuse its bytes at once.
    const own = { ...packet, bytes: new Uint8Array(packet.bytes) };
    return this.#enqueue(() => this.#write(own));
  }

  statistics(statistics: CaptureStatistics): void {
    this.#statistics.push(statistics);
  }

  flush(): Promise<void> {
    return this.#enqueue(async () => this.#writer?.flush());
  }

  close(): Promise<void> {
    this.#closing ??= this.#enqueue(async () => {
      const writer = this.#writer ?? (await this.#openNext());
      for (const statistics of this.#statistics) writer.statistics(statistics);
      await writer.close();
    });
    return this.#closing;
  }

  #enqueue(action: () => Promise<void>): Promise<void> {
    this.#tail = this.#tail.then(action);
    // Whoever waits for it is told, and everybody after.
    this.#tail.catch(() => {});
    return this.#tail;
  }

  async #write(packet: CapturePacket): Promise<void> {
    if (this.#writer !== null && this.#isComplete(packet)) {
      const writer = this.#writer;
      this.#writer = null;
      await writer.close();
    }
    if (this.#writer === null) {
      this.#writer = await this.#openNext();
      this.#packets = 0;
      this.#firstNs = packet.timestampNs;
    }
    this.#packets++;
    await this.#writer.write(packet);
  }

  async #openNext(): Promise<CaptureWriter> {
    const number = this.#opened++;
    const place = number % (this.#options.files ?? Number.POSITIVE_INFINITY);
    return writeCapture(await this.#open({ number, place }), this.#options);
  }

  /** Whether the file takes no other packet. */
  #isComplete(packet: CapturePacket): boolean {
    const { maxBytes, maxPackets, maxTimeMs } = this.#options;
    if (maxPackets !== undefined && this.#packets >= maxPackets) return true;
    if (maxBytes !== undefined && this.length + mostBytes(packet) > maxBytes) return true;
    if (maxTimeMs === undefined) return false;
    const lastedNs = packet.timestampNs - this.#firstNs;
    return lastedNs >= BigInt(maxTimeMs * NANOSECONDS_PER_MILLISECOND);
  }
}

/** What a packet may add to a file. */
function mostBytes({ bytes, comments = [] }: CapturePacket): number {
  let characters = 0;
  for (const comment of comments) characters += comment.length + 4;
  return OVERHEAD_BYTES + bytes.length + characters * MAX_BYTES_PER_CHARACTER;
}
