/**
 * `npm run test:kernel -- 6.1`: the live suite on a stock kernel of Debian, in a virtual machine. See
 * docs/kernels.md.
 *
 *   node scripts/kernel/run.mjs SERIES... [FILES...] [--smoke] [--preload MODULES] [--timeout SECONDS] [-- COMMAND...]
 */

import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { orExplain, ROOT, SetupError, setUp } from '../setup.mjs';
import { describeKernel, writeInitramfs } from './initramfs.mjs';
import { accelerator, runInGuest } from './machine.mjs';
import { fetchKernel, installTools } from './packages.mjs';

const CACHE = join(ROOT, '.cache/kernels');
const SMOKE_TEST = [process.execPath, 'test/kernel/smoke.mjs'];
const VITEST = [process.execPath, join(ROOT, 'node_modules/vitest/vitest.mjs')];
const CONFIGURATION = ['--config', 'test/kernel/vitest.config.ts'];
const SERIES = /^\d+\.\d+$/;
const DEFAULT_SERIES = '6.1';
const TIMEOUT_S = { smoke: 1200, suite: 14_400 };
const USAGE = `usage: npm run test:kernel -- [SERIES...] [FILES...] [options] [-- COMMAND...]

  SERIES             kernels, e.g. 5.10 6.1 6.12 6.18 7.3; default ${DEFAULT_SERIES}
  FILES              parts of names of files in test/system, e.g. flow socket; default all of the live suite
  --smoke            the smoke test of the compiled package instead: two minutes
  --update           fetch the newest kernel of the series again
  --preload MODULES  modules to load before, separated by commas; default none
  --timeout SECONDS  for each kernel, default ${TIMEOUT_S.suite}; of the smoke test ${TIMEOUT_S.smoke}
  COMMAND            run instead of the suite, e.g. bash -c 'uname -a'
`;

function readArguments() {
  const own = process.argv.slice(2);
  const end = own.indexOf('--');
  const { values, positionals } = parseArgs({
    args: end < 0 ? own : own.slice(0, end),
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      update: { type: 'boolean', default: false },
      preload: { type: 'string', default: '' },
      timeout: { type: 'string' },
      smoke: { type: 'boolean', default: false },
    },
  });
  const serieses = positionals.filter((word) => SERIES.test(word));
  const files = positionals.filter((word) => !SERIES.test(word));
  if (files.length > 0 && values.smoke) throw new Error(`--smoke has no files: ${files.join(' ')}`);
  const kind = values.smoke ? 'smoke' : 'suite';
  const timeoutMs = Number(values.timeout ?? TIMEOUT_S[kind]) * 1000;
  if (!(timeoutMs > 0)) throw new Error(`--timeout ${values.timeout} is not a number of seconds`);
  return {
    help: values.help,
    update: values.update,
    preload: values.preload.split(',').filter(Boolean),
    timeoutMs,
    serieses: serieses.length > 0 ? serieses : [DEFAULT_SERIES],
    isSuite: end < 0 && !values.smoke,
    command: end < 0 ? commandOf(kind, files) : own.slice(end + 1),
  };
}

function commandOf(kind, files) {
  return kind === 'smoke' ? SMOKE_TEST : [...VITEST, 'run', ...CONFIGURATION, ...files];
}

function readArgumentsOrExit() {
  try {
    const wanted = readArguments();
    if (!wanted.help) return wanted;
    process.stdout.write(USAGE);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${USAGE}`);
    process.exit(2);
  }
}

/** Fetches the kernel and makes its initramfs, unless they are in the cache. */
function prepare(series, update) {
  const folder = join(CACHE, series);
  if (update) rmSync(folder, { recursive: true, force: true });
  const root = fetchKernel(series, folder);
  const kernel = describeKernel(root);
  const initramfs = join(folder, 'initramfs');
  if (!existsSync(initramfs)) writeInitramfs(root, kernel, initramfs);
  return { kernel, initramfs };
}

/** Compiles the suite into the folder that the machines take it from: in there it takes twenty times as long. */
function compileSuite() {
  const [node, ...args] = [...VITEST, 'list', ...CONFIGURATION];
  process.stdout.write('kernel: compiling the suite\n');
  const { status, stderr } = spawnSync(node, args, {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new SetupError(`The suite cannot be compiled:\n${stderr}`);
}

/** @returns whether the command went well on that kernel */
async function runOn(series, { command, preload, timeoutMs, update }) {
  const { kernel, initramfs } = orExplain(() => prepare(series, update));
  process.stdout.write(`== Linux ${kernel.release} (${accelerator()}): ${command.join(' ')}\n`);
  const guest = { kernel, initramfs, command, folder: ROOT, preload, timeoutMs };
  const start = performance.now();
  const status = await runInGuest(guest);
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  const result =
    status === null ? 'the machine stopped before the end' : status === 0 ? 'ok' : `exit ${status}`;
  process.stdout.write(`== Linux ${kernel.release}: ${result} (${seconds} s)\n`);
  return status === 0;
}

const wanted = readArgumentsOrExit();
orExplain(() => {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new SetupError('Kernels are run on Linux on x86-64.');
  }
  installTools();
  setUp(wanted.isSuite ? 'test' : 'build');
  if (wanted.isSuite) compileSuite();
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130));
const failed = [];
for (const series of wanted.serieses) {
  if (!(await runOn(series, wanted))) failed.push(series);
}
if (failed.length > 0) {
  process.stdout.write(`\nFAILED on ${failed.map((series) => `Linux ${series}`).join(', ')}\n`);
  process.exit(1);
}
