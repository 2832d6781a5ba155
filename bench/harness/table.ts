/** Results as Markdown tables. */

import { formatSummary, type Summary, summarize, summarizeRatios } from './statistics.ts';
import type { Figures, Measure, Workload } from './workload.ts';

/** Figures of every round, by contestant; undefined where a run failed. */
export type Results = ReadonlyMap<string, readonly (Figures | undefined)[]>;

/** One cell: what a contestant has in one measure. */
export interface Cell {
  readonly contestant: string;
  readonly measure: string;
  readonly unit: string;
  /** By round; null where a run failed. */
  readonly values: readonly (number | null)[];
  readonly summary: Summary;
  /** To the baseline, round by round. */
  readonly ratio: Summary | null;
}

const EMPTY = '';

/** All cells of a workload, contestants in their order, measures in theirs. */
export function cellsOf(workload: Workload, results: Results): Cell[] {
  const base = results.get(workload.baseline) ?? [];
  return [...results].flatMap(([contestant, rounds]) => {
    const names = new Set(
      rounds.flatMap((figures) =>
        Object.keys(figures ?? {}).filter((name) => figures?.[name] !== undefined),
      ),
    );
    return [...names].flatMap((measure) => {
      const { unit, compared = true } = measureOf(workload, measure);
      const values = rounds.map((figures) => figures?.[measure] ?? null);
      const known = values.filter((value) => value !== null);
      const ratio = compared
        ? summarizeRatios(
            values,
            base.map((figures) => figures?.[measure] ?? null),
          )
        : null;
      return [{ contestant, measure, unit, values, summary: summarize(known), ratio }];
    });
  });
}

/** A table with contestants as rows, or measures where there are more of them. */
export function formatTable(workload: Workload, cells: readonly Cell[]): string {
  const contestants = [...new Set(cells.map(({ contestant }) => contestant))];
  const measures = [...new Set(cells.map(({ measure }) => measure))];
  const find = (contestant: string, measure: string): string => {
    const cell = cells.find((one) => one.contestant === contestant && one.measure === measure);
    return cell ? formatCell(workload, cell) : EMPTY;
  };
  const unitOf = (measure: string): string => {
    const { unit } = measureOf(workload, measure);
    return unit === '' ? measure : `${measure}, ${unit}`;
  };
  const byMeasure = measures.length > contestants.length;
  const rows = byMeasure
    ? measures.map((measure) => [unitOf(measure), ...contestants.map((one) => find(one, measure))])
    : contestants.map((one) => [one, ...measures.map((measure) => find(one, measure))]);
  const head = ['', ...(byMeasure ? contestants : measures.map(unitOf))];
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function measureOf({ measures }: Workload, name: string): Measure {
  return measures[name] ?? measures['*'] ?? { unit: '' };
}

function formatCell(workload: Workload, { contestant, measure, summary, ratio }: Cell): string {
  const { digits = 2 } = measureOf(workload, measure);
  const isCompared = ratio !== null && contestant !== workload.baseline;
  const times = isCompared ? ` **${ratio.median.toFixed(2)}x**` : EMPTY;
  return `${formatSummary(summary, digits)}${times}`;
}
