/** Cost curves: the same work in growing sizes, each of which stands in a column. */

import { type Arena, inArena } from '../../harness/arena.ts';
import { program } from '../../harness/folders.ts';
import type { BenchOptions, Contestant, Figures, Workload } from '../../harness/workload.ts';

const TIMEOUT_MS = 180_000;
const ROUNDS = 3;
/** A workload whose contestants are sizes; ratios are to the smallest one. */
export interface Curve
  extends Pick<Workload, 'name' | 'title' | 'measures' | 'missing' | 'rounds'> {
  readonly sizes: readonly number[];
  /** A size that a run with `--once` has beside the smallest. */
  readonly alsoOnce?: number;
  /** Name of a size. */
  readonly label: (size: number) => string;
  readonly run: (size: number, options: BenchOptions) => Promise<Figures>;
}

export function curve({ sizes, alsoOnce, label, run, ...workload }: Curve): Workload {
  const [smallest = 1] = sizes;
  return {
    rounds: ROUNDS,
    ...workload,
    group: 'curves',
    baseline: label(smallest),
    contestants: sizes.map(
      (size): Contestant => ({
        name: label(size),
        always: size === alsoOnce,
        run: (options) => run(size, options),
      }),
    ),
  };
}

/** Whole numbers as people write them. */
export function grouped(value: number): string {
  return value.toLocaleString('en-US');
}

/** Runs one of `bench/programs` in a namespace of its own. */
export function runInNamespace(
  name: string,
  args: readonly string[],
  { once }: BenchOptions,
): Promise<Figures> {
  const all = [program(name), ...args, ...(once ? ['--once'] : [])];
  return inArena(({ b, run }: Arena) =>
    run<Figures>(b, { file: process.execPath, args: all }, TIMEOUT_MS),
  );
}
