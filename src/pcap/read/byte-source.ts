import { CaptureError } from '../../errors.ts';

/** What capture files are read from: all bytes at once, or chunks as they come. */
export type CaptureInput =
  | Uint8Array
  | AsyncIterable<Uint8Array>
  | { getReader(): ChunkReader; readonly locked: boolean };

/** The part of a web stream's reader that is used. */
export interface ChunkReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(reason?: unknown): Promise<void>;
}

const NO_BYTES = new Uint8Array(0);

/**
 * Hands out exact numbers of bytes from chunks of any size and knows the offset in the file. Holds
 * no more than one record and one chunk. What it handed out is not written to again.
 *
 * @internal
 */
export class ByteSource {
  readonly #input: CaptureInput;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #current: Uint8Array;
  #view: DataView;
  #position = 0;
  #offset = 0;
  #isWaiting = false;

  constructor(input: CaptureInput) {
    this.#input = input;
    this.#current = input instanceof Uint8Array ? plain(input) : NO_BYTES;
    this.#view = viewOf(this.#current);
    this.#chunks = iterate(input);
  }

  /** Bytes from the start of the file to the next one to be read. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes that can be taken without waiting. */
  get remaining(): number {
    return this.#current.length - this.#position;
  }

  /** Whether `length` bytes can be taken without waiting. */
  has(length: number): boolean {
    return this.#current.length - this.#position >= length;
  }

  /** Waits until `length` bytes can be taken; false when the file ends before. */
  async fill(length: number): Promise<boolean> {
    let available = this.remaining;
    if (available >= length) return true;
    const parts = available > 0 ? [this.#current.subarray(this.#position)] : [];
    this.#isWaiting = true;
    try {
      while (available < length) {
        const next = await this.#chunks.next();
        if (next.done === true) break;
        if (next.value.length === 0) continue;
        parts.push(next.value);
        available += next.value.length;
      }
    } finally {
      this.#isWaiting = false;
      this.#current = concatenate(parts, available);
      this.#view = viewOf(this.#current);
      this.#position = 0;
    }
    return available >= length;
  }

  /** A number `at` bytes ahead, without taking it. Only within what `has` said yes to. */
  uint32(at: number, littleEndian: boolean): number {
    return this.#view.getUint32(this.#position + at, littleEndian);
  }

  /** As `uint32`. */
  uint16(at: number, littleEndian: boolean): number {
    return this.#view.getUint16(this.#position + at, littleEndian);
  }

  /** A view of bytes ahead, without taking them. Only within what `has` said yes to. */
  peek(from: number, to: number): Uint8Array {
    return this.#current.subarray(this.#position + from, this.#position + to);
  }

  /** Passes over bytes. Only after `has(length)` said yes. */
  skip(length: number): void {
    this.#position += length;
    this.#offset += length;
  }

  /** Tells the producer that no more is wanted. Does not wait for one that is silent. */
  async close(): Promise<void> {
    const ended = this.#chunks.return?.();
    if (this.#isWaiting) ended?.catch(() => {});
    else await ended;
    // An iterator that was never asked, or that waits, does not pass it on.
    for (const end of ['destroy', 'cancel'] as const) {
      const method: unknown = Reflect.get(this.#input, end);
      if (typeof method === 'function')
        await Promise.resolve(method.call(this.#input)).catch(() => {});
    }
  }
}

async function* iterate(input: CaptureInput): AsyncGenerator<Uint8Array, void> {
  if (input instanceof Uint8Array) return;
  if (Symbol.asyncIterator in input) {
    for await (const chunk of input) yield checkChunk(chunk);
    return;
  }
  // Web streams of some browsers cannot be iterated.
  const reader = input.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      yield checkChunk(next.value);
    }
  } finally {
    await reader.cancel();
  }
}

function checkChunk(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return plain(chunk);
  throw new TypeError(`"input" expected chunks of Uint8Array, got ${typeof chunk}`);
}

/** Node's Buffers are Uint8Arrays whose `slice` does not copy: records shall not be such. */
function plain(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function concatenate(parts: readonly Uint8Array[], length: number): Uint8Array {
  const [first = NO_BYTES] = parts;
  if (parts.length <= 1) return first;
  const result = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/** @internal */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The error of a file that ends inside `what`, which started at `start`. @internal */
export function truncated(what: string, start: number, source: ByteSource): CaptureError {
  const end = source.offset + source.remaining;
  return new CaptureError(start, `The capture file is truncated: ${what} ends after byte ${end}`, {
    hint: 'Everything before it was read. The program that wrote the file was probably stopped.',
  });
}

/** The error of a record or block at `start` that cannot be as it is. @internal */
export function corrupt(start: number, what: string): CaptureError {
  return new CaptureError(start, `The capture file is corrupt: ${what}`, {
    hint: 'Everything before it was read.',
  });
}
