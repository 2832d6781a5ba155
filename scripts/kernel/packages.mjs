/** Debian's packages: the tools that a virtual machine takes, and kernels of any of its releases. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from '../setup.mjs';

const TOOLS = {
  machine: ['qemu-system-x86', 'busybox-static', 'cpio', 'kmod', 'xz-utils'],
  kernels: ['debian-archive-keyring'],
  smoke: ['iproute2', 'util-linux', 'nftables'],
};

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const DEFAULT_MIRROR = 'http://deb.debian.org';
/** Where Debian has a kernel series. Newer ones are backports to the stable release. */
const SUITES = { '5.10': 'bullseye-security', 6.1: 'bookworm-security', 6.12: 'bookworm-security' };
const NEWER_SUITE = 'trixie-backports';
/** From here on linux-image-* is empty: the kernel is in linux-binary-*, its modules in linux-modules-*. */
const FIRST_SPLIT = [6, 19];

/** Installs the Debian packages that are missing. */
export function installTools() {
  const packages = Object.values(TOOLS).flat();
  const missing = packages.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  const names = missing.join(' ');
  if (process.getuid() !== 0) {
    throw new SetupError(`Not root, so please install: sudo apt-get install ${names}`);
  }
  say(`installing ${names}`);
  const install = ['install', '-y', '--no-install-recommends', ...missing];
  if (apt('apt-get', install).status === 0) return;
  apt('apt-get', ['update']);
  const again = apt('apt-get', install);
  if (again.status !== 0)
    throw new SetupError(`apt-get could not install ${names}:\n${again.stderr}`);
}

/**
 * The newest kernel of a series, unpacked.
 *
 * @param series - e.g. 6.1
 * @param folder - where it is kept; not fetched again when it is there
 * @returns the folder that has its boot and lib
 */
export function fetchKernel(series, folder) {
  const root = join(folder, 'root');
  if (existsSync(root)) return root;
  const state = join(folder, 'apt');
  const options = makeState(state, SUITES[series] ?? NEWER_SUITE);
  const update = apt('apt-get', [...options, 'update']);
  if (update.status !== 0) throw new SetupError(`apt-get update failed:\n${update.stderr}`);
  const names = findPackages(series, listPackages(options));
  say(`fetching ${names.join(' ')}`);
  const debs = join(folder, 'debs');
  mkdirSync(debs, { recursive: true });
  const download = apt('apt-get', [...options, 'download', ...names], { cwd: debs });
  if (download.status !== 0) throw new SetupError(`The download failed:\n${download.stderr}`);
  const unpacked = join(folder, 'root.new');
  rmSync(unpacked, { recursive: true, force: true });
  for (const deb of readdirSync(debs)) {
    const { status, stderr } = apt('dpkg-deb', ['-x', join(debs, deb), unpacked]);
    if (status !== 0) throw new SetupError(`${deb} cannot be unpacked:\n${stderr}`);
  }
  renameSync(unpacked, root);
  for (const used of [debs, state]) rmSync(used, { recursive: true });
  return root;
}

/** A state of apt's own for one suite: nothing of this machine's configuration changes. */
function makeState(folder, suite) {
  for (const name of ['lists/partial', 'cache/archives/partial', 'parts']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  const archive = suite.endsWith('-security') ? 'debian-security' : 'debian';
  const source = `deb [signed-by=${KEYRING}] ${mirror(archive)} ${suite} main\n`;
  writeFileSync(join(folder, 'sources.list'), source);
  const settings = {
    'Dir::Etc::sourcelist': join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': join(folder, 'parts'),
    'Dir::State::lists': join(folder, 'lists'),
    'Dir::Cache': join(folder, 'cache'),
    'APT::Architecture': 'amd64',
    'APT::Architectures': 'amd64',
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** The mirror this machine has for an archive of Debian, else the public one. */
function mirror(archive) {
  const { stdout } = apt('apt-get', ['indextargets', '--format', '$(REPO_URI)']);
  const uris = stdout.split('\n').map((uri) => uri.replace(/\/$/, ''));
  return uris.find((uri) => uri.endsWith(`/${archive}`)) ?? `${DEFAULT_MIRROR}/${archive}`;
}

function listPackages(options) {
  const pattern =
    '^linux-(image|base|binary|binary-unsigned|modules)-[0-9.-]+([+]deb[0-9]+)?-amd64$';
  const { stdout } = apt('apt-cache', [...options, 'search', '--names-only', pattern]);
  return new Set(stdout.split('\n').map((line) => line.split(' ')[0]));
}

/** Packages of the newest release of a series that is there completely. */
function findPackages(series, names) {
  const releases = [...names].flatMap((name) => {
    const release = /^linux-(?:image|modules)-([0-9].*-amd64)$/.exec(name)?.[1];
    return release?.startsWith(`${series}.`) ? [release] : [];
  });
  const newestFirst = new Intl.Collator('en', { numeric: true });
  for (const release of releases.sort((a, b) => newestFirst.compare(b, a))) {
    const available = (...kinds) =>
      kinds.map((kind) => `linux-${kind}-${release}`).find((name) => names.has(name));
    const binary = available('binary', 'binary-unsigned');
    const parts = isSplit(series)
      ? [binary, available('modules'), available('base')]
      : [available('image')];
    if (parts.every(Boolean)) return parts;
  }
  const suite = SUITES[series] ?? NEWER_SUITE;
  throw new SetupError(`Debian's ${suite} has no Linux ${series} (complete, for amd64).`);
}

function isSplit(series) {
  const [major, minor] = series.split('.').map(Number);
  return major > FIRST_SPLIT[0] || (major === FIRST_SPLIT[0] && minor >= FIRST_SPLIT[1]);
}

function isInstalled(name) {
  return /^Status: .* installed$/m.test(apt('dpkg', ['-s', name]).stdout);
}

function apt(file, args, options = {}) {
  const env = { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
  const result = spawnSync(file, args, { encoding: 'utf8', env, ...options });
  if (result.error?.code === 'ENOENT') {
    throw new SetupError(`${file} is missing: this needs Debian or one of its relatives.`);
  }
  return result;
}

function say(text) {
  process.stderr.write(`kernel: ${text}\n`);
}

/**
 * The newest headers that Debian has, for all architectures, unpacked.
 *
 * @param folder - where they are kept; not fetched again when they are there
 * @returns the folder that has their usr
 */
export function fetchHeaders(folder) {
  const root = join(folder, 'root');
  if (existsSync(root)) return root;
  const options = makeState(join(folder, 'apt'), NEWER_SUITE);
  const update = apt('apt-get', [...options, 'update']);
  if (update.status !== 0) throw new SetupError(`apt-get update failed:\n${update.stderr}`);
  const download = apt('apt-get', [...options, 'download', 'linux-libc-dev'], { cwd: folder });
  if (download.status !== 0) throw new SetupError(`The download failed:\n${download.stderr}`);
  const deb = readdirSync(folder).find((name) => name.endsWith('.deb')) ?? '';
  const { status, stderr } = apt('dpkg-deb', ['-x', join(folder, deb), root]);
  if (status !== 0) throw new SetupError(`${deb} cannot be unpacked:\n${stderr}`);
  return root;
}
