/**
 * The rules of one handle: changed, counted and taken out together.
 *
 * @module
 */
import type { Chain, RuleCounters, RuleSpec } from './rule.ts';

/** What has the rules of all handles of a namespace (`ruleset.ts`). */
export interface GroupOwner {
  /** Swaps a group's rules in one change: every packet meets the old or the new ones. */
  replace(group: RuleGroup, rules: readonly RuleSpec[]): void;
  /** Nothing reaches a group's rules from here on. */
  retire(group: RuleGroup): void;
  /** Its handle closes, and its rules could not be removed: they are tried again with every change. */
  noteStuck(group: RuleGroup): void;
  readCounters(group: RuleGroup): RuleCounters;
  removeCounters(group: RuleGroup): void;
}

/** The rules of one handle. */
export class RuleGroup {
  readonly #rules: GroupOwner;
  /** @internal */
  readonly counter: string;
  /** @internal */
  chains: readonly Chain[] = [];
  /** @internal the chain that spreads packets over several queues */
  spread: string | null = null;
  readonly #onShifted: () => void;
  #installed = true;
  #last: RuleCounters = { offered: 0, matched: 0 };
  readonly #total: RuleCounters = { offered: 0, matched: 0 };
  #isCounting = true;

  constructor(rules: GroupOwner, counter: string, onShifted: () => void) {
    this.#rules = rules;
    this.counter = counter;
    this.#onShifted = onShifted;
  }

  /** @internal chains are about to be hooked in; at equal priority the later one runs first */
  noteFresh(fresh: readonly Chain[]): void {
    const isBefore = (chain: Chain): boolean =>
      this.chains.some((own) => own.hook === chain.hook && chain.priority <= own.priority);
    if (fresh.some(isBefore)) this.#onShifted();
  }

  /** Swaps the rules without a gap. */
  replace(rules: readonly RuleSpec[]): void {
    this.#rules.replace(this, rules);
  }

  /** What the kernel counted so far; stays readable after `close`. */
  counters(): RuleCounters {
    if (!this.#isCounting) return this.#total;
    const now = this.#rules.readCounters(this);
    const { offered, matched } = this.#last;
    // Anybody may reset counters (`nft reset counters`), though not change our table otherwise.
    this.#total.offered += now.offered < offered ? now.offered : now.offered - offered;
    this.#total.matched += now.matched < matched ? now.matched : now.matched - matched;
    this.#last = now;
    return this.#total;
  }

  /** Nothing new is matched from here on. Idempotent. */
  remove(): void {
    if (!this.#installed) return;
    this.#rules.retire(this);
    this.#installed = false;
  }

  /** Takes the counters out as well, when nothing can count any more. Idempotent. */
  close(): void {
    if (!this.#isCounting) return;
    try {
      this.remove();
      this.counters();
      this.#rules.removeCounters(this);
    } catch (error) {
      if (this.#installed) this.#rules.noteStuck(this);
      throw error;
    } finally {
      this.#isCounting = false;
    }
  }
}
