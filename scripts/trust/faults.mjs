/**
 * `npm run trust -- faults`: system calls that fail. Every errno for up to four calls of each kind in each
 * scenario; with FAULTS=all for every call, which takes hours.
 */

import { runReporting } from '../live-tests.mjs';

export const summary = 'every system call made to fail with every plausible errno';

const FILE = 'test/system/faults.test.ts';

/** Lines of the report by outcome. */
function count(lines) {
  const outcomes = { works: 0, 'an error of the package': 0, 'did not come': 0, COMPLAINTS: 0 };
  for (const [, , outcome, ...complaints] of lines) {
    if (complaints.length > 0) outcomes.COMPLAINTS += 1;
    else if (outcome === 'works') outcomes.works += 1;
    else if (outcome === 'missed') outcomes['did not come'] += 1;
    else outcomes['an error of the package'] += 1;
  }
  return outcomes;
}

/** @returns whether there was nothing to complain about */
export async function run() {
  const form = { FAULTS: process.env.FAULTS ?? 'long' };
  const { isGood, lines, report } = runReporting(FILE, 'faults.tsv', form, 'FAULTS_REPORT');
  process.stdout.write(`${lines.length} faults\n`);
  for (const [outcome, times] of Object.entries(count(lines.map((line) => line.split('\t'))))) {
    process.stdout.write(`  ${outcome}: ${times}\n`);
  }
  process.stdout.write(`each of them: ${report}\n`);
  return isGood;
}
