/** Peers from npm and PyPI, put into the cache folder if that works within a minute. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CACHE } from './folders.ts';

const TIMEOUT_MS = 60_000;
const NPM_FOLDER = join(CACHE, 'npm');
const PYTHON_FOLDER = join(CACHE, 'python');
const NFQUEUE_VERSION = '0.3.2';
const NETFILTERQUEUE_VERSION = '1.1.0';

/** The main file of npm's `nfqueue`. */
export const NPM_NFQUEUE: string = join(NPM_FOLDER, 'node_modules/nfqueue/nfqueue.js');
const NPM_NFQUEUE_ADDON = join(NPM_FOLDER, 'node_modules/nfqueue/build/Release/nfqueue.node');
/** A Python that has NetfilterQueue. */
export const PYTHON: string = join(PYTHON_FOLDER, 'bin/python');

/** What a failed attempt said, so that each is made once. */
const outcomes = new Map<string, string>();

/** @returns why npm's `nfqueue` cannot be had; empty when it is there */
export function installNfqueue(): string {
  return attempt('nfqueue', () => {
    if (existsSync(NPM_NFQUEUE_ADDON)) return '';
    mkdirSync(NPM_FOLDER, { recursive: true });
    writeFileSync(join(NPM_FOLDER, 'package.json'), '{"private":true}');
    const place = ['--prefix', NPM_FOLDER, '--no-audit', '--no-fund'];
    const failed = run('npm', ['install', ...place, `nfqueue@${NFQUEUE_VERSION}`]);
    if (failed !== '') return failed;
    // npm 11 leaves out install scripts that nobody approved.
    const built = existsSync(NPM_NFQUEUE_ADDON) ? '' : run('npm', ['rebuild', ...place, 'nfqueue']);
    return built === '' && !existsSync(NPM_NFQUEUE_ADDON) ? 'npm did not build it' : built;
  });
}

/** @returns why Python's NetfilterQueue cannot be had; empty when it is there */
export function installNetfilterQueue(): string {
  return attempt('NetfilterQueue', () => {
    const check = ['-c', 'import netfilterqueue'];
    if (existsSync(PYTHON) && run(PYTHON, check) === '') return '';
    const made = run('python3', ['-m', 'venv', '--system-site-packages', PYTHON_FOLDER]);
    if (made !== '') return made;
    if (run(PYTHON, check) === '') return '';
    const options = ['--quiet', '--retries', '0', '--disable-pip-version-check'];
    const wanted = `NetfilterQueue==${NETFILTERQUEUE_VERSION}`;
    return run(PYTHON, ['-m', 'pip', 'install', ...options, wanted]);
  });
}

function attempt(name: string, install: () => string): string {
  const known = outcomes.get(name);
  if (known !== undefined) return known;
  const reason = install();
  outcomes.set(name, reason);
  return reason;
}

function run(file: string, args: readonly string[]): string {
  const result = spawnSync(file, args, { encoding: 'utf8', timeout: TIMEOUT_MS });
  if (result.error) return `${file}: ${result.error.message}`;
  if (result.status === 0) return '';
  const lines = `${result.stdout}${result.stderr}`.trim().split('\n');
  const said = lines.filter((line) => /error/i.test(line)).at(-1) ?? lines.at(-1);
  return `${basename(args[0] === '-m' ? (args[1] ?? file) : file)}: ${said}`;
}
