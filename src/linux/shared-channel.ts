/**
 * What the threads of one handle have in common: rules, of one thread, and a queue for each.
 *
 * @module
 */
import type { ResolvedOptions } from '../divert/options.ts';
import type { Filter } from '../filter/index.ts';
import { OwnRules } from './channel-rules.ts';
import { closeInTurn } from './close-all.ts';
import { prepareSets } from './filter-sets.ts';
import { openQueues, type Queue } from './nfqueue/queue.ts';
import { VerdictWriter } from './nfqueue/verdicts.ts';
import type { RuleCounters } from './nftables/rule.ts';
import { type Registration, registerHandle } from './registry/registration.ts';

/** One thread's part of a shared channel, as it is handed to that thread. */
export interface ChannelShare {
  /** Descriptor of the queue's socket, which stays the first thread's to close. */
  readonly fd: number;
  readonly queueNumber: number;
  /** Id of the last packet that will come through its chain again. */
  readonly repeatsThrough: Int32Array;
}

export class SharedChannel {
  readonly shares: readonly ChannelShare[];
  readonly #options: ResolvedOptions;
  readonly #rules: OwnRules;
  readonly #queues: readonly [Queue, ...Queue[]];
  #registration: Registration | undefined;
  #closing: Promise<void> | undefined;
  #left = 0;

  /**
   * Binds the queues. Nothing comes to them before `install`.
   *
   * @throws {@link UnsupportedError} naming the missing capability or kernel feature
   */
  constructor(options: ResolvedOptions, count: number) {
    this.#options = options;
    this.#rules = new OwnRules(options);
    try {
      const { namespace, onOverload, largePackets } = options;
      this.#queues = openQueues(
        { namespace, failOpen: onOverload === 'pass', largePackets },
        count,
      );
    } catch (error) {
      void this.#rules.release();
      throw error;
    }
    this.shares = this.#queues.map(({ fd, number }) => ({
      fd,
      queueNumber: number,
      repeatsThrough: new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)),
    }));
  }

  /** Whether the kernel tells how many packets each queue got. */
  get isCounted(): boolean {
    return this.#queues[0].counters.isReadable;
  }

  /** As `Backend.prepare`. */
  prepare(filter: Filter): Promise<Disposable> | undefined {
    return prepareSets(filter);
  }

  /**
   * From now on packets that match come to the queues.
   *
   * @returns whether the programs decide everything
   */
  install(filter: Filter): boolean {
    const queues = { first: this.#queues[0].number, count: this.#queues.length };
    // The threads cannot ask for it while they inject.
    if (this.#options.access === 'both') this.#rules.prepareInjection();
    const isExact = this.#rules.install(filter, queues, this.#noteShift);
    this.#registration = registerHandle(this.#options, filter);
    return isExact;
  }

  /** Swaps the rules, as {@link OwnRules.replace} does. */
  replace(filter: Filter): boolean {
    const isExact = this.#rules.replace(filter);
    this.#registration?.update(filter);
    return isExact;
  }

  counters(): RuleCounters {
    return this.#rules.counters();
  }

  /** Nothing new comes to the queues. Idempotent. */
  remove(): void {
    this.#rules.remove();
  }

  /** Once nothing new comes: a thread's socket has nothing to read any more. */
  silence(index: number): void {
    this.#queues[index]?.discard();
  }

  /** Packets that no thread had decided about when all were closed. They went where `onExit` says. */
  get left(): number {
    return this.#left;
  }

  /** When no thread reads any more. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await closeInTurn([
      () => this.#registration?.close(),
      () => this.#rules.remove(),
      () => this.#queues.forEach(this.#leave),
      () => Promise.all(this.#queues.map((queue) => queue.close())),
      () => this.#rules.close(),
      () => this.#rules.release(),
    ]);
  }

  /** A thread that ended before the others left packets behind: the kernel drops those without a verdict. */
  readonly #leave = ({ fd, number, counters }: Queue): void => {
    const waiting = counters.waiting();
    if (waiting === 0) return;
    this.#left += waiting;
    if (this.#options.onExit === 'drop') return;
    const verdicts = new VerdictWriter(fd, number);
    verdicts.acceptThrough(counters.lastId());
    verdicts.flush();
  };

  /** What waits in the queues now comes again once it is accepted. */
  readonly #noteShift = (): void => {
    this.#queues.forEach(({ counters }, index) => {
      const through = counters.isReadable ? counters.lastId() : this.counters().matched;
      const share = this.shares[index];
      if (share) Atomics.store(share.repeatsThrough, 0, through);
    });
  };
}
