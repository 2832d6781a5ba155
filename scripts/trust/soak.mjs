/** All features under load for a time: test/soak. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../setup.mjs';

export function run({ minutes, quick, say }) {
  const script = join(ROOT, 'test/soak/soak.mjs');
  const rate = quick ? ['--rate', '20000', '--seconds', '5'] : [];
  const args = ['--expose-gc', script, '--minutes', String(minutes), ...rate];
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  say(stdout.trimEnd());
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  if (status !== 0) throw new Error(last);
  return last;
}
