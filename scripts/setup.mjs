/**
 * Makes a fresh machine ready: npm packages, Debian packages, compiled code. Does only what is
 * missing and says nothing when nothing is. Depends on Node alone: it runs before anything is installed.
 *
 *   node scripts/setup.mjs start|test|build
 */

import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');

const MINIMUM_NODE = [20, 19];
/** What scripts/bundle.mjs writes, in this order, after everything else. */
const BUNDLES = ['dist/lib/', 'dist/bin/'];
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];
const START_TOOLS = { ip: 'iproute2', nsenter: 'util-linux' };

/** Programs by purpose, each with the Debian package that has it, and those it is of no use without. */
const TOOLS = {
  build: {},
  start: START_TOOLS,
  test: {
    ...START_TOOLS,
    nft: 'nftables',
    ping: 'iputils-ping',
    setpriv: 'util-linux',
    curl: 'curl',
    tcpdump: 'tcpdump',
    'nc.openbsd': 'netcat-openbsd',
    ps: 'procps',
    ethtool: 'ethtool',
    conntrack: 'conntrack',
    'iptables-nft': 'iptables',
    sysctl: 'procps',
    python3: 'python3',
    bash: 'bash',
    zsh: 'zsh',
    fish: 'fish',
    groff: 'groff-base',
    tshark: 'tshark',
    gcc: 'gcc libc6-dev',
  },
};

/** Something only the user can put right: shown without a stack trace. */
export class SetupError extends Error {}

/**
 * @param {'build' | 'start' | 'test'} purpose - what the machine has to be ready for
 * @throws {SetupError} with what to do
 */
export function setUp(purpose) {
  requireNode();
  installNpmPackages();
  if (process.platform === 'linux') installDebianPackages(TOOLS[purpose]);
  build();
}

/** Capabilities that live packet work needs and this process lacks; null where there is no such thing. */
export function missingCapabilities() {
  if (process.platform !== 'linux') return null;
  const needed = { CAP_NET_ADMIN: 12n, CAP_NET_RAW: 13n, CAP_SYS_ADMIN: 21n };
  const status = readFileSync('/proc/self/status', 'utf8');
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return Object.keys(needed).filter((name) => ((effective >> needed[name]) & 1n) === 0n);
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [needMajor, needMinor] = MINIMUM_NODE;
  if (major > needMajor || (major === needMajor && minor >= needMinor)) return;
  throw new SetupError(
    `Node.js ${MINIMUM_NODE.join('.')} or newer is needed, this is ${process.versions.node}.`,
  );
}

function installNpmPackages() {
  const wanted = modifiedMs(join(ROOT, 'package-lock.json'));
  const installed = modifiedMs(join(ROOT, 'node_modules/.package-lock.json'));
  if (installed >= wanted) return;
  // npm would empty the folder behind a link, which belongs to somebody else.
  const packages = join(ROOT, 'node_modules');
  if (lstatSync(packages, { throwIfNoEntry: false })?.isSymbolicLink()) return;
  say('installing npm packages (npm ci)');
  // Nothing here needs the packages' own scripts: koffi and esbuild come prebuilt.
  const result = run('npm', ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund']);
  if (result.status === 0) return;
  throw new SetupError(
    `npm could not install the packages:\n${npmErrors(result)}\n` +
      'Check that this machine reaches the npm registry (npm ping) and run the command again.',
  );
}

function installDebianPackages(tools) {
  const missing = Object.keys(tools).filter((tool) => !hasProgram(tool));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.flatMap((tool) => tools[tool].split(' ')))];
  const names = packages.join(' ');
  if (process.getuid() !== 0) {
    say(`not root, so not installed: ${names} (apt-get install ${names})`);
    return;
  }
  if (!hasProgram('apt-get')) {
    throw new SetupError(
      `These programs are missing: ${missing.join(', ')}. There is no apt-get here: install them ` +
        `with this system's package manager (Debian calls the packages ${names}).`,
    );
  }
  say(`installing Debian packages: ${names}`);
  if (aptGet('install', packages).status === 0) return;
  // The lists of a fresh machine are empty or old.
  say('updating the package lists (apt-get update)');
  aptGet('update', []);
  const result = aptGet('install', packages);
  if (result.status === 0) return;
  throw new SetupError(
    `apt-get could not install ${names}:\n${lastLines(result)}\n` +
      'Check that this machine reaches its Debian mirror and run the command again.',
  );
}

function aptGet(command, packages) {
  const options = command === 'install' ? ['-y', '--no-install-recommends'] : [];
  return run('apt-get', ['-q', command, ...options, ...packages], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}

function build() {
  const sources = [...filesBelow(join(ROOT, 'src'))];
  const configuration = ['tsconfig.json', 'tsconfig.build.json', 'scripts/bundle.mjs'].map((name) =>
    join(ROOT, name),
  );
  const newest = Math.max(...[...sources, ...configuration].map(modifiedMs));
  if (modifiedMs(join(ROOT, 'dist/bin/main.js')) >= newest) return;
  say('building (tsc)');
  const result = run(join(ROOT, 'node_modules/.bin/tsc'), [
    '-p',
    'tsconfig.build.json',
    '--noEmitOnError',
  ]);
  if (result.status !== 0) throw new SetupError(`The build failed:\n${lastLines(result, 40)}`);
  removeLeftovers(sources);
  const bundled = run(process.execPath, [join(ROOT, 'scripts/bundle.mjs')]);
  if (bundled.status !== 0) throw new SetupError(`The build failed:\n${lastLines(bundled, 40)}`);
}

/** Output of sources that are gone would still be packed and imported. */
function removeLeftovers(sources) {
  const modules = new Set(sources.map((path) => path.slice(join(ROOT, 'src').length)));
  for (const path of filesBelow(join(ROOT, 'dist'))) {
    if (BUNDLES.some((folder) => path.startsWith(join(ROOT, folder)))) continue;
    const source = path
      .slice(join(ROOT, 'dist').length)
      .replace(/(\.d\.ts|\.js|\.js\.map)$/, '.ts');
    if (!modules.has(source)) rmSync(path);
  }
}

function* filesBelow(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else yield path;
  }
}

function hasProgram(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_FOLDERS];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function modifiedMs(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

function run(file, args, options = {}) {
  const result = spawnSync(file, args, { cwd: ROOT, encoding: 'utf8', ...options });
  if (result.error?.code === 'ENOENT') throw new SetupError(`${file} is not installed.`);
  return result;
}

function lastLines(result, count = 12) {
  const text = `${result.stdout ?? ''}${result.stderr ?? ''}`.trimEnd();
  return text.split('\n').slice(-count).join('\n');
}

/** npm says what went wrong first and how to call it last. */
function npmErrors(result) {
  const lines = `${result.stderr ?? ''}`.split('\n').filter((line) => line.startsWith('npm error'));
  return lines.slice(0, 8).join('\n') || lastLines(result);
}

function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}

/** Runs `action`; a {@link SetupError} becomes a message and exit code 1. */
export function orExplain(action) {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`\nsetup: ${error.message}\n`);
    process.exit(1);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const purpose = process.argv[2] ?? 'build';
  if (!(purpose in TOOLS)) {
    process.stderr.write('usage: node scripts/setup.mjs build|start|test\n');
    process.exit(2);
  }
  orExplain(() => setUp(purpose));
}
