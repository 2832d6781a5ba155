/**
 * What the kernel can do.
 *
 * @module
 */

import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { gunzipSync } from 'node:zlib';
import { findCgroupMount } from '../../linux/cgroup.ts';
import { type Check, fail, ok, warn } from './check.ts';

/** nf_tables tables that go with their owner. */
const MINIMUM = [5, 12] as const;
/** Namespace cookies: flow and socket layers, attribution. */
const FULL = [5, 15] as const;

/** Where the configuration of the running kernel may be. */
const CONFIG_FILES: readonly string[] = ['/proc/config.gz', `/boot/config-${release()}`];

/** Parts of the kernel: any of the options does. */
const PARTS: readonly {
  readonly name: string;
  readonly options: readonly string[];
  readonly use: string;
  readonly isNeeded: boolean;
}[] = [
  { name: 'bpf', options: ['BPF_SYSCALL'], use: 'filters in the kernel', isNeeded: true },
  { name: 'nf-tables', options: ['NF_TABLES'], use: 'rules', isNeeded: true },
  { name: 'nft-compat', options: ['NFT_COMPAT'], use: 'filter programs in rules', isNeeded: true },
  {
    name: 'xt-bpf',
    options: ['NETFILTER_XT_MATCH_BPF'],
    use: 'filter programs in rules',
    isNeeded: true,
  },
  {
    name: 'nfqueue',
    options: ['NETFILTER_NETLINK_QUEUE'],
    use: 'queues for packets',
    isNeeded: true,
  },
  {
    name: 'queue-rule',
    options: ['NFT_QUEUE', 'NETFILTER_XT_TARGET_NFQUEUE'],
    use: 'packets into queues',
    isNeeded: true,
  },
  {
    name: 'cgroup-bpf',
    options: ['CGROUP_BPF'],
    use: 'the flow and socket layers',
    isNeeded: false,
  },
  {
    name: 'diag-destroy',
    options: ['INET_DIAG_DESTROY'],
    use: 'ending sockets that a socket handle refuses',
    isNeeded: false,
  },
  {
    name: 'tun',
    options: ['TUN'],
    use: 'putting in large packets on their way in',
    isNeeded: false,
  },
  { name: 'namespaces', options: ['NET_NS'], use: '--namespace, the demo', isNeeded: false },
];

/** Version, configuration and mounts. */
export function checkKernel(): Check[] {
  return [checkVersion(), ...checkConfiguration(), checkCgroup(), checkBtf(), checkLsm()];
}

function checkVersion(): Check {
  const version = release();
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const isAtLeast = ([wantedMajor, wantedMinor]: readonly [number, number]): boolean =>
    major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
  if (!isAtLeast(MINIMUM)) {
    return fail('kernel', version, `Linux ${MINIMUM.join('.')} or newer is needed.`);
  }
  if (isAtLeast(FULL)) return ok('kernel', version);
  return warn(
    'kernel',
    version,
    `The flow and socket layers and --process need Linux ${FULL.join('.')} or newer.`,
  );
}

function checkConfiguration(): Check[] {
  const options = readConfiguration();
  if (options === null) {
    return [
      warn(
        'configuration',
        `neither ${CONFIG_FILES.join(' nor ')} can be read`,
        'Whether parts are missing shows when a handle is opened.',
      ),
    ];
  }
  return PARTS.map(({ name, options: wanted, use, isNeeded }) => {
    const found = wanted.map((option) => [option, options.get(option)] as const);
    const [option, state] = found.find(([, value]) => value !== undefined) ?? [wanted[0] ?? ''];
    if (state !== undefined) {
      return ok(name, `CONFIG_${option}${state === 'm' ? ', a module' : ''}: ${use}`);
    }
    const missing = `${wanted.map((text) => `CONFIG_${text}`).join(' and ')} missing: ${use}`;
    const advice = `Use a kernel with CONFIG_${option}, as those of distributions are.`;
    return isNeeded ? fail(name, missing, advice) : warn(name, missing, advice);
  });
}

/** Options that are set, with `y`, `m` or their value. */
function readConfiguration(): Map<string, string> | null {
  for (const path of CONFIG_FILES) {
    try {
      const bytes = readFileSync(path);
      const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('latin1');
      const lines = [...text.matchAll(/^CONFIG_(\w+)=(.*)$/gm)];
      return new Map(lines.map(([, name = '', value = '']) => [name, value]));
    } catch {
      // The next one, then.
    }
  }
  return null;
}

function checkCgroup(): Check {
  const mount = findCgroupMount();
  if (mount !== null) return ok('cgroup-v2', `mounted at ${mount}`);
  return warn(
    'cgroup-v2',
    'not mounted: the flow and socket layers mount it for themselves, which needs CAP_SYS_ADMIN',
    'mount -t cgroup2 none /sys/fs/cgroup/unified',
  );
}

function checkBtf(): Check {
  if (existsSync('/sys/kernel/btf/vmlinux')) return ok('btf', '/sys/kernel/btf/vmlinux');
  return ok('btf', 'not there, and not needed');
}

/** Only says what there is: nothing depends on it. */
function checkLsm(): Check {
  try {
    const modules = readFileSync('/sys/kernel/security/lsm', 'utf8').trim();
    return ok('security-modules', modules);
  } catch {
    return ok('security-modules', 'not shown (securityfs is not mounted)');
  }
}
