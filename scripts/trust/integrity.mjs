/**
 * 10 GB of TCP and UDP through handles that rewrite every segment: test/system/integrity.test.ts with all of its cases.
 * INTEGRITY=sketch in the environment: all cases, with few bytes each.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../setup.mjs';

const REPORT = join(ROOT, '.cache/trust/integrity.jsonl');
const FILE = 'test/system/integrity.test.ts';
const MEGABYTE = 1e6;

function readRows() {
  return readFileSync(REPORT, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

function printRow({ name, bytes, seconds, changed, packets, sent, dropped, lost, befallen }) {
  const faults = Object.entries(befallen).filter(([fault, count]) => fault !== 'frames' && count);
  const columns = [
    `${(bytes / MEGABYTE).toFixed(0)} MB`.padStart(8),
    `${seconds.toFixed(1)} s`.padStart(8),
    `${changed} rewritten, ${packets} = ${sent} + ${dropped} + ${lost}`.padEnd(48),
    name,
    faults.map(([fault, count]) => `${fault} ${count}`).join(' '),
  ];
  return columns.join('  ').trimEnd();
}

export function run({ quick, say }) {
  mkdirSync(join(REPORT, '..'), { recursive: true });
  rmSync(REPORT, { force: true });
  const form = process.env.INTEGRITY ?? (quick ? 'sketch' : 'long');
  const { status } = spawnSync(
    join(ROOT, 'node_modules/.bin/vitest'),
    ['run', '--project', 'system', FILE],
    {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, INTEGRITY: form, TRUST_REPORT: REPORT },
    },
  );
  const rows = readRows();
  for (const row of rows) say(printRow(row));
  if (status !== 0) throw new Error(`${FILE} failed`);
  const total = (key) => rows.reduce((sum, row) => sum + row[key], 0);
  const gigabytes = (total('bytes') / MEGABYTE / 1000).toFixed(2);
  return `${rows.length} cases, ${gigabytes} GB byte-exact, ${total('changed')} packets rewritten, ${total('lost')} lost`;
}
