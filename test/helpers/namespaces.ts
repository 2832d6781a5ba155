/**
 * Two network namespaces joined by a veth pair, for tests on the real kernel. Nothing of the
 * machine's own network is touched: the pair is created inside the namespaces.
 *
 * @module
 */

import {
  type ChildProcess,
  execFile,
  execFileSync,
  type SpawnOptions,
  spawn,
} from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { PATIENCE } from './patience.ts';

const PREFIX = 'ndt-';
const NAMESPACE_FOLDER = '/run/netns';
const INTERFACE = 'veth0';
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

export interface ExecResult {
  /** Exit code; 128 + signal number does not apply: a killed process has code -1. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecOptions {
  /** Written to standard input, which is then closed. */
  readonly input?: string | Uint8Array;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The process is killed after this time. Default 60 s. */
  readonly timeoutMs?: number;
}

/** One of the two namespaces. */
export interface NetworkEnd {
  /** Name as `ip netns` shows it. */
  readonly name: string;
  /** Path for `nsenter --net=` and for the `namespace` option of `open`. */
  readonly path: string;
  /** Name of its veth interface. */
  readonly interface: string;
  readonly interfaceIndex: number;
  readonly ipv4: string;
  readonly ipv6: string;
  /** Starts a program inside. It is killed when the network is removed. */
  spawn(file: string, args?: readonly string[], options?: SpawnOptions): ChildProcess;
  /** Runs a program inside to its end. Never throws for a non-zero exit code. */
  exec(file: string, args?: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** Runs an ES module given as text inside, with this Node and the working directory's packages. */
  node(source: string, args?: readonly string[], options?: ExecOptions): Promise<ExecResult>;
}

/** Two namespaces, `a` and `b`, that reach each other and nothing else. */
export interface Network extends AsyncDisposable {
  readonly a: NetworkEnd;
  readonly b: NetworkEnd;
  /** Kills what was started inside and removes both namespaces. May be called again. */
  close(): Promise<void>;
}

let count = 0;

/**
 * Makes the two namespaces. Loopback is up in both, IPv6 addresses are usable at once (no
 * duplicate address detection), offloads are as the kernel sets them.
 *
 * @param options.mtu - of the veth pair, bytes; default 1500
 * @throws Error when not root or `ip` is missing
 */
export async function createNetwork(options: { readonly mtu?: number } = {}): Promise<Network> {
  sweepStaleNetworks();
  count += 1;
  const base = `${PREFIX}${process.pid}-${count}`;
  const names = [`${base}-a`, `${base}-b`] as const;
  const children = new Set<ChildProcess>();
  try {
    for (const name of names) {
      run('ip', ['netns', 'add', name]);
      // Before the interface exists: it takes its settings from "default" when it is created.
      enter(name, 'sh', [
        '-c',
        'for f in default all; do echo 0 > /proc/sys/net/ipv6/conf/$f/accept_dad; echo 0 > /proc/sys/net/ipv6/conf/$f/disable_ipv6; done 2>/dev/null; true',
      ]);
    }
    const mtu = String(options.mtu ?? 1500);
    const link = ['link', 'add', INTERFACE, 'mtu', mtu, 'netns', names[0], 'type', 'veth'];
    run('ip', [...link, 'peer', 'name', INTERFACE, 'mtu', mtu, 'netns', names[1]]);
    const a = setUpEnd(names[0], 1, children);
    const b = setUpEnd(names[1], 2, children);
    const close = (): Promise<void> => closeNetwork(names, children);
    return { a, b, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await closeNetwork(names, children);
    throw error;
  }
}

/** Removes namespaces of test processes that no longer run. */
export function sweepStaleNetworks(): void {
  if (!existsSync(NAMESPACE_FOLDER)) return;
  for (const name of readdirSync(NAMESPACE_FOLDER)) {
    const owner = /^ndt-(\d+)-/.exec(name)?.[1];
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) removeNamespace(name);
  }
}

function setUpEnd(name: string, host: number, children: Set<ChildProcess>): NetworkEnd {
  const ipv4 = `10.99.0.${host}`;
  const ipv6 = `fd00:99::${host}`;
  run('ip', ['-n', name, '-batch', '-'], {
    input: [
      'link set lo up',
      `link set ${INTERFACE} up`,
      `addr add ${ipv4}/24 dev ${INTERFACE}`,
      `addr add ${ipv6}/64 dev ${INTERFACE} nodad`,
      '',
    ].join('\n'),
  });
  const links = JSON.parse(run('ip', ['-n', name, '-j', 'link', 'show', INTERFACE]));
  const path = `${NAMESPACE_FOLDER}/${name}`;
  const end: NetworkEnd = {
    name,
    path,
    interface: INTERFACE,
    interfaceIndex: links[0].ifindex,
    ipv4,
    ipv6,
    spawn: (file, args = [], options = {}) =>
      track(spawn('nsenter', [`--net=${path}`, '--', file, ...args], options), children),
    exec: (file, args = [], options = {}) =>
      execute(['nsenter', `--net=${path}`, '--', file, ...args], options, children),
    node: (source, args = [], options = {}) =>
      end.exec(process.execPath, ['--input-type=module', '-e', source, ...args], options),
  };
  return end;
}

function execute(
  command: readonly string[],
  options: ExecOptions,
  children: Set<ChildProcess>,
): Promise<ExecResult> {
  const [file = '', ...args] = command;
  return new Promise((resolve) => {
    const child = execFile(
      file,
      args,
      {
        encoding: 'utf8',
        maxBuffer: MAX_OUTPUT_BYTES,
        timeout: (options.timeoutMs ?? 60_000) * PATIENCE,
        killSignal: 'SIGKILL',
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        env: { ...process.env, ...options.env },
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    );
    track(child, children);
    // The program may end without reading its input.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input);
  });
}

function track(child: ChildProcess, children: Set<ChildProcess>): ChildProcess {
  children.add(child);
  child.once('exit', () => children.delete(child));
  child.once('error', () => children.delete(child));
  return child;
}

async function closeNetwork(names: readonly string[], children: Set<ChildProcess>): Promise<void> {
  await Promise.all(
    [...children].map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    }),
  );
  for (const name of names) removeNamespace(name);
}

function removeNamespace(name: string): void {
  if (!existsSync(`${NAMESPACE_FOLDER}/${name}`)) return;
  try {
    run('ip', ['netns', 'delete', name]);
  } catch {
    // Another test process swept it at the same time.
  }
}

function enter(name: string, file: string, args: readonly string[]): string {
  return run('nsenter', [`--net=${NAMESPACE_FOLDER}/${name}`, '--', file, ...args]);
}

function run(file: string, args: readonly string[], options: { input?: string } = {}): string {
  return execFileSync(file, args, {
    encoding: 'utf8',
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    ...options,
  });
}
