/**
 * What a handle needs of a system that holds packets: the kernel, a capture file, or an
 * imitation for tests.
 *
 * @module
 */
import type { Filter } from '../filter/index.ts';
import type { Address } from '../packet/address.ts';
import type { DivertEvent, HandleInfo } from './event.ts';
import type { ResolvedEventOptions } from './event-options.ts';
import type { ResolvedOptions } from './options.ts';
import type { Slot } from './slot.ts';

/** Where handles get their packets. */
export interface Backend {
  /** For messages, e.g. 'linux'. */
  readonly name: string;
  /**
   * Does beforehand what a filter needs and what takes long, without holding up the program. Opening and swapping without it
   * works as well.
   *
   * @internal
   * @returns undefined when there is nothing; to be disposed of when the channel has the filter
   */
  prepare?(filter: Filter): Promise<Disposable> | undefined;
  /** @internal */
  openNetwork(filter: Filter, options: ResolvedOptions): NetworkChannel;
  /** @internal absent: there are no handles but this program's own. */
  listHandles?(): HandleInfo[];
  /** @internal absent: the backend has packets only. */
  openEvents?(filter: Filter, options: ResolvedEventOptions): EventChannel;
}

/** What a channel tells its handle. Neither may throw. */
export interface ChannelListener {
  /** Packets can be read. Called again while that is so. */
  ready(): void;
  /** The channel broke; it delivers nothing any more. */
  failed(error: unknown): void;
  /** Everything was read and nothing more comes; a paced channel's input has an end. */
  ended?(): void;
}

/** What the kernel counts for a channel. */
export interface ChannelCounters {
  offered: number;
  matched: number;
  passed: number;
  /** Let go on unread by `onOverload: 'pass'`, because the kernel's queue or its socket was full. */
  bypassed: number;
  /** Dropped in the kernel by mode 'drop'. */
  dropped: number;
  kernelQueue: number;
  socketOverrun: number;
  /** Sent, but the kernel had given them up. */
  lateVerdict: number;
  /** Of those, changed. */
  lateChanged: number;
  /** Not copied in mode 'sniff' because the ring buffer was full. */
  ringFull: number;
}

/**
 * One handle's packets on the network or forward layer. Verdicts are collected; `flush` hands
 * them over. A slot is the handle's from `read` on until it calls `slot.release()`.
 *
 * @internal
 */
export interface NetworkChannel {
  /** When everything it wants to know beforehand is there; absent: at once. Never rejects. */
  readonly ready?: Promise<unknown> | undefined;
  /**
   * Packets wait in the channel until the program asks for them, as those in a file do: the handle reads
   * only then, and neither its queue's limits nor time lose any.
   */
  readonly isPaced?: boolean;
  /** Begins to call the listener. */
  start(listener: ChannelListener): void;
  /**
   * Reads what is there, about `budget` packets at most.
   *
   * @param sink gets each packet
   * @returns whether there may be more
   */
  read(budget: number, sink: (slot: Slot) => void): boolean;
  accept(slot: Slot): void;
  acceptChanged(slot: Slot, bytes: Uint8Array): void;
  drop(slot: Slot): void;
  flush(): void;
  /** Resolves when what was flushed went on its way, where that takes time. */
  drained?(): Promise<void>;
  /** Puts a new packet in. */
  inject(bytes: Uint8Array, address: Address): void;
  /** As {@link Backend.prepare}. */
  prepare?(filter: Filter): Promise<Disposable> | undefined;
  /** Swaps the filter: every packet meets the old or the new one. */
  setFilter(filter: Filter): void;
  /** Nothing new is matched from here on; what was, can still be read. Idempotent. */
  detach(): void;
  counters(): ChannelCounters;
  /** Ends everything; packets without a verdict are dropped. Idempotent. */
  close(): Promise<void>;
}

/** What the kernel counts for a channel of events. */
export interface EventCounters {
  /** Events the filter matched. */
  matched: number;
  /** Of those, let go because the exact check in user space says no. */
  passed: number;
  /** Not reported because the ring buffer was full. */
  ringFull: number;
  /** Flows not noticed because the table of flows was full. */
  tableFull: number;
}

/**
 * One handle's events on the flow, socket or reflect layer.
 *
 * @internal
 */
export interface EventChannel {
  /** Begins to call the listener. */
  start(listener: ChannelListener): void;
  /**
   * Reads what is there, about `budget` events at most.
   *
   * @returns whether there may be more
   */
  read(budget: number, sink: (event: DivertEvent) => void): boolean;
  /** As {@link Backend.prepare}. */
  prepare?(filter: Filter): Promise<Disposable> | undefined;
  /** Swaps the filter: every event meets the old or the new one. */
  setFilter(filter: Filter): void;
  /** Nothing new is reported or blocked from here on; what was, can still be read. Idempotent. */
  detach(): void;
  counters(): EventCounters;
  /** Ends everything. Idempotent. */
  close(): Promise<void>;
}
