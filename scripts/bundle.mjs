/**
 * Makes the library and the command start fast: their modules, of which there are hundreds, become a few
 * files in `dist/lib` and `dist/bin`.
 *
 *   node scripts/bundle.mjs
 */

import { chmodSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const COMMANDER = join(ROOT, 'node_modules/commander');

/** What package.json exports. They share files, so that a class is one class wherever it comes from. */
const LIBRARY = {
  index: 'dist/index.js',
  filter: 'dist/filter/index.js',
  packet: 'dist/packet/index.js',
  pcap: 'dist/pcap/index.js',
  windivert: 'dist/windivert/index.js',
  'thread-main': 'dist/workers/thread-main.js',
};

/** Programs of their own. */
const COMMANDS = {
  main: 'dist/cli/main.js',
  'pass-worker': 'dist/cli/pass-worker.js',
  server: 'dist/cli/demo/server.js',
  client: 'dist/cli/demo/client.js',
};

/** The code of the argument parser comes with its licence. */
function licence() {
  const text = readFileSync(join(COMMANDER, 'LICENSE'), 'utf8').trim();
  return `/*! commander\n${text}\n*/`;
}

/** The maps of the compiled modules, so that those of the bundle lead to the TypeScript sources. */
const SOURCE_MAPS = {
  name: 'source-maps',
  load(id) {
    const map = `${id}.map`;
    if (!existsSync(map)) return null;
    return { code: readFileSync(id, 'utf8'), map: JSON.parse(readFileSync(map, 'utf8')) };
  },
};

/** Modules look for files two folders up: everything of a bundle is in one folder of `dist`. */
async function bundleInto(folder, entries, sourcemap) {
  const input = Object.fromEntries(
    Object.entries(entries)
      .map(([name, path]) => [name, join(ROOT, path)])
      .filter(([, path]) => existsSync(path)),
  );
  if (Object.keys(input).length === 0) return;
  const target = join(ROOT, folder);
  const next = `${target}-${process.pid}`;
  const bundle = await rolldown({
    input,
    platform: 'node',
    external: ['koffi'],
    plugins: sourcemap ? [SOURCE_MAPS] : [],
  });
  await bundle.write({
    dir: next,
    format: 'esm',
    sourcemap,
    // A program that runs while its files are replaced finds the ones it has not loaded yet.
    chunkFileNames: '[name].js',
    banner: ({ moduleIds }) => (moduleIds.some((id) => id.startsWith(COMMANDER)) ? licence() : ''),
  });
  await bundle.close();
  if ('main' in input) chmodSync(join(next, 'main.js'), 0o755);
  replaceFolder(target, next);
}

/** Whoever uses it meanwhile finds the old files or the new ones. */
function replaceFolder(target, next) {
  const old = `${next}-old`;
  if (existsSync(target)) renameSync(target, old);
  renameSync(next, target);
  rmSync(old, { recursive: true, force: true });
}

await bundleInto('dist/lib', LIBRARY, true);
await bundleInto('dist/bin', COMMANDS, false);
