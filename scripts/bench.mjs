/**
 * `npm run bench -- [names] [--once]`: compiles the benchmarks and runs them one after another.
 */

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { orExplain, ROOT, setUp } from './setup.mjs';

const OUTPUT = join(ROOT, '.cache/bench');

function run(file, args) {
  const { status } = spawnSync(file, args, { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

const options = process.argv.slice(2).filter((argument) => argument.startsWith('-'));
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const available = readdirSync(join(ROOT, 'bench'))
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.slice(0, -'.ts'.length));
const unknown = wanted.filter((name) => !available.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`bench: no ${unknown.join(', ')}; there are ${available.join(', ')}\n`);
  process.exit(2);
}

orExplain(() => setUp('build'));
run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.bench.json']);
for (const name of wanted.length > 0 ? wanted : available) {
  process.stderr.write(`== ${name}\n`);
  run(process.execPath, [join(OUTPUT, 'bench', `${name}.js`), ...options]);
}
