/**
 * When to read a ring buffer: woken by the kernel while packets are few, by a timer while they are
 * many. A wake-up costs the sender of the packet more than the packet itself: once two follow each
 * other closely, none is asked for until a read finds nothing.
 *
 * @module
 */
import type { ChannelListener } from '../divert/backend.ts';
import type { RingBuffer } from './bpf/ringbuf.ts';
import { type Watcher, watchReadable } from './sys/poll.ts';

/** Between two reads while packets are many. */
const POLL_MS = 1;
/** Wake-ups closer than this mean that packets are many. */
const RAPID_MS = 2;

/** Calls a channel's listener whenever its ring has something. */
export class SniffWakeup {
  readonly #ring: RingBuffer;
  readonly #listener: ChannelListener;
  readonly #watcher: Watcher;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #lastWakeMs = 0;
  #isOpen = true;
  /** Reads by the clock: records are to be taken without asking for a wake-up. */
  isPolling = false;
  /** Set by whoever takes records from the ring. */
  hasTaken = false;

  constructor(ring: RingBuffer, listener: ChannelListener) {
    this.#ring = ring;
    this.#listener = listener;
    this.#watcher = watchReadable(ring.fd, this.#onReadable, listener.failed);
  }

  /** Idempotent. Call it before the ring is closed. */
  close(): void {
    this.#isOpen = false;
    this.#watcher.close();
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
  }

  readonly #onReadable = (): void => {
    const nowMs = performance.now();
    const isRapid = nowMs - this.#lastWakeMs < RAPID_MS;
    this.#lastWakeMs = nowMs;
    this.#listener.ready();
    if (!this.#isOpen || !(isRapid || !this.#ring.isEmpty)) return;
    this.isPolling = true;
    this.#watcher.pause();
    this.#schedule();
  };

  readonly #poll = (): void => {
    this.hasTaken = false;
    try {
      this.#listener.ready();
    } catch (error) {
      this.#listener.failed(error);
      return;
    }
    if (!this.#isOpen) return;
    if (this.hasTaken) this.#schedule();
    else this.#wait();
  };

  #schedule(): void {
    if (this.#ring.isEmpty) this.#timer = setTimeout(this.#poll, POLL_MS);
    else this.#immediate = setImmediate(this.#poll);
  }

  #wait(): void {
    this.isPolling = false;
    this.#ring.rearm();
    this.#watcher.resume();
  }
}
