/**
 * Makes the `netdivert` command start fast: its modules, of which there are hundreds, become a few files in
 * `dist/bin`. The library stays as it is.
 *
 *   node scripts/bundle.mjs
 */

import { chmodSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const COMMANDER = join(ROOT, 'node_modules/commander');

/** Programs of their own, and what they are made of. */
const ENTRIES = {
  main: 'dist/cli/main.js',
  server: 'dist/cli/demo/server.js',
  client: 'dist/cli/demo/client.js',
};

/** The code of the argument parser comes with its licence. */
function licence() {
  const text = readFileSync(join(COMMANDER, 'LICENSE'), 'utf8').trim();
  return `/*! commander\n${text}\n*/`;
}

const TARGET = join(ROOT, 'dist/bin');
const NEXT = `${TARGET}-${process.pid}`;

const bundle = await rolldown({
  input: Object.fromEntries(
    Object.entries(ENTRIES)
      .map(([name, path]) => [name, join(ROOT, path)])
      .filter(([, path]) => existsSync(path)),
  ),
  platform: 'node',
  external: ['koffi'],
});
await bundle.write({
  dir: NEXT,
  format: 'esm',
  chunkFileNames: '[name]-[hash].js',
  banner: ({ moduleIds }) => (moduleIds.some((id) => id.startsWith(COMMANDER)) ? licence() : ''),
});
await bundle.close();
chmodSync(join(NEXT, 'main.js'), 0o755);
// Whoever runs the command meanwhile finds the old files or the new ones.
const old = `${NEXT}-old`;
if (existsSync(TARGET)) renameSync(TARGET, old);
renameSync(NEXT, TARGET);
rmSync(old, { recursive: true, force: true });
