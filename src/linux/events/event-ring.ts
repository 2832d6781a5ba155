/**
 * The ring buffer of an event handle: records in, events out.
 *
 * @module
 */
import type { ChannelListener, EventCounters } from '../../divert/backend.ts';
import type { DivertEvent } from '../../divert/event.ts';
import { EVENT_RECORD, SOCKET_EVENT } from '../../packet/event-layout.ts';
import { BpfMap } from '../bpf/map.ts';
import { isDiscarded, RECORD_HEADER_BYTES, RingBuffer, recordBytes } from '../bpf/ringbuf.ts';
import { SniffWakeup } from '../sniff-wakeup.ts';
import { allocate, type Memory } from '../sys/memory.ts';
import { EVENT_COUNTER } from './counter.ts';

/** Records copied out of the ring in one go. */
const RECORDS_AT_ONCE = 256;
/** The kernel wants a multiple of the page size, wherever that is 64 KB too. */
const MIN_RING_BYTES = 65_536;
/** Filters whose records may still be in the ring, at most. */
const KEPT_FILTERS = 256;
const COUNTER_KEY: Uint8Array = new Uint8Array(4);

/** Whether an event that a program let through is one the filter matches. */
export type Residual = (record: DataView) => boolean;

/**
 * Makes events of a record.
 *
 * @param record valid during the call only
 */
export type RecordReader = (record: DataView, sink: (event: DivertEvent) => void) => void;

/** A ring buffer of event records, with the counters that belong to it. */
export class EventRing implements Disposable {
  readonly #ring: RingBuffer;
  readonly #counters: BpfMap;
  readonly #reader: RecordReader;
  readonly #chunk: Memory;
  readonly #limits = { records: 0, offset: 0 };
  /** By generation of the filter; those that are exact in the kernel have none. */
  readonly #residuals = new Map<number, Residual>();
  #wakeup: SniffWakeup | undefined;
  #generation = 0;
  #passed = 0;
  #last: EventCounters = { matched: 0, passed: 0, ringFull: 0, tableFull: 0 };
  #isOpen = true;

  /**
   * @param name of the maps, for listings
   * @param queueSizeBytes of the handle: the ring has as much room
   * @param reader makes events of the records that are left
   * @param largestRecord bytes of a program's longest record
   * @throws {@link UnsupportedError} when a capability is missing
   */
  constructor(
    name: string,
    queueSizeBytes: number,
    reader: RecordReader,
    largestRecord: number = SOCKET_EVENT.BYTES,
  ) {
    this.#reader = reader;
    this.#chunk = allocate(RECORDS_AT_ONCE * recordBytes(largestRecord));
    const ringBytes = 2 ** Math.ceil(Math.log2(Math.max(queueSizeBytes, MIN_RING_BYTES)));
    this.#ring = new RingBuffer(name, ringBytes);
    try {
      this.#counters = new BpfMap({
        name,
        type: 'ARRAY',
        keyBytes: COUNTER_KEY.length,
        valueBytes: EVENT_COUNTER.BYTES,
        maxEntries: 1,
      });
    } catch (error) {
      this.#ring.close();
      throw error;
    }
  }

  /** For programs to write to. */
  get fd(): number {
    return this.#ring.fd;
  }

  /** For programs to count in, {@link EVENT_COUNTER}. */
  get countersFd(): number {
    return this.#counters.fd;
  }

  /** Begins to call the listener. */
  start(listener: ChannelListener): void {
    this.#wakeup = new SniffWakeup(this.#ring, listener);
  }

  /**
   * Number for the programs of a new filter to write into their records. Once they are hooked in,
   * say so with {@link EventRing.useFilter}.
   */
  nextGeneration(): number {
    return this.#generation + 1;
  }

  /**
   * Takes a new filter into use; records of its predecessors are still judged by theirs.
   *
   * @param residual decides what its programs could not; null when they are exact
   */
  useFilter(residual: Residual | null): void {
    this.#generation += 1;
    this.#residuals.delete(this.#generation - KEPT_FILTERS);
    if (residual) this.#residuals.set(this.#generation, residual);
  }

  /**
   * Reads what is there, `budget` records at most.
   *
   * @returns whether there may be more
   */
  read(budget: number, sink: (event: DivertEvent) => void): boolean {
    const limits = this.#limits;
    const quiet = this.#wakeup?.isPolling ?? false;
    let left = budget;
    while (left > 0) {
      limits.records = Math.min(left, RECORDS_AT_ONCE);
      const bytes = this.#ring.take(this.#chunk.bytes, limits, quiet);
      if (bytes === 0) return false;
      if (this.#wakeup) this.#wakeup.hasTaken = true;
      left -= this.#hand(bytes, sink);
    }
    return true;
  }

  /** What was counted so far; stays readable after `close`. */
  counters(): EventCounters {
    const value = this.#isOpen ? this.#counters.lookup(COUNTER_KEY) : null;
    if (value) {
      const view = new DataView(value.buffer, value.byteOffset);
      const count = (offset: number): number => Number(view.getBigUint64(offset, true));
      this.#last = {
        matched: count(EVENT_COUNTER.MATCHED),
        passed: this.#passed,
        ringFull: count(EVENT_COUNTER.RING_FULL),
        tableFull: count(EVENT_COUNTER.TABLE_FULL),
      };
    }
    return { ...this.#last, passed: this.#passed };
  }

  /** Idempotent. */
  close(): void {
    if (!this.#isOpen) return;
    try {
      this.counters();
    } catch {
      // What was read last stays.
    }
    this.#isOpen = false;
    this.#wakeup?.close();
    this.#ring.close();
    this.#counters.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Hands on what was copied; returns how many records that were. */
  #hand(bytes: number, sink: (event: DivertEvent) => void): number {
    const { view } = this.#chunk;
    let records = 0;
    for (let at = 0; at < bytes; records++) {
      const header = view.getUint32(at, true);
      const start = at + RECORD_HEADER_BYTES;
      at += recordBytes(header);
      if (isDiscarded(header)) continue;
      const record = new DataView(view.buffer, view.byteOffset + start, at - start);
      if (this.#matches(record)) this.#reader(record, sink);
      else this.#passed++;
    }
    return records;
  }

  #matches(record: DataView): boolean {
    const residual = this.#residuals.get(record.getUint32(EVENT_RECORD.GENERATION, true));
    return residual === undefined || residual(record);
  }
}
