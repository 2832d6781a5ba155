/** Timing a function that takes nanoseconds. */

const RUNS = 7;

/** Of the whole run: with `--once` a hundredth of the calls, once. */
const once = process.argv.includes('--once');

/**
 * @param calls of one run
 * @returns nanoseconds per call, the best of seven runs
 */
export function measure(calls: number, body: (index: number) => void): number {
  const count = once ? Math.ceil(calls / 100) : calls;
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < (once ? 1 : RUNS); run++) {
    const start = process.hrtime.bigint();
    for (let index = 0; index < count; index++) body(index);
    best = Math.min(best, Number(process.hrtime.bigint() - start) / count);
  }
  return best;
}

/** Prints figures as the bench reads them. */
export function report(figures: Readonly<Record<string, number>>): void {
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}
