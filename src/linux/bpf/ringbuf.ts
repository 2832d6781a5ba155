/**
 * The reading end of a BPF ring buffer (`kernel/bpf/ringbuf.c`, Linux 5.8).
 *
 * Three mappings: the consumer's position, which is ours to write; the producer's; the data, which
 * the kernel maps twice in a row so that a record that wraps around lies in one piece. Positions
 * only grow; a record is a header word (length, busy bit, discard bit), a word of the kernel's
 * own, and its bytes, rounded up to 8.
 *
 * Records are copied out, all that are there in one go: one `set` costs less than looking at each
 * in the mapping, the ring is free for new ones at once, and no view of the mapping gets away.
 *
 * @module
 */
import { type Mapping, mapShared, PAGE_BYTES } from '../sys/mmap.ts';
import { BpfMap } from './map.ts';

/** Of each record, in front of its bytes (BPF_RINGBUF_HDR_SZ). */
export const RECORD_HEADER_BYTES = 8;

const DISCARD_BIT = 1 << 30;
const LENGTH_MASK = 0x3fff_ffff;

/** Bytes of a copied record up to the next one, from its header word. */
export function recordBytes(header: number): number {
  return (RECORD_HEADER_BYTES + (header & LENGTH_MASK) + 7) & ~7;
}

/** Whether the program threw a record away after it had reserved it, from its header word. */
export function isDiscarded(header: number): boolean {
  return (header & DISCARD_BIT) !== 0;
}

/** Limits of one {@link RingBuffer.take}. */
export interface TakeLimits {
  /** Records at most. */
  records: number;
  /** Where in the target the first one goes; a multiple of 8. */
  offset: number;
}

/** A ring buffer that this process reads. */
export class RingBuffer implements Disposable {
  /** To be watched for reading, and for programs to write to. */
  readonly fd: number;
  readonly #map: BpfMap;
  readonly #mask: number;
  readonly #consumer: Mapping;
  readonly #producer: Mapping;
  readonly #consumerPosition: BigInt64Array;
  /** Low halves of the positions are enough: no ring is larger than 4 GB. */
  readonly #producerPosition: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  /** Up to where records were taken. */
  #position = 0;
  #isOpen = true;

  /**
   * @param name as for {@link BpfMap}
   * @param sizeBytes a power of two, and a multiple of the page size
   * @throws {@link UnsupportedError} when a capability is missing
   * @throws {@link SystemError} when there is not that much memory
   */
  constructor(name: string, sizeBytes: number) {
    this.#map = new BpfMap({
      name,
      type: 'RINGBUF',
      keyBytes: 0,
      valueBytes: 0,
      maxEntries: sizeBytes,
    });
    this.fd = this.#map.fd;
    this.#mask = sizeBytes - 1;
    let consumer: Mapping | undefined;
    try {
      consumer = mapShared(this.fd, 0, PAGE_BYTES, 'write');
      this.#consumer = consumer;
      this.#producer = mapShared(this.fd, PAGE_BYTES, PAGE_BYTES + 2 * sizeBytes, 'read');
    } catch (error) {
      consumer?.unmap();
      this.#map.close();
      throw error;
    }
    this.#consumerPosition = new BigInt64Array(this.#consumer.buffer, 0, 1);
    this.#producerPosition = new Int32Array(this.#producer.buffer, 0, 1);
    this.#bytes = new Uint8Array(this.#producer.buffer, PAGE_BYTES);
    this.#words = new Int32Array(this.#producer.buffer, PAGE_BYTES);
  }

  /**
   * Copies the oldest finished records, headers included, and gives their room back.
   *
   * A program's record only wakes the watcher when everything before it was given back. So with
   * `quiet` the last record's room is kept until the next call: nothing wakes, and the descriptor
   * stays readable.
   *
   * @param target what they are copied to, up to its end
   * @returns bytes copied; 0 when nothing is there
   */
  take(target: Uint8Array, limits: TakeLimits, quiet: boolean): number {
    if (!this.#isOpen) return 0;
    const start = (this.#position & this.#mask) >>> 0;
    const available = this.#available();
    const room = Math.min(available, target.length - limits.offset);
    let taken = 0;
    let last = 0;
    for (let records = 0; taken < available && records < limits.records; records++) {
      // The busy bit is the sign; once it is gone, the record's bytes are there.
      const header = Atomics.load(this.#words, (start + taken) >>> 2);
      const length = recordBytes(header);
      if (header < 0 || taken + length > room) break;
      last = taken;
      taken += length;
    }
    if (taken > 0) {
      target.set(this.#bytes.subarray(start, start + taken), limits.offset);
      this.#publish(this.#position + (quiet ? last : taken));
      this.#position += taken;
    }
    return taken;
  }

  /** Gives everything back that was taken: the next record wakes the watcher. */
  rearm(): void {
    if (this.#isOpen) this.#publish(this.#position);
  }

  /** Whether there are records, finished or not. */
  get isEmpty(): boolean {
    return !this.#isOpen || this.#available() === 0;
  }

  /** Ends the mappings. Programs that have the ring go on writing to it. Idempotent. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#consumer.unmap();
    this.#producer.unmap();
    this.#map.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #available(): number {
    return (Atomics.load(this.#producerPosition, 0) - (this.#position | 0)) >>> 0;
  }

  #publish(position: number): void {
    Atomics.store(this.#consumerPosition, 0, BigInt(position));
  }
}
