/**
 * 10 GB of TCP and UDP through handles that rewrite every segment: test/system/integrity.test.ts with all of its cases.
 * INTEGRITY=sketch in the environment: all cases, with few bytes each.
 */

import { runReporting } from '../live-tests.mjs';

const FILE = 'test/system/integrity.test.ts';
const MEGABYTE = 1e6;

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
  const form = process.env.INTEGRITY ?? (quick ? 'sketch' : 'long');
  const { isGood, lines } = runReporting(FILE, 'integrity.jsonl', { INTEGRITY: form });
  const rows = lines.map((line) => JSON.parse(line));
  for (const row of rows) say(printRow(row));
  if (!isGood) throw new Error(`${FILE} failed`);
  const total = (key) => rows.reduce((sum, row) => sum + row[key], 0);
  const gigabytes = (total('bytes') / MEGABYTE / 1000).toFixed(2);
  return `${rows.length} cases, ${gigabytes} GB byte-exact, ${total('changed')} packets rewritten, ${total('lost')} lost`;
}
