/**
 * What this process may do, and what it is made of.
 *
 * @module
 */

import { readFileSync, readlinkSync } from 'node:fs';
import { type Check, fail, ok, warn } from './check.ts';
import { errorText } from './error-text.ts';

/** Capability numbers (include/uapi/linux/capability.h). */
const CAPABILITIES = {
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_SYS_ADMIN: 21,
  CAP_BPF: 39,
} as const;
type Capability = keyof typeof CAPABILITIES;

const MINIMUM_NODE = [20, 19] as const;
const RUN_AS_ROOT = 'Run as root (sudo), or as a service with AmbientCapabilities=';

/** Capabilities, Node.js, the FFI. */
export async function checkProcess(): Promise<Check[]> {
  const has = readCapabilities();
  const held = (Object.keys(CAPABILITIES) as Capability[]).filter((name) => has(name));
  const isRoot = has('CAP_SYS_ADMIN');
  return [
    checkNode(),
    await checkFfi(),
    has('CAP_NET_ADMIN') && (has('CAP_BPF') || isRoot)
      ? ok('capabilities', held.join(', '))
      : fail(
          'capabilities',
          `CAP_NET_ADMIN and CAP_BPF are needed, there is ${held.join(', ') || 'none of them'}`,
          `${RUN_AS_ROOT}CAP_NET_ADMIN CAP_BPF.`,
        ),
    isRoot
      ? ok('capabilities-all', 'CAP_SYS_ADMIN: other namespaces, the handles of other programs')
      : warn(
          'capabilities-all',
          'without CAP_SYS_ADMIN: no --namespace, no flow, socket or reflect layer',
          `${RUN_AS_ROOT}CAP_SYS_ADMIN for these.`,
        ),
    checkNamespace(),
  ];
}

function readCapabilities(): (name: Capability) => boolean {
  const status = readFileSync('/proc/self/status', 'utf8');
  const effective = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(status)?.[1] ?? '0'}`);
  return (name) => ((effective >> BigInt(CAPABILITIES[name])) & 1n) === 1n;
}

function checkNode(): Check {
  const { node } = process.versions;
  const [major = 0, minor = 0] = node.split('.').map(Number);
  const [wantedMajor, wantedMinor] = MINIMUM_NODE;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor))
    return ok('node', node);
  return fail('node', node, `Node.js ${MINIMUM_NODE.join('.')} or newer is needed.`);
}

async function checkFfi(): Promise<Check> {
  try {
    await import('../../linux/sys/libc.ts');
    return ok('koffi', `loaded, ${process.arch}`);
  } catch (error) {
    return fail(
      'koffi',
      errorText(error),
      'Install the packages again (npm ci): the binary for this system is a package of its own.',
    );
  }
}

function checkNamespace(): Check {
  try {
    return ok('network-namespace', readlinkSync('/proc/self/ns/net'));
  } catch (error) {
    return fail('network-namespace', errorText(error), 'The kernel needs CONFIG_NET_NS.');
  }
}
