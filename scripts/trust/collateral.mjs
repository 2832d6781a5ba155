/** What handles and other programs cost a handle that holds packets: test/system/collateral.test.ts, again and again. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../setup.mjs';

const REPORT = join(ROOT, '.cache/trust/collateral.jsonl');
const FILE = 'test/system/collateral.test.ts';
const ROUNDS = 5;

/** One line for each operation: how many arrived of how many, over all rounds. */
function summarize(rows) {
  const sums = new Map();
  for (const { by, name, arrived, late, again } of rows) {
    const key = `${by} ${name}`;
    const sum = sums.get(key) ?? { rounds: 0, arrived: 0, late: 0, again: 0 };
    sum.rounds++;
    sum.arrived += arrived;
    sum.late += late;
    sum.again += again;
    sums.set(key, sum);
  }
  return sums;
}

export function run({ quick, say }) {
  mkdirSync(join(REPORT, '..'), { recursive: true });
  rmSync(REPORT, { force: true });
  const rounds = String(quick ? 1 : ROUNDS);
  const { status } = spawnSync(
    join(ROOT, 'node_modules/.bin/vitest'),
    ['run', '--project', 'system', FILE],
    {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, COLLATERAL_ROUNDS: rounds, TRUST_REPORT: REPORT },
    },
  );
  const rows = readFileSync(REPORT, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  for (const [name, { arrived, late, again }] of summarize(rows)) {
    say(
      `${String(arrived).padStart(6)} arrived ${String(late).padStart(6)} lost ${String(again).padStart(6)} again  ${name}`,
    );
  }
  if (status !== 0) throw new Error(`${FILE} failed`);
  const total = (key) => rows.reduce((sum, row) => sum + row[key], 0);
  return `${rows.length} runs of 150 packets: ${total('arrived')} arrived, ${total('late')} lost to what others did, all counted`;
}
