/** Files of tests as a campaign runs them: by themselves, told by the environment how long, with a report of what they measured. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from './setup.mjs';

const VITEST = join(ROOT, 'node_modules/.bin/vitest');

/** @returns {boolean} whether all tests of these files passed */
export function passes(project, files, environment = {}) {
  const { status } = spawnSync(VITEST, ['run', '--project', project, ...files], {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  });
  return status === 0;
}

/**
 * Runs one file of live tests, which write lines to the file that `variable` of the environment names.
 *
 * @returns {{ isGood: boolean, lines: string[], report: string }} also when a test failed: what there is of the report
 */
export function runReporting(file, name, environment, variable = 'TRUST_REPORT') {
  const report = join(ROOT, '.cache/trust', name);
  mkdirSync(dirname(report), { recursive: true });
  rmSync(report, { force: true });
  const isGood = passes('system', [file], { ...environment, [variable]: report });
  return { isGood, lines: readLines(report), report };
}

function readLines(path) {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean);
  } catch (error) {
    // The first test failed before it had anything to say.
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}
