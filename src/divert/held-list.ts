/**
 * Packets that were delivered and not decided about. The kernel keeps them until their verdict;
 * those that are forgotten must not stay for ever.
 *
 * @module
 */
import type { Slot } from './slot.ts';

/** Packets in borrowed memory that may be undecided at a time; `retain` copies are not counted. */
const BORROWED_LIMIT = 1024;
/** Retained packets the kernel keeps for us at a time. */
const RETAINED_LIMIT = 16384;
/** How long the kernel keeps a retained packet. */
const RETAINED_TIME_MS = 60_000;

export class HeldList {
  readonly #forget: (slot: Slot) => void;
  /** A ring of slots in order of delivery, with the serial each had. */
  readonly #slots: (Slot | undefined)[] = new Array(BORROWED_LIMIT);
  readonly #serials = new Float64Array(BORROWED_LIMIT);
  #head = 0;
  #length = 0;
  readonly #retained = new Set<Slot>();

  /** @param forget gets each packet that was held too long; it decides about it and releases it */
  constructor(forget: (slot: Slot) => void) {
    this.#forget = forget;
  }

  /** Notes a delivered packet. */
  add(slot: Slot): void {
    this.#dropDecided();
    if (this.#length === BORROWED_LIMIT) this.#forgetOldest();
    const index = (this.#head + this.#length) & (BORROWED_LIMIT - 1);
    this.#slots[index] = slot;
    this.#serials[index] = slot.serial;
    this.#length++;
  }

  /** Notes a packet that has its own memory now. */
  addRetained(slot: Slot): void {
    if (this.#retained.size >= RETAINED_LIMIT) {
      for (const oldest of this.#retained) {
        this.#retained.delete(oldest);
        if (oldest.undecided) this.#forget(oldest);
        break;
      }
    }
    this.#retained.add(slot);
  }

  /** A retained packet was decided about. */
  removeRetained(slot: Slot): void {
    this.#retained.delete(slot);
  }

  /** Forgets what is held for too long. Returns whether anything is still held. */
  expire(nowMs: number, borrowedTimeMs: number): boolean {
    const oldestBorrowedMs = nowMs - borrowedTimeMs;
    for (;;) {
      this.#dropDecided();
      const oldest = this.#slots[this.#head];
      if (this.#length === 0 || !oldest || oldest.arrivedMs >= oldestBorrowedMs) break;
      this.#forgetOldest();
    }
    for (const slot of this.#retained) {
      if (slot.arrivedMs >= nowMs - RETAINED_TIME_MS) break;
      this.#retained.delete(slot);
      if (slot.undecided) this.#forget(slot);
    }
    return this.#length > 0 || this.#retained.size > 0;
  }

  /** Forgets everything. */
  clear(): void {
    while (this.#length > 0) this.#forgetOldest();
    for (const slot of this.#retained) if (slot.undecided) this.#forget(slot);
    this.#retained.clear();
  }

  #dropDecided(): void {
    while (this.#length > 0) {
      const slot = this.#slots[this.#head];
      if (slot?.undecided && slot.serial === this.#serials[this.#head]) return;
      this.#advance();
    }
  }

  #forgetOldest(): void {
    const slot = this.#slots[this.#head];
    const serial = this.#serials[this.#head];
    this.#advance();
    if (slot?.undecided && slot.serial === serial) this.#forget(slot);
  }

  #advance(): void {
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (BORROWED_LIMIT - 1);
    this.#length--;
  }
}
