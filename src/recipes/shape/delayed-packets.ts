/**
 * Packets on their way over a slow link, and the one timer that lets them go.
 *
 * @module
 */
import type { Packet } from '../../packet/packet.ts';
import { type Due, DueQueue } from './due-queue.ts';
import type { Link } from './link.ts';

/** A packet that is delayed. */
export interface DelayedPacket extends Due {
  readonly packet: Packet;
  readonly link: Link;
  readonly isDuplicated: boolean;
  /** The kernel holds it for us; else it is put in anew. */
  readonly isHeld: boolean;
}

/** A timer for longer fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export class DelayedPackets {
  readonly #queue = new DueQueue<DelayedPacket>();
  readonly #leave: (delayed: DelayedPacket) => void;
  #timer: NodeJS.Timeout | undefined;
  #timerMs = Number.POSITIVE_INFINITY;

  /** @param leave gets each packet when it is due, never before */
  constructor(leave: (delayed: DelayedPacket) => void) {
    this.#leave = leave;
  }

  get length(): number {
    return this.#queue.length;
  }

  add(delayed: DelayedPacket): void {
    this.#queue.push(delayed);
    if (delayed.dueMs < this.#timerMs) this.#arm(performance.now());
  }

  /** Lets all go now, in their order. */
  release(): void {
    this.#disarm();
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) this.#leave(next);
  }

  readonly #onTimer = (): void => {
    this.#disarm();
    const nowMs = performance.now();
    for (let next = this.#queue.first(); next; next = this.#queue.first()) {
      if (next.dueMs > nowMs) break;
      this.#queue.shift();
      this.#leave(next);
    }
    this.#arm(nowMs);
  };

  #arm(nowMs: number): void {
    const first = this.#queue.first();
    if (!first) return;
    this.#disarm();
    this.#timerMs = first.dueMs;
    // It may be late already, and Node.js warns of negative times.
    const waitMs = Math.max(0, Math.min(Math.ceil(first.dueMs - nowMs), TIMER_MS_MAX));
    this.#timer = setTimeout(this.#onTimer, waitMs);
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timerMs = Number.POSITIVE_INFINITY;
  }
}
