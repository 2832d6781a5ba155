import { CaptureError } from '../errors.ts';

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

/**
 * Hands out exact numbers of bytes from chunks of any size and knows the offset in the file. Holds
 * no more than one record and one chunk.
 *
 * @internal
 */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #current: Uint8Array;
  #position = 0;
  #offset = 0;

  constructor(input: CaptureInput) {
    this.#current = input instanceof Uint8Array ? input : new Uint8Array(0);
    this.#chunks = iterate(input);
  }

  /** Bytes from the start of the file to the next one to be read. */
  get offset(): number {
    return this.#offset;
  }

  /** Waits until `length` bytes can be taken; false when the file ends before. */
  async has(length: number): Promise<boolean> {
    let available = this.#current.length - this.#position;
    if (available >= length) return true;
    const parts = [this.#current.subarray(this.#position)];
    while (available < length) {
      const next = await this.#chunks.next();
      if (next.done === true) break;
      parts.push(next.value);
      available += next.value.length;
    }
    this.#current = concatenate(parts, available);
    this.#position = 0;
    return available >= length;
  }

  /** Bytes left in the file when `has` said no. */
  get remaining(): number {
    return this.#current.length - this.#position;
  }

  /** A view of the next bytes, without taking them. Only after `has(length)` said yes. */
  peek(length: number): Uint8Array {
    return this.#current.subarray(this.#position, this.#position + length);
  }

  /** A view of the next bytes. Only after `has(length)` said yes. */
  take(length: number): Uint8Array {
    const bytes = this.peek(length);
    this.#position += length;
    this.#offset += length;
    return bytes;
  }

  /** Passes over any number of bytes without holding them; false when the file ends before. */
  async skip(length: number): Promise<boolean> {
    let left = length;
    while (left > 0) {
      if (this.remaining === 0 && !(await this.has(1))) return false;
      const step = Math.min(left, this.remaining);
      this.take(step);
      left -= step;
    }
    return true;
  }

  /** Tells the producer that no more is wanted. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
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
  if (chunk instanceof Uint8Array) return chunk;
  throw new TypeError(`"input" expected chunks of Uint8Array, got ${typeof chunk}`);
}

function concatenate(parts: readonly Uint8Array[], length: number): Uint8Array {
  const result = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/** The error of a file that ends inside `what`, which started at `start`. @internal */
export function truncated(what: string, start: number, source: ByteSource): CaptureError {
  const end = source.offset + source.remaining;
  return new CaptureError(start, `The capture file is truncated: ${what} ends after byte ${end}`, {
    hint: 'Everything before it was read. The program that wrote the file was probably stopped.',
  });
}
