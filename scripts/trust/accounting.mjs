/**
 * Books against the kernel's own under overload: test/system/accounting.test.ts with three times the packets, and with
 * random programs under random floods.
 */

import { runReporting } from '../live-tests.mjs';

const FILE = 'test/system/accounting.test.ts';
const SCALE = 3;
const ROUNDS = 50;

function printRow({ name, matched, passed, received, sent, dropped, lost }) {
  const causes = Object.entries(lost).filter(([cause, count]) => cause !== 'total' && count > 0);
  const split = causes.map(([cause, count]) => `${cause} ${count}`).join(', ');
  return `${matched} = ${passed} + ${received}, ${received} = ${sent} + ${dropped} + ${lost.total}${split && ` (${split})`}  ${name}`;
}

export function run({ quick, say }) {
  const more = quick ? {} : { ACCOUNTING_SCALE: String(SCALE), ACCOUNTING_ROUNDS: String(ROUNDS) };
  const { isGood, lines } = runReporting(FILE, 'accounting.jsonl', more);
  const rows = lines.map((line) => JSON.parse(line));
  say('matched = passed + received, received = sent + dropped + lost');
  for (const row of rows) say(printRow(row));
  if (!isGood) throw new Error(`${FILE} failed`);
  const total = (read) => rows.reduce((sum, row) => sum + read(row), 0);
  return `${rows.length} overloads, ${total(({ received }) => received)} packets received, ${total(({ lost }) => lost.total)} lost, every one accounted for`;
}
