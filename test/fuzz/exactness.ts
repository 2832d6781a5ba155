/**
 * The campaign that compares all engines on random filters.
 *
 * @module
 */

import { keep, type Limits } from './campaign.ts';
import { ENGINES } from './engines.ts';
import { shrinkCase } from './exactness-case.ts';
import { processorSeconds } from './processor-time.ts';
import { DifferenceError, newTally, runRound, type Tally } from './round.ts';

const REPORT_EVERY_MS = 30_000;

/** What was compared. */
export interface ExactnessReport {
  readonly filters: number;
  /** Packets and events held against them. */
  readonly cases: number;
  readonly tally: Tally;
  readonly seconds: number;
  /** Of the processor. */
  readonly processorSeconds: number;
}

/**
 * @param seed of the first round
 * @param print gets a line now and then
 * @throws Error that says all there is to know, for the first difference
 */
export function runExactness(
  seed: number,
  { minutes, cases }: Limits,
  print: (line: string) => void,
): ExactnessReport {
  const tally = newTally();
  const start = Date.now();
  const startProcessor = processorSeconds();
  const end = start + minutes * 60_000;
  let report = start + REPORT_EVERY_MS;
  let filters = 0;
  while (countCases(tally) < cases && Date.now() < end) {
    runOne((seed + filters) >>> 0, tally);
    filters++;
    if (Date.now() < report) continue;
    report += REPORT_EVERY_MS;
    print(`exactness: ${filters} filters, ${countCases(tally)} cases`);
  }
  const seconds = (Date.now() - start) / 1000;
  const spent = processorSeconds() - startProcessor;
  return { filters, cases: countCases(tally), tally, seconds, processorSeconds: spent };
}

/** One round; a difference is shrunk and kept. */
function runOne(seed: number, tally: Tally): void {
  try {
    runRound(seed, ENGINES, tally);
  } catch (error) {
    if (!(error instanceof DifferenceError)) throw new Error(`SEED=${seed}`, { cause: error });
    const path = keep('exactness', seed, { difference: shrinkCase(error.difference, ENGINES) });
    throw new Error(`${error.message}\nkept as ${path}`, { cause: error });
  }
}

/** How often the reference decided. */
function countCases(tally: Tally): number {
  return tally.true + tally.false + tally['invalid-parameter'];
}
