/** Timing a function that takes nanoseconds. */

/** Runs are short, so that some of them are not interrupted on a busy machine. */
const RUNS = 120;
const SHARE_OF_RUN = 20;

/** Of the whole run: with `--once` a hundredth of the calls, once. */
const once = process.argv.includes('--once');

function time(calls: number, body: (index: number) => void): number {
  const start = process.hrtime.bigint();
  for (let index = 0; index < calls; index++) body(index);
  return Number(process.hrtime.bigint() - start) / calls;
}

/**
 * @param calls to warm up with; a run that counts has a twentieth of them
 * @returns nanoseconds per call, the best of 120 runs
 */
export function measure(calls: number, body: (index: number) => void): number {
  if (once) return time(Math.ceil(calls / 100), body);
  time(calls, body);
  const runs = Array.from({ length: RUNS }, () => time(Math.ceil(calls / SHARE_OF_RUN), body));
  return Math.min(...runs);
}

/** Prints figures as the bench reads them. */
export function report(figures: Readonly<Record<string, number>>): void {
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}
