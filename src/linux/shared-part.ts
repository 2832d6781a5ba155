/**
 * One thread's part of a handle whose rules another thread has.
 *
 * @module
 */
import { NetworkHandle } from '../divert/network-handle.ts';
import { invalidParameter, type ResolvedOptions } from '../divert/options.ts';
import type { Filter } from '../filter/index.ts';
import type { ChannelRules } from './channel-rules.ts';
import { LinuxNetworkChannel } from './network-channel.ts';
import { QueueCounters } from './nfqueue/queue-counters.ts';
import { Repeats } from './nfqueue/repeats.ts';
import type { RuleCounters } from './nftables/rule.ts';
import { Residual } from './residual.ts';
import type { ChannelShare } from './shared-channel.ts';

export class SharedPart {
  readonly handle: NetworkHandle;
  readonly #counters: QueueCounters;
  readonly #residual: Residual;

  /** @param onDetached the handle was shut down in this thread */
  constructor(
    filter: Filter,
    options: ResolvedOptions,
    share: ChannelShare,
    onDetached: () => void,
  ) {
    const { fd, queueNumber, repeatsThrough } = share;
    const counters = new QueueCounters(queueNumber, options.namespace);
    this.#counters = counters;
    this.#residual = new Residual(filter);
    const channel = new LinuxNetworkChannel(options, {
      rules: new OthersRules(counters, onDetached),
      queue: { fd, number: queueNumber, counters, close: async () => counters.close(false) },
      repeats: new Repeats(repeatsThrough),
      residual: this.#residual,
    });
    this.handle = new NetworkHandle(channel, options);
  }

  /** The other thread is about to swap the rules. */
  expect(filter: Filter): void {
    this.#residual.expect(filter);
  }

  /** It could not. */
  cancel(): void {
    this.#residual.cancel();
  }

  /**
   * Rules are installed.
   *
   * @param isExact the programs decide everything
   */
  settle(isExact: boolean): void {
    this.#residual.settle(isExact, this.#counters.isReadable ? this.#counters.lastId() : null);
  }
}

/** Rules of another thread. */
class OthersRules implements ChannelRules {
  readonly attribution = null;
  readonly #counters: QueueCounters;
  readonly #onDetached: () => void;

  constructor(counters: QueueCounters, onDetached: () => void) {
    this.#counters = counters;
    this.#onDetached = onDetached;
  }

  /** What was queued for this thread; the rules' own counters are those of all. */
  counters(): RuleCounters {
    return { offered: 0, matched: this.#counters.lastId() };
  }

  replace(): boolean {
    throw invalidParameter(
      'setFilter() in a worker: the filter is that of all workers.',
      'Call setFilter() of what openWorkers() returned.',
    );
  }

  remove(): void {
    this.#onDetached();
  }

  /** The other thread did, before anything was queued. */
  prepareInjection(): void {}

  close(): void {}

  async release(): Promise<void> {}
}
