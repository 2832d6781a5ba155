/**
 * `npm run trust -- faults`: system calls that fail. Every errno for up to four calls of each kind in each
 * scenario; with FAULTS=all for every call, which takes hours.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../setup.mjs';

export const summary = 'every system call made to fail with every plausible errno';

const REPORT = join(ROOT, '.cache/trust/faults.tsv');

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
  mkdirSync(join(REPORT, '..'), { recursive: true });
  rmSync(REPORT, { force: true });
  const vitest = join(ROOT, 'node_modules/.bin/vitest');
  const args = ['run', '--project', 'system', 'test/system/faults.test.ts'];
  const { status } = spawnSync(vitest, args, {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, FAULTS: process.env.FAULTS ?? 'long', FAULTS_REPORT: REPORT },
  });
  const text = readFileSync(REPORT, 'utf8');
  const lines = text
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split('\t'));
  process.stdout.write(`${lines.length} faults\n`);
  for (const [outcome, times] of Object.entries(count(lines))) {
    process.stdout.write(`  ${outcome}: ${times}\n`);
  }
  process.stdout.write(`each of them: ${REPORT}\n`);
  return status === 0;
}
