/**
 * Memory that records are copied into, and the slots of the packets in it.
 *
 * It is ordinary memory: a packet's bytes stay what they are until its slot is released, and a
 * view that is kept for longer never reaches into a mapping that is gone.
 *
 * @module
 */
import { Slot, type SlotOwner } from '../divert/slot.ts';
import { allocate, type Memory } from './sys/memory.ts';

/** Three largest packets, or 1,800 of 64 bytes: small enough to stay in a processor's cache. */
export const CHUNK_BYTES: number = 256 << 10;
/** Free chunks kept: what a full queue of a handle needs, so that a steady load makes none. */
const SPARE_CHUNKS = 16;

/** One block and its slots. */
export class SniffChunk implements SlotOwner {
  readonly memory: Memory = allocate(CHUNK_BYTES);
  /** The same memory for 64-bit numbers. */
  readonly longs: BigInt64Array = new BigInt64Array(this.memory.bytes.buffer);
  readonly #slots: Slot[] = [];
  readonly #onFree: (chunk: SniffChunk) => void;
  #usedSlots = 0;
  /** Bytes filled since the chunk was last empty. */
  used = 0;
  /** Slots that were not released yet, and one more while the chunk is being filled. */
  #live = 0;

  /** @param onFree called when the last slot is released; the chunk is empty then */
  constructor(onFree: (chunk: SniffChunk) => void) {
    this.#onFree = onFree;
  }

  /** A slot for a packet in this memory, to be released. */
  nextSlot(): Slot {
    let slot = this.#slots[this.#usedSlots];
    if (!slot) {
      slot = new Slot(this.memory.bytes, this);
      this.#slots.push(slot);
    }
    this.#usedSlots++;
    this.#live++;
    return slot;
  }

  /** Keeps the chunk from becoming free until `release`. */
  retain(): void {
    this.#live++;
  }

  release(): void {
    if (--this.#live > 0) return;
    this.#usedSlots = 0;
    this.used = 0;
    this.#onFree(this);
  }
}

/** The chunks of one channel. */
export class SniffChunks {
  readonly #spare: SniffChunk[] = [];
  #current: SniffChunk = this.#create();

  /** A chunk with at least that much room, to be filled from `used` on. */
  withRoom(bytes: number): SniffChunk {
    if (CHUNK_BYTES - this.#current.used < bytes) {
      this.#current = this.#spare.pop() ?? this.#create();
    }
    return this.#current;
  }

  #create(): SniffChunk {
    return new SniffChunk((chunk) => {
      if (chunk !== this.#current && this.#spare.length < SPARE_CHUNKS) this.#spare.push(chunk);
    });
  }
}
