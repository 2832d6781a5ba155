/**
 * A filter as programs in nf_tables rules: what has a channel's packets queued.
 *
 * @module
 */
import type { ResolvedOptions } from '../divert/options.ts';
import type { Filter } from '../filter/index.ts';
import { QueueAttribution, wantsProcess } from './attribution/attribution.ts';
import { loadProgram, type Program } from './bpf/program.ts';
import { closeAll } from './close-all.ts';
import { ChannelSets, type FilterSetMaps } from './filter-sets.ts';
import { prepareFragments } from './fragments.ts';
import { compileForHooks, type HookOptions, type HookProgram, hookPriority } from './hooks.ts';
import { lastChains } from './inject/last-chains.ts';
import { NF } from './nftables/constants.ts';
import type { RuleAction, RuleCounters, RuleSpec } from './nftables/rule.ts';
import type { RuleGroup } from './nftables/rule-group.ts';
import { Ruleset } from './nftables/ruleset.ts';

/** As `bpftool prog` shows it, 15 letters at most: whose it is. */
export const PROGRAM_NAME: string = `ndivert_${process.pid}`;

/** What a channel asks of its rules, which may be another thread's. */
export interface ChannelRules {
  /** Whose packets are, when somebody wants to know. */
  readonly attribution: QueueAttribution | null;
  counters(): RuleCounters;
  /**
   * Swaps the rules without a gap: every packet meets the old or the new ones.
   *
   * @returns whether the programs decide everything, but for packets with very many IPv6 extension headers
   */
  replace(filter: Filter): boolean;
  /** Nothing new is queued from here on. Idempotent. */
  remove(): void;
  /** To be called before packets are injected. */
  prepareInjection(): void;
  /** After the queues were closed. */
  close(): void;
  /** Last of all: the table may go with it. */
  release(): Promise<void>;
}

/** The queues of a channel: one, or several in a row among which flows are spread. */
export interface QueueRange {
  readonly first: number;
  readonly count: number;
}

/** Rules of this thread. */
export class OwnRules implements ChannelRules {
  readonly #options: ResolvedOptions;
  readonly #ruleset: Ruleset;
  readonly #sets = new ChannelSets(PROGRAM_NAME);
  #queues: QueueRange = { first: 0, count: 0 };
  #group: RuleGroup | undefined;
  #attribution: QueueAttribution | null = null;

  /**
   * Installs nothing yet. Call `release` when done.
   *
   * @throws {@link UnsupportedError} naming the missing capability or kernel feature
   */
  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#ruleset = Ruleset.acquire(options.namespace);
  }

  get attribution(): QueueAttribution | null {
    return this.#attribution;
  }

  /**
   * Has packets that match queued.
   *
   * @param onShifted as for {@link Ruleset.install}
   * @returns as `replace`
   */
  install(filter: Filter, queues: QueueRange, onShifted: () => void): boolean {
    this.#queues = queues;
    return this.#withRules(filter, (rules) => {
      this.#group = this.#ruleset.install(rules, onShifted);
    });
  }

  replace(filter: Filter): boolean {
    return this.#withRules(filter, (rules) => this.#group?.replace(rules));
  }

  counters(): RuleCounters {
    return this.#group?.counters() ?? { offered: 0, matched: 0 };
  }

  remove(): void {
    this.#group?.remove();
  }

  prepareInjection(): void {
    this.#ruleset.addLastChains(lastChains());
  }

  close(): void {
    closeAll([
      () => this.#group?.close(),
      () => this.#sets.close(),
      () => this.#attribution?.close(),
    ]);
  }

  release(): Promise<void> {
    return this.#ruleset.release();
  }

  #withRules(filter: Filter, use: (rules: readonly RuleSpec[]) => void): boolean {
    return this.#sets.swap(filter, (sets) => this.#withPrograms(filter, sets, use));
  }

  /** Loads the programs of a filter for as long as `use` needs their descriptors; rules keep them. */
  #withPrograms(
    filter: Filter,
    sets: FilterSetMaps['maps'],
    use: (rules: readonly RuleSpec[]) => void,
  ): boolean {
    const hooks = this.#compile(filter, sets);
    const isExact = hooks.every(({ program }) => program.exact);
    const { first, count } = this.#queues;
    const action: RuleAction =
      this.#options.mode === 'drop' && isExact
        ? { kind: 'verdict', code: NF.DROP }
        : { kind: 'queue', queueNumber: first, queues: count };
    const priority = hookPriority(this.#options.priority);
    const programs: Program[] = [];
    try {
      const rules = hooks.map(({ hook, conditions, program }): RuleSpec => {
        const loaded = loadProgram(program.instructions, { name: PROGRAM_NAME });
        programs.push(loaded);
        return { hook, priority, conditions, programFd: loaded.fd, action };
      });
      use(rules);
      return isExact;
    } finally {
      for (const program of programs) program.close();
    }
  }

  #compile(filter: Filter, sets: FilterSetMaps['maps']): HookProgram[] {
    const { access, priority, fragments, largePackets } = this.#options;
    if (access === 'send') return [];
    prepareFragments(this.#ruleset, filter, this.#options);
    if (wantsProcess(filter, this.#options)) {
      this.#attribution ??= new QueueAttribution(PROGRAM_NAME, this.#options.namespace);
    }
    const adapt: HookOptions['adapt'] = (hookOptions) => {
      const adapted = { ...(this.#attribution?.adapt(hookOptions) ?? hookOptions), sets };
      if (!largePackets) return adapted;
      // The reader gets the very bytes that the program saw.
      return { ...adapted, superPackets: 'whole', bigPackets: true, checksums: 'final' };
    };
    return compileForHooks(filter, priority, { fragments, adapt });
  }
}
