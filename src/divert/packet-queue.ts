/**
 * Packets or events that wait for `receive`, with WinDivert's limits: length, bytes and time.
 *
 * @module
 */
import type { Slot } from './slot.ts';

/** Why a packet left the queue without being received. */
export type EvictionCause = 'queueFull' | 'expired' | 'tooBig';

export interface QueueLimits {
  length: number;
  timeMs: number;
  sizeBytes: number;
}

/** What the queue looks at. */
export interface QueueItem {
  readonly originalLength: number;
  arrivedMs: number;
}

export class PacketQueue<Item extends QueueItem = Slot> {
  readonly limits: QueueLimits;
  readonly #evict: (item: Item, cause: EvictionCause) => void;
  /** A ring; its size is a power of two and grows with need. */
  #ring: (Item | undefined)[] = new Array(256);
  #head = 0;
  #length = 0;
  #bytes = 0;

  /** @param evict gets each packet that is pushed out; it decides about it and releases it */
  constructor(limits: QueueLimits, evict: (item: Item, cause: EvictionCause) => void) {
    this.limits = limits;
    this.#evict = evict;
  }

  get length(): number {
    return this.#length;
  }

  /** Adds a packet; a full queue loses its oldest. */
  push(item: Item): void {
    const { length, sizeBytes } = this.limits;
    if (item.originalLength > sizeBytes) {
      this.#evict(item, 'tooBig');
      return;
    }
    while (this.#length >= length || this.#bytes + item.originalLength > sizeBytes) {
      const oldest = this.#take();
      if (!oldest) break;
      this.#evict(oldest, 'queueFull');
    }
    if (this.#length === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#length) & (this.#ring.length - 1)] = item;
    this.#length++;
    this.#bytes += item.originalLength;
  }

  /** Drops packets that waited too long. */
  expire(nowMs: number): void {
    const oldestAllowedMs = nowMs - this.limits.timeMs;
    for (;;) {
      const oldest = this.#ring[this.#head];
      if (this.#length === 0 || !oldest || oldest.arrivedMs >= oldestAllowedMs) return;
      this.#take();
      this.#evict(oldest, 'expired');
    }
  }

  /** The oldest packet, or undefined. */
  shift(): Item | undefined {
    return this.#take();
  }

  #take(): Item | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#length--;
    this.#bytes -= item?.originalLength ?? 0;
    return item;
  }

  #grow(): void {
    const ordered = Array.from(
      { length: this.#length },
      (_, index) => this.#ring[(this.#head + index) & (this.#ring.length - 1)],
    );
    ordered.length = this.#ring.length * 2;
    this.#ring = ordered;
    this.#head = 0;
  }
}
