/**
 * A handle on the flow layer of this machine's kernel. TCP is reported by the kernel alone; of UDP and
 * ICMP it reports the beginning, and the end is worked out here from its table of flows.
 *
 * @module
 */
import type { ChannelListener, EventChannel, EventCounters } from '../../divert/backend.ts';
import type { DivertEvent } from '../../divert/event.ts';
import type { ResolvedEventOptions } from '../../divert/event-options.ts';
import { decodeFlowEvent } from '../../divert/event-record.ts';
import type { Filter } from '../../filter/index.ts';
import { EVENT_RECORD, SOCKET_EVENT } from '../../packet/event-layout.ts';
import type { BpfMap } from '../bpf/map.ts';
import { closeAll } from '../close-all.ts';
import { EventRing, type Residual } from '../events/event-ring.ts';
import { createResidual } from '../events/residual.ts';
import { ChannelSets } from '../filter-sets.ts';
import { namespaceCookie } from '../namespace-cookie.ts';
import { createStorage, SocketTracker } from '../sockets/tracker.ts';
import { FlowTable } from './flow-table.ts';
import { FlowHooks } from './hooks.ts';
import { RELEASED_NOTE } from './layout.ts';

/** As `bpftool prog` and `bpftool map` show it, 15 letters at most: whose it is. */
const KERNEL_NAME = `ndivert_${process.pid}`;

/** Sockets that go at about the same time are looked up in the table together. */
const RELEASE_DELAY_MS = 10;
/** Share of the time that looking through the table may take: a tenth. */
const PASS_SHARE = 10;
/** How often silence is looked for, as part of how long it may last, in these limits. */
const SWEEP = { parts: 8, minimumMs: 20, maximumMs: 5000 } as const;
const NS_PER_MS = 1_000_000n;

/** Reports flows. */
export class FlowChannel implements EventChannel {
  readonly #options: ResolvedEventOptions;
  readonly #namespaceCookie: bigint;
  readonly #tracker: SocketTracker;
  readonly #hooks = new FlowHooks(KERNEL_NAME);
  readonly #sets = new ChannelSets(KERNEL_NAME);
  readonly #closers: (() => void)[] = [];
  readonly #records: BpfMap;
  readonly #table: FlowTable;
  readonly #ring: EventRing;
  /** Ends that were noticed here and wait to be read. */
  #ended: DivertEvent[] = [];
  #matches: Residual = () => false;
  #matchedHere = 0;
  #listener: ChannelListener | undefined;
  #sweepTimer: NodeJS.Timeout | undefined;
  #releaseTimer: NodeJS.Timeout | undefined;
  #deliverTimer: NodeJS.Immediate | undefined;
  #releaseDelayMs = RELEASE_DELAY_MS;
  #isAttached = true;
  #isOpen = true;

  /** @throws {@link UnsupportedError} naming the missing capability or kernel feature */
  constructor(filter: Filter, options: ResolvedEventOptions) {
    this.#options = options;
    this.#namespaceCookie = namespaceCookie(options.namespace);
    try {
      this.#tracker = SocketTracker.acquire();
      this.#closers.push(() => this.#tracker.release());
      this.#records = this.#keep(createStorage(SOCKET_EVENT.BYTES));
      this.#table = this.#keep(new FlowTable(KERNEL_NAME));
      this.#ring = this.#keep(new EventRing(KERNEL_NAME, options.queueSizeBytes, this.#onRecord));
      this.#keep(this.#sets);
      this.#keep(this.#hooks);
      this.#useFilter(filter);
    } catch (error) {
      this.#free();
      throw error;
    }
  }

  start(listener: ChannelListener): void {
    this.#listener = listener;
    this.#ring.start(listener);
    const { parts, minimumMs, maximumMs } = SWEEP;
    const partMs = this.#options.flowTimeoutMs / parts;
    const intervalMs = Math.min(Math.max(partMs, minimumMs), maximumMs);
    this.#sweepTimer = setInterval(this.#onTime, intervalMs).unref();
  }

  read(budget: number, sink: (event: DivertEvent) => void): boolean {
    const isMore = this.#ring.read(budget, sink);
    if (!this.#isAttached && !isMore && this.#table.hasReleased) this.#endFlows();
    for (const event of this.#ended.splice(0, budget)) sink(event);
    return isMore || this.#ended.length > 0;
  }

  setFilter(filter: Filter): void {
    if (this.#isAttached) this.#useFilter(filter);
  }

  detach(): void {
    if (!this.#isAttached) return;
    this.#isAttached = false;
    this.#hooks.close();
    clearInterval(this.#sweepTimer);
    clearTimeout(this.#releaseTimer);
  }

  counters(): EventCounters {
    const counters = this.#ring.counters();
    return { ...counters, matched: counters.matched + this.#matchedHere };
  }

  async close(): Promise<void> {
    this.detach();
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearImmediate(this.#deliverTimer);
    this.#free();
  }

  #keep<T extends { close(): void }>(resource: T): T {
    this.#closers.push(() => resource.close());
    return resource;
  }

  #free(): void {
    closeAll(this.#closers.reverse());
  }

  #useFilter(filter: Filter): void {
    const ring = this.#ring;
    this.#sets.swap(filter, (sets) =>
      this.#hooks.apply({
        tests: filter.tests,
        sets,
        generation: ring.nextGeneration(),
        namespaceCookie: this.#namespaceCookie,
        sink: { ringFd: ring.fd, countersFd: ring.countersFd },
        ownersFd: this.#tracker.maps.storageFd,
        recordsFd: this.#records.fd,
        flowsFd: this.#table.fd,
      }),
    );
    this.#matches = createResidual(filter);
    ring.useFilter(null);
  }

  readonly #onRecord = (record: DataView, sink: (event: DivertEvent) => void): void => {
    if ((record.getUint8(EVENT_RECORD.NOTES) & RELEASED_NOTE) === 0) {
      sink(decodeFlowEvent(record));
      return;
    }
    const cookie = record.getBigUint64(SOCKET_EVENT.ENDPOINT_ID, true);
    this.#table.release(cookie, record.getBigUint64(EVENT_RECORD.TIMESTAMP, true));
    if (!this.#isAttached || this.#releaseTimer !== undefined) return;
    this.#releaseTimer = setTimeout(this.#onTime, this.#releaseDelayMs);
  };

  readonly #onTime = (): void => {
    this.#releaseTimer = undefined;
    if (!this.#hooks.hasPackets) return;
    try {
      this.#endFlows();
      this.#deliver();
    } catch (error) {
      this.#listener?.failed(error);
    }
  };

  /** Looks through the table for flows that are over. */
  #endFlows(): void {
    const startMs = performance.now();
    const nowNs = process.hrtime.bigint();
    const timeoutNs = BigInt(this.#options.flowTimeoutMs) * NS_PER_MS;
    this.#table.end(nowNs - timeoutNs, nowNs, (record) => {
      if (!this.#matches(record)) return;
      this.#matchedHere++;
      this.#ended.push(decodeFlowEvent(record));
    });
    const passMs = performance.now() - startMs;
    this.#releaseDelayMs = Math.max(RELEASE_DELAY_MS, passMs * PASS_SHARE);
  }

  /** A part at a time, so that the program takes them as they come. */
  readonly #deliver = (): void => {
    if (!this.#isOpen || this.#ended.length === 0) return;
    this.#listener?.ready();
    if (this.#ended.length > 0) this.#deliverTimer = setImmediate(this.#deliver);
  };
}
