/** `npm test`: set-up, types, lint, unit tests and, where the kernel allows, live tests. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { missingCapabilities, orExplain, ROOT, setUp } from './setup.mjs';

const BIN = join(ROOT, 'node_modules/.bin');
const STEPS = [
  ['types', 'tsc', '-p', 'tsconfig.json'],
  ['types of the package', 'tsc', '-p', 'test/types/tsconfig.json'],
  ['lint', 'biome', 'check', '--error-on-warnings', '.'],
  ['unit tests', 'vitest', 'run', '--project', 'unit'],
  ['live tests', 'vitest', 'run', '--project', 'system'],
];

/** Why live tests cannot run here, or null when they can. */
function reasonAgainstLiveTests() {
  const missing = missingCapabilities();
  if (missing === null) return `they need Linux, this is ${process.platform}`;
  if (missing.length === 0) return null;
  return `they need root; this process lacks ${missing.join(', ')} (try: sudo npm test)`;
}

orExplain(() => setUp('test'));
const reason = reasonAgainstLiveTests();
const steps = reason === null ? STEPS : STEPS.filter(([title]) => title !== 'live tests');
for (const [title, program, ...args] of steps) {
  process.stdout.write(`\n== ${title}\n`);
  const result = spawnSync(join(BIN, program), args, { cwd: ROOT, stdio: 'inherit' });
  if (result.status !== 0) {
    process.stdout.write(`\n${title} FAILED\n`);
    process.exit(result.status ?? 1);
  }
}
if (reason !== null) process.stdout.write(`\n!! LIVE TESTS SKIPPED: ${reason}\n`);
