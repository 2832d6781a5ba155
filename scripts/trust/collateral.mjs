/** What handles and other programs cost a handle that holds packets: test/system/collateral.test.ts, again and again. */

import { runReporting } from '../live-tests.mjs';

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
  const rounds = String(quick ? 1 : ROUNDS);
  const { isGood, lines } = runReporting(FILE, 'collateral.jsonl', { COLLATERAL_ROUNDS: rounds });
  const rows = lines.map((line) => JSON.parse(line));
  for (const [name, { arrived, late, again }] of summarize(rows)) {
    say(
      `${String(arrived).padStart(6)} arrived ${String(late).padStart(6)} lost ${String(again).padStart(6)} again  ${name}`,
    );
  }
  if (!isGood) throw new Error(`${FILE} failed`);
  const total = (key) => rows.reduce((sum, row) => sum + row[key], 0);
  return `${rows.length} runs of 150 packets: ${total('arrived')} arrived, ${total('late')} lost to what others did, all counted`;
}
