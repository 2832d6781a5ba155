/** All fuzzing campaigns, the comparison of engines included. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../setup.mjs';

export function run({ minutes, say }) {
  const script = join(ROOT, 'test/fuzz/run.mjs');
  const { status, stdout } = spawnSync(process.execPath, [script, '--minutes', String(minutes)], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = stdout.split('\n').filter((line) => /: from SEED=\d+: \d/.test(line));
  for (const line of lines) say(line);
  if (status !== 0)
    throw new Error(stdout.split('\n').find((line) => /(?<!from )SEED=/.test(line)) ?? 'failed');
  return `${lines.length} campaigns of ${minutes} min, nothing found`;
}
