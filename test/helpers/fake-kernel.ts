/**
 * A kernel in memory: packets arrive, go through the handles by priority and are delivered.
 * For tests of handles without privileges.
 *
 * @module
 */
import type {
  Backend,
  ChannelCounters,
  ChannelListener,
  NetworkChannel,
} from '../../src/divert/backend.ts';
import type { ResolvedOptions } from '../../src/divert/options.ts';
import { Slot } from '../../src/divert/slot.ts';
import type { Filter } from '../../src/filter/index.ts';
import { ADDRESS_FLAGS } from '../../src/packet/address.ts';

const FLAGS = ADDRESS_FLAGS.IP_CHECKSUM | ADDRESS_FLAGS.TCP_CHECKSUM | ADDRESS_FLAGS.UDP_CHECKSUM;

interface Traveller {
  bytes: Uint8Array;
  /** Channels it has not met yet. */
  ahead: FakeChannel[];
}

export class FakeKernel implements Backend {
  readonly name = 'fake';
  /** What got through, in order. */
  readonly delivered: Uint8Array[] = [];
  readonly #channels: FakeChannel[] = [];

  openNetwork(filter: Filter, options: ResolvedOptions): NetworkChannel {
    const channel = new FakeChannel(this, filter, options);
    this.#channels.push(channel);
    this.#channels.sort((a, b) => b.options.priority - a.options.priority);
    return channel;
  }

  /** Handles that are open. */
  get openChannels(): number {
    return this.#channels.length;
  }

  /** An inbound packet arrives. */
  arrive(bytes: Uint8Array): void {
    this.goOn({ bytes, ahead: [...this.#channels] });
  }

  goOn(traveller: Traveller): void {
    for (let next = traveller.ahead.shift(); next; next = traveller.ahead.shift()) {
      if (next.take(traveller)) return;
    }
    this.delivered.push(traveller.bytes);
  }

  remove(channel: FakeChannel): void {
    const index = this.#channels.indexOf(channel);
    if (index >= 0) this.#channels.splice(index, 1);
  }
}

class FakeChannel implements NetworkChannel {
  readonly options: ResolvedOptions;
  readonly #kernel: FakeKernel;
  #filter: Filter;
  #listener: ChannelListener | undefined;
  #isAttached = true;
  #isScheduled = false;
  readonly #unread: { id: number; traveller: Traveller }[] = [];
  readonly #waiting = new Map<number, Traveller>();
  #verdicts: (() => void)[] = [];
  #offered = 0;
  #matched = 0;
  #dropped = 0;

  constructor(kernel: FakeKernel, filter: Filter, options: ResolvedOptions) {
    this.#kernel = kernel;
    this.#filter = filter;
    this.options = options;
  }

  /** Whether the packet stays here. */
  take(traveller: Traveller): boolean {
    const { layer, mode } = this.options;
    if (!this.#isAttached) return false;
    this.#offered++;
    if (!this.#filter.matches(traveller.bytes, { layer })) return false;
    const id = ++this.#matched;
    if (mode === 'drop') {
      this.#dropped++;
      return true;
    }
    this.#waiting.set(id, traveller);
    this.#unread.push({ id, traveller });
    this.#schedule();
    return true;
  }

  start(listener: ChannelListener): void {
    this.#listener = listener;
  }

  read(budget: number, sink: (slot: Slot) => void): boolean {
    for (const { id, traveller } of this.#unread.splice(0, budget)) {
      const slot = new Slot(traveller.bytes.slice(), { release: () => {} });
      slot.id = id;
      slot.length = traveller.bytes.length;
      slot.originalLength = slot.length;
      slot.flags = FLAGS;
      slot.interfaceIndex = 2;
      slot.timestampNs = process.hrtime.bigint();
      slot.undecided = true;
      sink(slot);
    }
    return this.#unread.length > 0;
  }

  accept(slot: Slot): void {
    this.#decide(slot.id, (traveller) => this.#kernel.goOn(traveller));
  }

  acceptChanged(slot: Slot, bytes: Uint8Array): void {
    const copy = bytes.slice();
    this.#decide(slot.id, ({ ahead }) => this.#kernel.goOn({ bytes: copy, ahead }));
  }

  drop(slot: Slot): void {
    this.#decide(slot.id, () => {});
  }

  flush(): void {
    const verdicts = this.#verdicts;
    this.#verdicts = [];
    for (const verdict of verdicts) verdict();
  }

  inject(bytes: Uint8Array): void {
    this.#kernel.delivered.push(bytes.slice());
  }

  setFilter(filter: Filter): void {
    this.#filter = filter;
  }

  detach(): void {
    this.#isAttached = false;
  }

  counters(): ChannelCounters {
    return {
      offered: this.#offered,
      matched: this.#matched,
      passed: 0,
      bypassed: 0,
      dropped: this.#dropped,
      kernelQueue: 0,
      socketOverrun: 0,
      lateVerdict: 0,
      lateChanged: 0,
      ringFull: 0,
    };
  }

  async close(): Promise<void> {
    this.detach();
    this.#waiting.clear();
    this.#kernel.remove(this);
  }

  #decide(id: number, verdict: (traveller: Traveller) => void): void {
    const traveller = this.#waiting.get(id);
    if (!traveller) throw new Error(`packet ${id} was decided about twice`);
    this.#waiting.delete(id);
    this.#verdicts.push(() => verdict(traveller));
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (this.#unread.length === 0) return;
      this.#listener?.ready();
      this.#schedule();
    });
  }
}
