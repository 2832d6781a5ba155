/**
 * Two network namespaces joined by a veth pair, with a program in each. The namespaces have no names:
 * they exist as long as the programs run, and these end with this process, whatever ends it.
 *
 * @module
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CLIENT_ADDRESS, SERVER_ADDRESS } from './hosts.ts';

const run = promisify(execFile);

const INTERFACE = 'veth0';
const PREFIX_LENGTH = 24;

/** A program in a namespace of its own. */
export interface Peer {
  readonly process: ChildProcess;
  /** Path of its namespace. */
  readonly namespace: string;
  /** What the kernel calls the namespace, e.g. `net:[4026532001]`. */
  readonly identity: string;
}

export interface DemoNetwork extends AsyncDisposable {
  readonly client: Peer;
  readonly server: Peer;
  /** Ends the programs, and the namespaces with them. May be called again. */
  close(): Promise<void>;
}

/** Starts both programs and connects them. */
export async function createDemoNetwork(): Promise<DemoNetwork> {
  const started: Peer[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(started.map(({ process: child }) => endChild(child)));
  };
  try {
    const server = await startPeer('./server.js', started);
    const client = await startPeer('./client.js', started);
    await connectPeers(client, server);
    return { client, server, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Whether nothing is left of a network that was closed: no process in its namespaces.
 *
 * @returns what is left, one phrase each
 */
export function findLeftovers({ client, server }: DemoNetwork): string[] {
  const namespaces = [client.identity, server.identity];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && namespaces.includes(namespaceOf(name)))
    .map((pid) => `process ${pid}`);
}

async function startPeer(script: string, started: Peer[]): Promise<Peer> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn('unshare', ['--net', '--', process.execPath, path], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const { pid = 0 } = child;
  await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`unshare --net ended with code ${code}`);
    }),
  ]);
  const peer = {
    process: child,
    namespace: `/proc/${pid}/ns/net`,
    identity: namespaceOf(String(pid)),
  };
  started.push(peer);
  return peer;
}

async function connectPeers(client: Peer, server: Peer): Promise<void> {
  const ends = [
    [client, CLIENT_ADDRESS],
    [server, SERVER_ADDRESS],
  ] as const;
  const pidOf = (peer: Peer): string => String(peer.process.pid);
  // Made inside the namespaces: the machine's own network never has it.
  await enter(
    client,
    'link',
    'add',
    INTERFACE,
    'type',
    'veth',
    'peer',
    'name',
    INTERFACE,
    'netns',
    pidOf(server),
  );
  for (const [peer, address] of ends) {
    await enter(peer, 'address', 'add', `${address}/${PREFIX_LENGTH}`, 'dev', INTERFACE);
    await enter(peer, 'link', 'set', 'lo', 'up');
    await enter(peer, 'link', 'set', INTERFACE, 'up');
  }
}

async function enter(peer: Peer, ...args: readonly string[]): Promise<void> {
  await run('nsenter', [`--net=${peer.namespace}`, '--', 'ip', ...args]);
}

function namespaceOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return '';
  }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
