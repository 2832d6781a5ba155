/**
 * Compares all engines on random filters for as long as it is told to: `run.mjs` starts it.
 *
 * @module
 */

import { expect, test } from 'vitest';
import { ENGINES } from './engines.ts';
import { runRound, type Tally } from './round.ts';

const MILLISECONDS_PER_MINUTE = 60_000;
const REPORT_EVERY_MS = 10_000;

const minutes = Number(process.env.FUZZ_MINUTES ?? '1');
/** With a seed, that one round only. */
const given = process.env.SEED;

test('engines agree', { timeout: (minutes + 1) * MILLISECONDS_PER_MINUTE }, () => {
  const tally: Tally = { true: 0, false: 0, 'invalid-parameter': 0, unknown: 0 };
  if (given !== undefined) {
    runRound(Number(given), ENGINES, tally);
    return;
  }
  const start = Date.now();
  const end = start + minutes * MILLISECONDS_PER_MINUTE;
  let report = start + REPORT_EVERY_MS;
  let rounds = 0;
  for (let seed = start >>> 0; Date.now() < end; seed++, rounds++) {
    runRound(seed, ENGINES, tally);
    if (Date.now() < report) continue;
    report += REPORT_EVERY_MS;
    process.stdout.write(`${rounds} filters, ${JSON.stringify(tally)}\n`);
  }
  process.stdout.write(`${rounds} filters, ${JSON.stringify(tally)}\n`);
  expect(rounds).toBeGreaterThan(0);
});
