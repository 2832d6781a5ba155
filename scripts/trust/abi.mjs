/**
 * `npm run trust -- abi`: numbers and layouts in the sources against the kernel's headers, on x86-64 and,
 * with Debian's cross compiler, on arm64: those installed, and the newest there are.
 */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fetchHeaders } from '../kernel/packages.mjs';
import { passes } from '../live-tests.mjs';
import { ROOT, SetupError } from '../setup.mjs';

export const summary = 'numbers and layouts against the kernel headers of x86-64 and arm64';

const CROSS = ['gcc-aarch64-linux-gnu', 'libc6-dev-arm64-cross', 'linux-libc-dev-arm64-cross'];

function installCrossCompiler() {
  if (spawnSync('aarch64-linux-gnu-gcc', ['--version']).status === 0) return;
  const options = ['-q', 'install', '-y', '--no-install-recommends'];
  const result = spawnSync('apt-get', [...options, ...CROSS], {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (result.status === 0) return;
  throw new SetupError(`There is no compiler for arm64: apt-get install ${CROSS.join(' ')}`);
}

/** @returns whether the sources agree with these headers */
function compare(headers) {
  const environment = headers === null ? {} : { ABI_HEADERS: headers };
  return passes('unit', ['test/linux/abi', '--reporter', 'verbose'], environment);
}

/** @returns whether all agree */
export async function run() {
  installCrossCompiler();
  process.stdout.write('== headers of this machine\n');
  const isGood = compare(null);
  process.stdout.write('== newest headers of Debian\n');
  return compare(fetchHeaders(join(ROOT, '.cache/headers'))) && isGood;
}
