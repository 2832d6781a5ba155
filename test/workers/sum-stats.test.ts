import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LostStats, Stats } from '../../src/divert/stats.ts';
import { sumStats } from '../../src/workers/sum-stats.ts';

const count = fc.nat(1_000_000);
const NO_TOTALS = { offered: 0, matched: 0, bypassed: 0, dropped: 0, missing: 0 };

/** Counters that balance, as those of a worker do. */
const balanced: fc.Arbitrary<Stats> = fc
  .record({
    matched: count,
    passed: count,
    delivered: count,
    sent: count,
    changed: count,
    bypassed: count,
    dropped: count,
    unhandled: count,
    unreachable: count,
    injected: count,
    queued: count,
    held: count,
    waitMs: fc.record({ p50: fc.nat(9), p99: fc.nat(99), max: fc.nat(999) }),
    causes: fc.record({
      queueFull: count,
      expired: count,
      tooBig: count,
      kernelQueue: count,
      socketOverrun: count,
      lateVerdict: count,
      ringFull: count,
    }),
  })
  .map(({ causes, ...counts }) => {
    const total = Object.values(causes).reduce((sum, cause) => sum + cause, 0);
    const { sent, dropped, queued, held } = counts;
    const received = sent + dropped + total + queued + held;
    return { ...counts, offered: 0, received, lost: { ...causes, total } };
  });

function expectBalance({ received, sent, dropped, queued, held, lost }: Stats): void {
  const { total, ...causes } = lost;
  expect(Object.values(causes).reduce((sum, cause) => sum + cause, 0)).toBe(total);
  expect(sent + dropped + total + queued + held).toBe(received);
}

test('the books of all workers together balance, whatever the kernel let by or lost', () => {
  fc.assert(
    fc.property(
      fc.array(balanced, { minLength: 1, maxLength: 8 }),
      fc.record({
        offered: count,
        matched: count,
        bypassed: count,
        dropped: count,
        missing: count,
      }),
      (parts, totals) => {
        const sum = sumStats(parts, totals);
        expectBalance(sum);
        expect(sum).toMatchObject({ offered: totals.offered, matched: totals.matched });
      },
    ),
  );
});

test('every counter of every worker counts', () => {
  fc.assert(
    fc.property(balanced, balanced, (left, right) => {
      const sum = sumStats([left, right], NO_TOTALS);
      for (const name of ['passed', 'received', 'delivered', 'sent', 'changed'] as const) {
        expect([name, sum[name]]).toEqual([name, left[name] + right[name]]);
      }
      for (const name of Object.keys(left.lost) as (keyof LostStats)[]) {
        expect([name, sum.lost[name]]).toEqual([name, left.lost[name] + right.lost[name]]);
      }
      expect(sum.waitMs.max).toBe(Math.max(left.waitMs.max, right.waitMs.max));
    }),
  );
});
