/** Medians and spreads. */

/** The middle of some figures, and how far they spread. */
export interface Summary {
  readonly count: number;
  readonly median: number;
  readonly minimum: number;
  readonly maximum: number;
}

/** @param values at least one */
export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
  return {
    count: sorted.length,
    median,
    minimum: sorted[0] ?? Number.NaN,
    maximum: sorted.at(-1) ?? Number.NaN,
  };
}

/**
 * Ratios of runs that followed one another, so that what slows a machine down for a minute slows both.
 *
 * @param values by round, null where a run failed
 * @param baseline by round
 */
export function summarizeRatios(
  values: readonly (number | null)[],
  baseline: readonly (number | null)[],
): Summary | null {
  const ratios = values.flatMap((value, round) => {
    const base = baseline[round] ?? null;
    return value === null || base === null || base === 0 ? [] : [value / base];
  });
  return ratios.length === 0 ? null : summarize(ratios);
}

/** A median with its spread, for people. */
export function formatSummary(
  { count, median, minimum, maximum }: Summary,
  digits: number,
): string {
  const spread = `(${minimum.toFixed(digits)}-${maximum.toFixed(digits)})`;
  return count > 1 ? `${median.toFixed(digits)} ${spread}` : median.toFixed(digits);
}
