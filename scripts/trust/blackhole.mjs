/** No blackhole: test/system/no-blackhole.test.ts with an event loop and a process that stand still for 30 s. */

import { runReporting } from '../live-tests.mjs';

const FILE = 'test/system/no-blackhole.test.ts';
const STALL_MS = 30_000;
const QUICK_STALL_MS = 3_000;

export function run({ quick, say }) {
  const stall = String(quick ? QUICK_STALL_MS : STALL_MS);
  const { isGood, lines } = runReporting(FILE, 'blackhole.txt', { STALL_MS: stall });
  if (!isGood) throw new Error(`${FILE} failed`);
  for (const line of lines) say(line);
  return `${lines.length} ways to end or to stand still, nothing left of any`;
}
