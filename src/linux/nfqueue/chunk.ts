/**
 * Receive memory for a number of queue messages and what recvmmsg(2) needs to fill it.
 *
 * Every message has room for the largest packet, so each lies in one piece; pages are only
 * taken when a message reaches into them. The stride is an odd number of cache lines: with
 * a multiple of the page size all message heads would share the same few cache sets.
 *
 * @module
 */
import { Slot, type SlotOwner } from '../../divert/slot.ts';
import { allocate, type Memory } from '../sys/memory.ts';

/** Three chunks are a batch of 255; larger ones save no measurable system call time. */
export const CHUNK_SLOTS = 85;
/** 17 pages hold a message of 65,531 + 160 bytes; 17 more cache lines make the stride odd. */
export const STRIDE_BYTES: number = 17 * 4096 + 17 * 64;

/** struct mmsghdr: struct msghdr (56 bytes) and u32 msg_len. */
const MMSGHDR_BYTES = 64;
const MSG_IOV = 16;
const MSG_IOVLEN = 24;
const MSG_LEN = 56;
/** struct iovec */
const IOVEC_BYTES = 16;

export class Chunk implements SlotOwner {
  readonly memory: Memory = allocate(CHUNK_SLOTS * STRIDE_BYTES);
  readonly slots: readonly Slot[];
  readonly #headers: Memory = allocate(CHUNK_SLOTS * (MMSGHDR_BYTES + IOVEC_BYTES));
  readonly #onFree: (chunk: Chunk) => void;
  /** Slots filled since the chunk was last empty. */
  used = 0;
  /** Filled slots that were not released yet. */
  live = 0;

  /** @param onFree called when the last filled slot is released */
  constructor(onFree: (chunk: Chunk) => void) {
    this.#onFree = onFree;
    this.slots = Array.from({ length: CHUNK_SLOTS }, () => new Slot(this.memory.bytes, this));
    const { view, address } = this.#headers;
    for (let index = 0; index < CHUNK_SLOTS; index++) {
      const header = index * MMSGHDR_BYTES;
      const vector = CHUNK_SLOTS * MMSGHDR_BYTES + index * IOVEC_BYTES;
      const base = this.memory.address + BigInt(index * STRIDE_BYTES);
      view.setBigUint64(vector, base, true);
      view.setBigUint64(vector + 8, BigInt(STRIDE_BYTES), true);
      view.setBigUint64(header + MSG_IOV, address + BigInt(vector), true);
      view.setBigUint64(header + MSG_IOVLEN, 1n, true);
    }
  }

  /** Address of the message headers from slot `index` on, for recvmmsg. */
  headersAt(index: number): Uint8Array {
    return this.#headerViews[index] ?? this.#headers.bytes;
  }

  /** Bytes received into slot `index`. */
  messageLength(index: number): number {
    return this.#headers.words[(index * MMSGHDR_BYTES + MSG_LEN) >> 2] ?? 0;
  }

  release(): void {
    if (--this.live === 0) this.#onFree(this);
  }

  // Made once: a fresh subarray per call costs more than the system call's own overhead.
  readonly #headerViews: readonly Uint8Array[] = Array.from({ length: CHUNK_SLOTS }, (_, index) =>
    this.#headers.bytes.subarray(index * MMSGHDR_BYTES),
  );
}
