/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A handle whose packets several worker threads have.
 *
 * @module
 */
import {
  invalidParameter,
  type ParamName,
  type ResolvedOptions,
  toFilter,
} from '../divert/options.ts';
import type { QueueLimits } from '../divert/packet-queue.ts';
import { readParam, writeParam } from '../divert/params.ts';
import type { Stats } from '../divert/stats.ts';
import { DivertError } from '../errors.ts';
import type { Filter } from '../filter/index.ts';
import type { SharedChannel } from '../linux/shared-channel.ts';
import { type Command, textOf, type WorkerStart } from './messages.ts';
import type { SetCopies } from './set-copies.ts';
import { checkShareable } from './shareable.ts';
import { sumStats } from './sum-stats.ts';
import { Thread } from './thread.ts';

/** What all workers have in common. Each has its part of the packets in a `NetworkHandle` of its own. */
export class WorkersHandle implements AsyncDisposable {
  readonly #channel: SharedChannel;
  readonly #sets: SetCopies;
  readonly #options: ResolvedOptions;
  readonly #limits: QueueLimits;
  readonly #threads: readonly Thread[];
  /** The kernel tells how many packets each queue got. */
  readonly #isCounted: boolean;
  readonly #loaded: Promise<void>;
  readonly #closed: Promise<void>;
  #onLoaded: () => void = () => {};
  #onClosed: () => void = () => {};
  #onFailure: (error: unknown) => void = () => {};
  #loading: number;
  #running: number;
  #isStarted = false;
  #isShut = false;
  /** Somebody waits for `closed` and will have the error. */
  #isWatched = false;
  #failure: { readonly error: unknown } | undefined;
  #swapping: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #stats: Stats | undefined;

  /** @internal use `openWorkers` */
  constructor(
    channel: SharedChannel,
    options: ResolvedOptions,
    filter: Filter,
    program: Pick<WorkerStart, 'module' | 'workerData'> & { readonly sets: SetCopies },
  ) {
    this.#channel = channel;
    this.#isCounted = channel.isCounted;
    this.#options = options;
    this.#limits = {
      length: options.queueLength,
      timeMs: options.queueTimeMs,
      sizeBytes: options.queueSizeBytes,
    };
    const workers = channel.shares.length;
    this.#loading = this.#running = workers;
    this.#closed = new Promise((resolve, reject) => {
      this.#onClosed = resolve;
      this.#onFailure = reject;
    });
    this.#loaded = new Promise((resolve) => {
      this.#onLoaded = resolve;
    });
    this.#sets = program.sets;
    const common = {
      ...program,
      sets: program.sets.members,
      workers,
      filter: textOf(filter),
      options: cloneable(options),
    };
    this.#threads = channel.shares.map(
      (share, index) =>
        new Thread(
          { ...common, index, share },
          {
            loaded: this.#noteLoaded,
            detached: this.#noteDetached,
            returned: this.#noteReturned,
            failed: (error) => this.#fail(index, error),
            late: () => channel.silence(index),
          },
        ),
    );
    this.#sets.connect((changes) => {
      this.#tell({ type: 'sets', changes }).catch((error: unknown) => this.#breakOff(error));
    });
  }

  /** How many there are. */
  get workers(): number {
    return this.#threads.length;
  }

  /**
   * Settles when everything is closed, whoever began it. Rejects with {@link DivertError} `worker-failed` when a worker
   * threw or exited, which closes all of them. When nobody waits for it, the error comes out of `close`, or ends
   * the process as an unhandled rejection.
   */
  get closed(): Promise<void> {
    this.#isWatched = true;
    return this.#closed;
  }

  /** @internal once: waits for the modules, then lets packets come */
  async start(filter: Filter): Promise<void> {
    try {
      await this.#loaded;
      this.#throwFailure();
      using _prepared = await this.#channel.prepare(filter);
      this.#throwFailure();
      const isExact = this.#channel.install(filter);
      this.#isStarted = true;
      await this.#tell({ type: 'settle', isExact });
      await this.#tell({ type: 'run' });
    } catch (error) {
      this.#sets.close();
      await Promise.all(this.#threads.map((thread) => thread.kill()));
      await this.#channel.close();
      throw error;
    }
    this.#options.signal?.addEventListener('abort', this.#onAbort);
  }

  /**
   * Swaps the filter of all workers without a gap: every packet meets the old one or the new one. What arrives when the
   * promise has resolved meets the new one.
   *
   * @throws {@link FilterError} when the text is wrong; nothing changed then
   */
  async setFilter(filter: string | Filter): Promise<void> {
    this.#checkOpen();
    const { layer, language } = this.#options;
    const compiled = toFilter(filter, layer, language);
    checkShareable(compiled, filter, this.#options);
    const swapped = this.#swapping.then(() => this.#swap(compiled));
    // The next one does not care how this one ended.
    this.#swapping = swapped.catch(() => {});
    return swapped;
  }

  getParam(name: ParamName): number {
    return readParam(this.#limits, name);
  }

  /**
   * Sets a parameter of each worker's queue. It holds when the workers get to it.
   *
   * @throws {@link DivertError} `invalid-parameter` out of range, or for a version
   */
  setParam(name: ParamName, value: number): void {
    writeParam(this.#limits, name, value);
    this.#tell({ type: 'setParam', name, value }).catch(() => {});
  }

  /** Every packet of all workers accounted for; `waitMs` is that of the worker where packets waited longest. */
  async stats(): Promise<Stats> {
    if (this.#stats) return this.#stats;
    const { matched } = this.#channel.counters();
    await this.#tell({ type: 'stats' });
    return this.#stats ?? this.#sum(matched, false);
  }

  /**
   * The counters of each worker. `matched` are the packets queued for it; `offered`, which concerns all, is 0.
   */
  async workerStats(): Promise<readonly Stats[]> {
    if (!this.#stats) await this.#tell({ type: 'stats' });
    return this.#parts();
  }

  /**
   * 'receive': nothing new is diverted, what is queued can still be received by the workers, which then end.
   * 'send': sends fail from now on.
   */
  async shutdown(how: 'receive' | 'send' | 'both'): Promise<void> {
    this.#checkOpen();
    if (how !== 'receive' && how !== 'send' && how !== 'both') {
      throw invalidParameter(`shutdown(${JSON.stringify(how)}).`, "'receive', 'send' or 'both'.");
    }
    if (how !== 'send') {
      this.#isShut = true;
      this.#channel.remove();
    }
    await this.#tell({ type: 'shutdown', how });
  }

  /**
   * Ends the handle as that of `open` does, waits for the functions of the workers to end (a worker that takes more than
   * 5 seconds is stopped), and ends the threads. Idempotent.
   *
   * @throws {@link DivertError} `worker-failed` when a worker threw, unless `closed` says so
   */
  async close(): Promise<void> {
    if (!this.#isWatched) this.#closed.catch(() => {});
    await this.#end();
    if (this.#isWatched) return;
    this.#isWatched = true;
    this.#throwFailure();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #end(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#sets.close();
    try {
      this.#channel.remove();
      await Promise.all(this.#threads.map((thread) => thread.end()));
      await this.#channel.close();
      this.#stats = this.#sum(this.#channel.counters().matched, true);
    } catch (error) {
      this.#failure ??= { error };
    }
    if (this.#failure) this.#onFailure(this.#failure.error);
    else this.#onClosed();
  }

  async #swap(filter: Filter): Promise<void> {
    this.#checkOpen();
    using _prepared = await this.#channel.prepare(filter);
    await this.#tell({ type: 'expect', filter: textOf(filter) });
    this.#checkOpen();
    let isExact: boolean;
    try {
      isExact = this.#channel.replace(filter);
    } catch (error) {
      await this.#tell({ type: 'cancel' });
      throw error;
    }
    await this.#tell({ type: 'settle', isExact });
  }

  async #tell(command: Command): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.ask(command)));
  }

  #parts(): Stats[] {
    return this.#threads.flatMap(({ stats }) => stats ?? []);
  }

  /** @param matchedBefore by the rules, when the workers were not yet asked */
  #sum(matchedBefore: number, isFinal: boolean): Stats {
    const parts = this.#parts();
    const { offered, matched } = this.#channel.counters();
    const add = (of: (part: Stats) => number): number =>
      parts.reduce((sum, part) => sum + of(part), 0);
    const isCounted = this.#isCounted;
    const { onOverload, onExit } = this.#options;
    const queued = add((part) => part.matched);
    const skipped = onOverload === 'pass' && isCounted ? Math.max(0, matchedBefore - queued) : 0;
    const { left } = this.#channel;
    const bypassed = onExit === 'pass' ? skipped + left : skipped;
    const dropped = onExit === 'drop' ? left : 0;
    const unread = matched - left - add((part) => part.received + part.passed);
    const missing = isFinal && !isCounted ? Math.max(0, unread) : 0;
    return sumStats(parts, { offered, matched, bypassed, dropped, missing });
  }

  #checkOpen(): void {
    if (this.#closing) throw new DivertError('closed', 'The handle is closed.');
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }

  readonly #onAbort = (): void => {
    void this.#end();
  };

  readonly #noteLoaded = (): void => {
    if (--this.#loading === 0) this.#onLoaded();
  };

  readonly #noteDetached = (): void => {
    if (this.#isShut || this.#closing) return;
    this.shutdown('receive').catch((error: unknown) => this.#breakOff(error));
  };

  readonly #noteReturned = (): void => {
    this.#running--;
    // After a shutdown each worker may finish what it has.
    if (!this.#isShut || this.#running === 0) void this.#end();
  };

  #fail(index: number, cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `Worker ${index} of ${this.workers} failed: ${reason}`;
    this.#breakOff(new DivertError('worker-failed', message, { cause }));
  }

  #breakOff(error: unknown): void {
    this.#failure ??= { error };
    this.#onLoaded();
    if (this.#isStarted) void this.#end();
  }
}

/** What can be copied to another thread, and means something there. */
function cloneable(options: ResolvedOptions): ResolvedOptions {
  const { dialect } = options.language;
  return { ...options, signal: undefined, language: { dialect, sets: undefined } };
}
