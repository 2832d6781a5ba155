/**
 * When to read a queue: woken by the kernel while packets are few, turn by turn while they are many.
 *
 * A descriptor that is watched costs the sender of every packet, even while its reader is busy. So
 * once a wake-up closely follows another one, or finds many packets, the watching stops, and every turn of the
 * event loop looks for itself until some turns find nothing.
 *
 * @module
 */
import type { ChannelListener } from '../../divert/backend.ts';
import { type Watcher, watchReadable } from '../sys/poll.ts';

/** Wake-ups closer than this mean that packets are many. */
const RAPID_MS = 0.05;
/** So do as many packets at once. */
const MANY_PACKETS = 8;
/** Turns without a packet after which the watching begins again. */
const IDLE_TURNS = 4;

/** Calls a channel's listener whenever its queue may have packets. */
export class QueueWakeup {
  readonly #listener: ChannelListener;
  readonly #watcher: Watcher;
  readonly #countPackets: () => number;
  #immediate: NodeJS.Immediate | undefined;
  #lastWakeMs = 0;
  #idleTurns = 0;
  #isOpen = true;

  /** @param countPackets packets read so far */
  constructor(fd: number, listener: ChannelListener, countPackets: () => number) {
    this.#listener = listener;
    this.#countPackets = countPackets;
    this.#watcher = watchReadable(fd, this.#onReadable, listener.failed);
  }

  /** Idempotent. Call it before the descriptor is closed. */
  close(): void {
    this.#isOpen = false;
    this.#watcher.close();
    clearImmediate(this.#immediate);
  }

  readonly #onReadable = (): void => {
    const nowMs = performance.now();
    const isRapid = nowMs - this.#lastWakeMs < RAPID_MS;
    this.#lastWakeMs = nowMs;
    const before = this.#countPackets();
    this.#listener.ready();
    if (!this.#isOpen || !(isRapid || this.#countPackets() - before >= MANY_PACKETS)) return;
    this.#idleTurns = 0;
    this.#watcher.pause();
    this.#immediate = setImmediate(this.#poll);
  };

  readonly #poll = (): void => {
    const before = this.#countPackets();
    try {
      this.#listener.ready();
    } catch (error) {
      this.#listener.failed(error);
      return;
    }
    if (!this.#isOpen) return;
    this.#idleTurns = this.#countPackets() > before ? 0 : this.#idleTurns + 1;
    if (this.#idleTurns < IDLE_TURNS) this.#immediate = setImmediate(this.#poll);
    else this.#watcher.resume();
  };
}
