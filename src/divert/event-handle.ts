/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Handles on the event layers: they only receive.
 *
 * @module
 */
import { DivertError } from '../errors.ts';
import type { Filter } from '../filter/index.ts';
import type { EventChannel } from './backend.ts';
import type { DivertEvent, FlowEvent, ReflectEvent, SocketEvent } from './event.ts';
import type { ResolvedEventOptions } from './event-options.ts';
import { FilterSwaps } from './filter-swaps.ts';
import type { ReceiveOptions } from './network-handle.ts';
import { invalidParameter, type ParamName, toFilter } from './options.ts';
import { PacketQueue, type QueueItem, type QueueLimits } from './packet-queue.ts';
import { readParam, writeParam } from './params.ts';
import { TurnClock } from './turn-clock.ts';
import { WaitHistogram, type WaitStats } from './wait-histogram.ts';
import { Waiters } from './waiters.ts';

/** Events read from the kernel before the program gets its turn. */
const READ_BUDGET = 255;
/** What one counts for queueSizeBytes: an address of WinDivert and its kernel's bookkeeping. */
const EVENT_BYTES = 256;

/** Counters of a handle on an event layer: `received = delivered + queued + lost.total`. */
export interface EventStats {
  /** Events the filter's programs matched in the kernel. */
  matched: number;
  /** Of those, let go because the exact check in user space says no. */
  passed: number;
  /** Events that match the filter. */
  received: number;
  /** Handed to the program. */
  delivered: number;
  /** Waiting for `receive` now. */
  queued: number;
  /** How long delivered events had waited in the handle's queue. */
  waitMs: WaitStats;
  lost: EventLostStats;
}

/** Events lost, by cause. */
export interface EventLostStats {
  /** Oldest event of a full queue (queueLength or queueSizeBytes). */
  queueFull: number;
  /** Waited longer than queueTimeMs. */
  expired: number;
  /** The ring buffer was full: the program did not read for too long. */
  ringFull: number;
  /** Flows not noticed because the kernel's table of flows was full. */
  tableFull: number;
  total: number;
}

interface WaitingEvent<Event> extends QueueItem {
  readonly event: Event;
}

/** What flow, socket and reflect handles have in common. */
export class EventHandle<Event extends DivertEvent>
  implements AsyncIterable<Event>, AsyncDisposable
{
  readonly #channel: EventChannel;
  readonly #options: ResolvedEventOptions;
  readonly #swaps: FilterSwaps;
  readonly #limits: QueueLimits;
  readonly #queue: PacketQueue<WaitingEvent<Event>>;
  readonly #waiters = new Waiters();
  readonly #clock = new TurnClock();
  readonly #waits = new WaitHistogram();
  readonly #evicted = { queueFull: 0, expired: 0, tooBig: 0 };
  #read = 0;
  #delivered = 0;
  #receiveShut = false;
  #failure: { error: unknown } | undefined;
  #closing: Promise<void> | undefined;

  /** @internal use `open` */
  constructor(channel: EventChannel, options: ResolvedEventOptions) {
    this.#channel = channel;
    this.#options = options;
    this.#swaps = new FilterSwaps(channel, () => this.#checkOpen());
    this.#limits = {
      length: options.queueLength,
      timeMs: options.queueTimeMs,
      sizeBytes: options.queueSizeBytes,
    };
    this.#queue = new PacketQueue(this.#limits, (_, cause) => {
      this.#evicted[cause]++;
    });
    options.signal?.addEventListener('abort', this.#onAbort);
    channel.start({ ready: this.#onReady, failed: this.#onFailed });
  }

  /**
   * The next event, waiting for it if need be.
   *
   * @returns null once the handle is shut down or closed and nothing is queued, or when
   * `options.signal` aborts
   * @throws {@link DivertError} `invalid-parameter` on a handle with mode 'drop', which receives nothing
   */
  async receive(options: ReceiveOptions = {}): Promise<Event | null> {
    if (this.#options.mode === 'drop') {
      throw invalidParameter("A handle with mode 'drop' receives nothing.");
    }
    while (!options.signal?.aborted) {
      const event = this.receiveQueued();
      if (event) return event;
      if (this.#isEnded()) return null;
      await this.#waiters.wait(options.signal);
    }
    return null;
  }

  /** @internal the next event that is there now, undefined when none is */
  receiveQueued(): Event | undefined {
    this.#queue.expire(this.#clock.now());
    const waiting = this.#queue.shift();
    if (!waiting) return undefined;
    this.#delivered++;
    this.#waits.add(this.#clock.now() - waiting.arrivedMs);
    return waiting.event;
  }

  /** Receives until the handle is shut down. Leaving the loop leaves the handle open. */
  [Symbol.asyncIterator](): AsyncIterator<Event, undefined> {
    return {
      next: async (): Promise<IteratorResult<Event, undefined>> => {
        const event = await this.receive();
        return event ? { done: false, value: event } : { done: true, value: undefined };
      },
    };
  }

  /** Swaps the filter as that of a network handle: every event meets the old one or the new one. */
  async setFilter(filter: string | Filter): Promise<void> {
    this.#checkOpen();
    const { layer, language } = this.#options;
    await this.#swaps.swap(toFilter(filter, layer, language));
  }

  getParam(name: ParamName): number {
    return readParam(this.#limits, name);
  }

  /** @throws {@link DivertError} `invalid-parameter` out of range, or for a version */
  setParam(name: ParamName, value: number): void {
    writeParam(this.#limits, name, value);
  }

  /** Every event accounted for. */
  stats(): EventStats {
    const { matched, passed, ringFull, tableFull } = this.#channel.counters();
    const { queueFull, expired, tooBig } = this.#evicted;
    const unread = ringFull + tableFull;
    return {
      matched,
      passed,
      received: this.#read + unread,
      delivered: this.#delivered,
      queued: this.#queue.length,
      waitMs: this.#waits.read(),
      lost: {
        queueFull: queueFull + tooBig,
        expired,
        ringFull,
        tableFull,
        total: queueFull + tooBig + expired + unread,
      },
    };
  }

  /**
   * Nothing new is reported, or blocked; what is queued can still be received, then null.
   *
   * @param how 'receive' or 'both'; there is no sending to shut
   */
  shutdown(how: 'receive' | 'send' | 'both'): void {
    this.#checkOpen();
    if (how !== 'receive' && how !== 'send' && how !== 'both') {
      throw invalidParameter(`shutdown(${JSON.stringify(how)}).`, "'receive', 'send' or 'both'.");
    }
    if (how !== 'send') this.#shutReceive();
  }

  /** Ends the handle: waiting receives end, nothing is blocked any more. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #checkOpen(): void {
    if (this.#closing) throw new DivertError('closed', 'The handle is closed.');
  }

  /** Whether nothing more will be received; throws when that is because of a failure. */
  #isEnded(): boolean {
    if (this.#failure) throw this.#failure.error;
    return this.#receiveShut || this.#closing !== undefined;
  }

  readonly #onAbort = (): void => {
    this.close().catch(this.#onFailed);
  };

  readonly #onFailed = (error: unknown): void => {
    if (this.#failure) return;
    this.#failure = { error };
    this.#waiters.wake();
    // What closing could complain about has the same reason.
    this.close().catch(() => {});
  };

  readonly #onReady = (): void => {
    this.#channel.read(READ_BUDGET, this.#onEvent);
    this.#queue.expire(this.#clock.now());
    if (this.#queue.length > 0) this.#waiters.wake();
  };

  readonly #onEvent = (event: DivertEvent): void => {
    this.#read++;
    this.#queue.push({
      originalLength: EVENT_BYTES,
      arrivedMs: this.#clock.now(),
      // The layer of the handle, and so of its channel, decides the type of its events.
      event: event as Event,
    });
  };

  #shutReceive(): void {
    if (this.#receiveShut) return;
    this.#channel.detach();
    while (this.#channel.read(READ_BUDGET, this.#onEvent));
    this.#receiveShut = true;
    this.#waiters.wake();
  }

  async #close(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    try {
      this.#shutReceive();
    } finally {
      this.#waiters.wake();
      await this.#channel.close();
    }
  }
}

/** Reports the beginning and end of flows. */
export class FlowHandle extends EventHandle<FlowEvent> {}

/** Reports, and blocks, operations on sockets. */
export class SocketHandle extends EventHandle<SocketEvent> {}

/** Reports handles that are opened and closed. */
export class ReflectHandle extends EventHandle<ReflectEvent> {}
