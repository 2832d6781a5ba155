/** Which feature works with which capabilities, and that text of filters cannot become code. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../setup.mjs';

const PARTS = [
  ['system', 'test/system/privilege-table.test.ts', 'test/system/privileges.test.ts'],
  ['unit', 'test/filter/emit-js.test.ts'],
];

export function run() {
  for (const [project, ...files] of PARTS) {
    const args = ['run', '--project', project, ...files];
    const vitest = join(ROOT, 'node_modules/.bin/vitest');
    const { status } = spawnSync(vitest, args, { cwd: ROOT, stdio: 'inherit' });
    if (status !== 0) throw new Error(`${files.join(', ')} failed`);
  }
  return 'the table of docs/trust/privileges.md holds, each missing capability is named';
}
