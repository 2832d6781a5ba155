/**
 * Packets that the kernel will queue a second time after their verdict.
 *
 * The kernel remembers where a queued packet was by the number of the hook. When a chain is
 * hooked in before ours meanwhile, that number means the hook before ours, and an accepted
 * packet comes through our chain again. It was decided about already: it goes on.
 *
 * @module
 */
import type { Slot } from '../../divert/slot.ts';

/** How long a packet may take to come back: it may be held by handles in between. */
const REMEMBERED_NS = 2_000_000_000n;

export class Repeats {
  /** Packets up to this id come back. */
  readonly #lastId: Int32Array;
  /** Fingerprint -> when each such packet was accepted, oldest first. */
  readonly #expected = new Map<number, bigint[]>();
  #latestNs = 0n;

  /** @param lastId one word, for `shift` to be called in another thread */
  constructor(lastId: Int32Array = new Int32Array(1)) {
    this.#lastId = lastId;
  }

  /** Packets up to `lastId` that were not decided about will come back. */
  shift(lastId: number): void {
    this.#lastId[0] = lastId;
  }

  /**
   * Whether a packet will come back once it is accepted, so that `accepted` is to be told.
   *
   * @param id host byte order
   */
  concerns(id: number): boolean {
    return id <= (this.#lastId[0] ?? 0);
  }

  /**
   * Notes a packet that is being accepted.
   *
   * @param bytes as they are sent
   */
  accepted(bytes: Uint8Array): void {
    this.#latestNs = process.hrtime.bigint();
    const print = fingerprint(bytes, 0, bytes.length);
    const times = this.#expected.get(print) ?? [];
    times.push(this.#latestNs);
    this.#expected.set(print, times);
  }

  /** Whether a packet that came in is one that was accepted before. Says so once for each. */
  take(slot: Slot): boolean {
    if (this.#expected.size === 0) return false;
    if (slot.timestampNs - this.#latestNs >= REMEMBERED_NS) {
      // Those that changed so that they do not match any more never come.
      this.#expected.clear();
      return false;
    }
    const print = fingerprint(slot.memory, slot.offset, slot.length);
    const times = this.#expected.get(print);
    const accepted = times?.shift();
    if (times?.length === 0) this.#expected.delete(print);
    return accepted !== undefined && slot.timestampNs - accepted < REMEMBERED_NS;
  }
}

/** FNV-1a (32 bits) of a packet. */
function fingerprint(memory: Uint8Array, offset: number, length: number): number {
  let hash = 0x811c9dc5;
  for (let index = offset; index < offset + length; index++) {
    hash = Math.imul(hash ^ (memory[index] ?? 0), 0x01000193);
  }
  return hash;
}
