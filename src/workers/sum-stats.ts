/**
 * The counters of several workers as those of one handle.
 *
 * @module
 */
import type { LostStats, Stats } from '../divert/stats.ts';
import type { WaitStats } from '../divert/wait-histogram.ts';

/** What the kernel counted for all workers together. */
export interface RuleTotals {
  readonly offered: number;
  readonly matched: number;
  /** Matched packets that no worker decided about, and that went on. */
  readonly bypassed: number;
  /** Those that were dropped, by onExit. */
  readonly dropped: number;
  /** Matched packets that a queue lost, where its own counter cannot be read. */
  readonly missing: number;
}

type Counts<T> = { [Name in keyof T]: T[Name] extends number ? Name : never }[keyof T];

/**
 * Sums up. The balances of {@link Stats} hold for the sum as they do for each. Waits are those of the worker where they
 * were longest.
 *
 * @param parts of the workers, one at least
 */
export function sumStats(parts: readonly Stats[], rules: RuleTotals): Stats {
  const { bypassed, dropped, missing } = rules;
  const sum = (name: Counts<Stats>): number => total(parts, (part) => part[name]);
  const lost = (name: keyof LostStats): number => total(parts, (part) => part.lost[name]);
  const longest = (name: keyof WaitStats): number =>
    Math.max(0, ...parts.map((part) => part.waitMs[name]));
  return {
    offered: rules.offered,
    matched: rules.matched,
    passed: sum('passed'),
    received: sum('received') + bypassed + dropped + missing,
    delivered: sum('delivered'),
    sent: sum('sent') + bypassed,
    changed: sum('changed'),
    bypassed: sum('bypassed') + bypassed,
    dropped: sum('dropped') + dropped,
    unhandled: sum('unhandled'),
    unreachable: sum('unreachable'),
    injected: sum('injected'),
    queued: sum('queued'),
    held: sum('held'),
    waitMs: { p50: longest('p50'), p99: longest('p99'), max: longest('max') },
    lost: {
      queueFull: lost('queueFull'),
      expired: lost('expired'),
      tooBig: lost('tooBig'),
      kernelQueue: lost('kernelQueue') + missing,
      socketOverrun: lost('socketOverrun'),
      lateVerdict: lost('lateVerdict'),
      ringFull: lost('ringFull'),
      total: lost('total') + missing,
    },
  };
}

function total(parts: readonly Stats[], of: (part: Stats) => number): number {
  return parts.reduce((sum, part) => sum + of(part), 0);
}
