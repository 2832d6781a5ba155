/**
 * `npm run bench -- [workload...] [--rounds N] [--seconds N] [--json FILE] [--docs] [--once] [--list]`: installs what the peers need, compiles
 * the benchmarks and runs them.
 */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { missingCapabilities, orExplain, ROOT, setUp } from './setup.mjs';

const OUTPUT = join(ROOT, '.cache/bench');

/** Files by the Debian package that has them. */
const PACKAGES = {
  gcc: '/usr/bin/gcc',
  'libc6-dev': '/usr/include/stdio.h',
  'libnetfilter-queue-dev': '/usr/include/libnetfilter_queue/libnetfilter_queue.h',
  'libpcap-dev': '/usr/include/pcap/pcap.h',
  tcpdump: '/usr/bin/tcpdump',
  iperf3: '/usr/bin/iperf3',
  iptables: '/usr/sbin/iptables-nft',
  iproute2: '/usr/sbin/ip',
  'iputils-ping': '/usr/bin/ping',
  ethtool: '/usr/sbin/ethtool',
};

function run(file, args, options = {}) {
  const { status } = spawnSync(file, args, { cwd: ROOT, stdio: 'inherit', ...options });
  return status ?? 1;
}

/** Peers that cannot be installed are left out by name later on. */
function installPeers() {
  const missing = Object.keys(PACKAGES).filter((name) => !existsSync(PACKAGES[name]));
  if (missing.length === 0 || !existsSync('/usr/bin/apt-get') || process.getuid() !== 0) return;
  process.stderr.write(`bench: installing ${missing.join(', ')}\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, stdio: ['ignore', 'ignore', 'inherit'] };
  const install = ['-q', 'install', '-y', '--no-install-recommends', ...missing];
  if (run('apt-get', install, options) === 0) return;
  run('apt-get', ['-q', 'update'], options);
  run('apt-get', install, options);
}

const lacking = missingCapabilities();
if (lacking === null || lacking.length > 0) {
  const reason = lacking === null ? 'Linux' : `root; this process lacks ${lacking.join(', ')}`;
  process.stderr.write(`bench: traffic needs ${reason}\n`);
  process.exit(1);
}
orExplain(() => setUp('build'));
installPeers();
const compiled = run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.bench.json']);
if (compiled !== 0) process.exit(compiled);
const program = join(OUTPUT, 'bench/run.js');
process.exit(run(process.execPath, [program, ...process.argv.slice(2)]));
