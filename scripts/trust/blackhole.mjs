/** No blackhole: test/system/no-blackhole.test.ts with an event loop and a process that stand still for 30 s. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../setup.mjs';

const STALL_MS = 30_000;
const QUICK_STALL_MS = 3_000;

export function run({ quick, say }) {
  const folder = mkdtempSync(join(tmpdir(), 'netdivert-trust-'));
  const report = join(folder, 'report');
  const file = 'test/system/no-blackhole.test.ts';
  const stall = String(quick ? QUICK_STALL_MS : STALL_MS);
  try {
    const { status } = spawnSync(
      join(ROOT, 'node_modules/.bin/vitest'),
      ['run', '--project', 'system', file],
      {
        cwd: ROOT,
        stdio: 'inherit',
        env: { ...process.env, STALL_MS: stall, TRUST_REPORT: report },
      },
    );
    if (status !== 0) throw new Error(`${file} failed`);
    const lines = readFileSync(report, 'utf8').trimEnd().split('\n');
    for (const line of lines) say(line);
    return `${lines.length} ways to end or to stand still, nothing left of any`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
