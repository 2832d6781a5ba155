/**
 * The reflect layer on Linux: handles of all processes, as they are opened and closed.
 *
 * Whoever opens or closes a handle runs this channel's program, which puts the event into its ring.
 * What nobody can say any more (a process was killed), may say (it lacks CAP_SYS_ADMIN) or could say at
 * that moment (too many open files) shows in the maps that stand for handles: they are looked through
 * when a process ends, and regularly.
 *
 * @module
 */
import type { ChannelListener, EventChannel, EventCounters } from '../divert/backend.ts';
import type { DivertEvent } from '../divert/event.ts';
import type { ResolvedEventOptions } from '../divert/event-options.ts';
import { decodeReflectEvent } from '../divert/event-record.ts';
import type { Filter } from '../filter/index.ts';
import { EVENT_RECORD, REFLECT_EVENT } from '../packet/event-layout.ts';
import { BpfMap } from './bpf/map.ts';
import { hasMap, nextMapId } from './bpf/object-ids.ts';
import { EventRing, type Residual } from './events/event-ring.ts';
import {
  handleIdOf,
  isHandleRecord,
  MAX_RECORD_BYTES,
  processIdOf,
  REFLECT_EVENT_NUMBER,
  stampRecord,
  viewOf,
} from './registry/handle-record.ts';
import { type KnownHandle, KnownHandles } from './registry/known-handles.ts';
import {
  failUnseen,
  MapWalk,
  REGISTRY_PREFIX,
  WATCH_PREFIX,
  walkRefused,
} from './registry/map-walk.ts';
import { ProcessWatch } from './registry/process-watch.ts';
import {
  isMatched,
  judgeRecord,
  loadPublishProgram,
  type PublishProgram,
} from './registry/publish-program.ts';
import { createReflectResidual } from './registry/reflect-residual.ts';

/** As `bpftool prog` and `bpftool map` show it, 15 letters at most: whose it is. */
const KERNEL_NAME = `ndivert_${process.pid}`;
const KEY: Uint8Array = new Uint8Array(4);
const PROGRAM_ID_BYTES = 4;
/** Room for several of the longest records. */
const MIN_RING_BYTES = 8 * MAX_RECORD_BYTES;
/** The ring is read in chunks of 256 of these: enough for the longest records. */
const USUAL_RECORD_BYTES = 1024;
const READ_BUDGET = 256;
/** Between two looks at the maps. */
const LOOK_MS = 50;
/** Handles whose maps are looked for at a time; finding one gone is the exception. */
const LOOK_HANDLES = 64;

export class ReflectChannel implements EventChannel {
  readonly #ring: EventRing;
  readonly #watch: BpfMap;
  readonly #walk = new MapWalk(REGISTRY_PREFIX);
  readonly #known = new KnownHandles();
  readonly #processes: ProcessWatch;
  readonly #timer: NodeJS.Timeout;
  readonly #openedAt: bigint = process.hrtime.bigint();
  /** By generation of the filter; those that the program decides alone have none. */
  readonly #residuals = new Map<number, Residual>();
  #generation = 0;
  #program: PublishProgram;
  #pending: DivertEvent[] = [];
  #passed = 0;
  #listener: ChannelListener | undefined;
  #isAttached = true;

  /** @throws {@link UnsupportedError} naming the missing capability or kernel feature */
  constructor(filter: Filter, options: ResolvedEventOptions) {
    if (nextMapId(0) === null) throw walkRefused('open a reflect handle');
    const ringBytes = Math.max(options.queueSizeBytes, MIN_RING_BYTES);
    this.#ring = new EventRing(KERNEL_NAME, ringBytes, this.#onRecord, USUAL_RECORD_BYTES);
    this.#processes = new ProcessWatch(this.#onProcessEnd, this.#onFailed);
    let program: PublishProgram | undefined;
    let watch: BpfMap | undefined;
    try {
      program = this.#load(filter);
      this.#program = program;
      watch = createWatch();
      this.#watch = watch;
      this.#announce(program, filter);
      // From here on others publish; what was open before comes first.
      this.#look(failUnseen);
    } catch (error) {
      watch?.close();
      program?.close();
      this.#processes.close();
      this.#ring.close();
      throw error;
    }
    this.#timer = setInterval(this.#onTimer, LOOK_MS).unref();
  }

  start(listener: ChannelListener): void {
    this.#listener = listener;
    this.#ring.start(listener);
    setImmediate(this.#deliver);
  }

  read(budget: number, sink: (event: DivertEvent) => void): boolean {
    const hasMore = this.#ring.read(budget, ignore);
    const events = this.#pending;
    this.#pending = [];
    for (const event of events) sink(event);
    return hasMore;
  }

  setFilter(filter: Filter): void {
    if (!this.#isAttached) return;
    const before = this.#program;
    const program = this.#load(filter);
    try {
      this.#announce(program, filter);
    } catch (error) {
      program.close();
      throw error;
    }
    // Whoever opened it just now runs it to its end; whoever only knows its number asks again.
    before.close();
  }

  detach(): void {
    if (!this.#isAttached) return;
    this.#isAttached = false;
    clearInterval(this.#timer);
    this.#watch.close();
    this.#program.close();
    this.#processes.close();
  }

  counters(): EventCounters {
    return { ...this.#ring.counters(), passed: this.#passed };
  }

  async close(): Promise<void> {
    this.detach();
    this.#ring.close();
  }

  #load(filter: Filter): PublishProgram {
    const { fd, countersFd } = this.#ring;
    const target = { ringFd: fd, countersFd, generation: this.#generation + 1 };
    return loadPublishProgram(filter, target, KERNEL_NAME);
  }

  /** From here on others run this program. */
  #announce(program: PublishProgram, filter: Filter): void {
    const value = new Uint8Array(PROGRAM_ID_BYTES);
    viewOf(value).setUint32(0, program.id, true);
    this.#watch.update(KEY, value);
    this.#program = program;
    this.#generation += 1;
    if (!program.exact) this.#residuals.set(this.#generation, createReflectResidual(filter));
  }

  readonly #onRecord = (record: DataView): void => {
    const handleId = handleIdOf(record);
    const isOpen = record.getUint8(EVENT_RECORD.EVENT) === REFLECT_EVENT_NUMBER.OPEN;
    if (!isOpen && this.#isUnheardOf(handleId, record)) this.#makeUpOpening(handleId, record);
    const isNews = isOpen ? this.#noteOpen(handleId, copyOf(record)) : this.#noteClose(handleId);
    if (!isMatched(record)) return;
    const generation = record.getUint32(EVENT_RECORD.GENERATION, true);
    this.#keepIf(isNews && this.#isMatch(generation, record), record);
  };

  #isMatch(generation: number, record: DataView): boolean {
    return this.#residuals.get(generation)?.(record) ?? true;
  }

  #keepIf(isWanted: boolean, record: DataView): void {
    if (isWanted) this.#pending.push(decodeReflectEvent(record));
    else this.#passed++;
  }

  #noteOpen(mapId: number, record: Uint8Array): boolean {
    // What the maps say is newer.
    if (this.#known.has(handleIdOf(viewOf(record)))) return false;
    const isNews = this.#known.open(mapId, record);
    if (isNews) this.#processes.add(processIdOf(viewOf(record)));
    return isNews;
  }

  /** Whether it is closed, and nobody could say before that it is open. */
  #isUnheardOf(handleId: number, record: DataView): boolean {
    if (!this.#isAttached || this.#known.has(handleId) || this.#known.wasClosed(handleId)) {
      return false;
    }
    if (record.getBigInt64(EVENT_RECORD.TIMESTAMP, true) < this.#openedAt) return false;
    return this.#ring.counters().ringFull === 0;
  }

  #makeUpOpening(handleId: number, record: DataView): void {
    const opening = copyOf(record);
    this.#known.open(handleId, opening);
    this.#report(opening, REFLECT_EVENT_NUMBER.OPEN, openedAt(opening));
  }

  #noteClose(handleId: number): boolean {
    const handle = this.#known.close(handleId);
    // Otherwise it was reported already, or its opening got lost: that is counted.
    if (!handle) return this.#ring.counters().ringFull > 0;
    if (!this.#known.hasProcess(handle.processId)) this.#processes.remove(handle.processId);
    return true;
  }

  /**
   * Finds handles that nobody published.
   *
   * @param onUnseen as for {@link MapWalk.walk}
   */
  #look(onUnseen: (error: unknown) => void): void {
    const found: { id: number; record: Uint8Array }[] = [];
    this.#walk.walk((id, value) => {
      if (isHandleRecord(value)) found.push({ id, record: value });
      // It is not filled yet.
      else this.#walk.lookAgain(id);
    }, onUnseen);
    found.sort((a, b) => Number(openedAt(a.record) - openedAt(b.record)));
    for (const { id, record } of found) {
      if (!this.#known.open(id, record)) continue;
      this.#processes.add(processIdOf(viewOf(record)));
      this.#report(record, REFLECT_EVENT_NUMBER.OPEN);
    }
  }

  /** @returns whether all maps could be looked at: the others are the next time */
  #lookForNew(): boolean {
    let isComplete = true;
    this.#look(() => {
      isComplete = false;
    });
    if (isComplete) this.#known.forgetEnded();
    return isComplete;
  }

  /** Reports those of some handles as closed that have no map any more. */
  #check(handles: readonly KnownHandle[]): void {
    const gone = handles.filter(({ mapId }) => !hasMap(mapId));
    if (gone.length === 0) return;
    // Closed in the regular way, or with another map since the filter was swapped.
    this.#drain();
    if (!this.#lookForNew()) return;
    for (const { handleId, record } of this.#known.stillKnown(gone)) {
      this.#noteClose(handleId);
      this.#report(record, REFLECT_EVENT_NUMBER.CLOSE);
    }
  }

  #drain(): void {
    while (this.#ring.read(READ_BUDGET, ignore));
  }

  #report(record: Uint8Array, event: number, timestampNs?: bigint): void {
    const view = viewOf(record);
    stampRecord(view, event, timestampNs);
    if (!judgeRecord(this.#program.fd, record)) return;
    this.#keepIf(this.#isMatch(this.#generation, view), view);
  }

  readonly #onProcessEnd = (processId: number): void => {
    if (!this.#isAttached) return;
    this.#check(this.#known.ofProcess(processId));
    this.#deliver();
  };

  readonly #onTimer = (): void => {
    try {
      this.#drain();
      this.#lookForNew();
      this.#check(this.#known.next(LOOK_HANDLES));
      this.#deliver();
    } catch (error) {
      this.#onFailed(error);
    }
  };

  readonly #deliver = (): void => {
    if (this.#pending.length > 0) this.#listener?.ready();
  };

  readonly #onFailed = (error: unknown): void => this.#listener?.failed(error);
}

function createWatch(): BpfMap {
  return new BpfMap({
    name: `${WATCH_PREFIX}${process.pid}`,
    type: 'ARRAY',
    keyBytes: KEY.length,
    valueBytes: PROGRAM_ID_BYTES,
    maxEntries: 1,
  });
}

function copyOf(record: DataView): Uint8Array {
  return new Uint8Array(record.buffer, record.byteOffset, record.byteLength).slice();
}

function openedAt(record: Uint8Array): bigint {
  return viewOf(record).getBigInt64(REFLECT_EVENT.OPEN_TIMESTAMP, true);
}

function ignore(): void {}
