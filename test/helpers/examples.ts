import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuilt, ROOT } from './command.ts';

const COMPILED = join(ROOT, '.cache/examples');

/** Compiles the examples as their README says for a Node.js that does not run TypeScript. */
export function compileExamples(): void {
  ensureBuilt();
  rmSync(COMPILED, { recursive: true, force: true });
  const result = spawnSync(
    join(ROOT, 'node_modules/.bin/tsc'),
    ['-p', join(ROOT, 'tsconfig.examples.json')],
    { encoding: 'utf8' },
  );
  if (result.status !== 0) throw new Error(result.stdout);
}

/** The compiled file of an example. */
export function exampleFile(name: string): string {
  return join(COMPILED, `${name}.js`);
}
