/**
 * Tells the proxy's own connections from others: those of the processes that hold its listening
 * socket (proc(5): /proc/PID/net/tcp, /proc/PID/fd).
 *
 * @module
 */
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import type { EndpointKey } from './endpoint-key.ts';
import { findSockets, TCP_STATE } from './proc-net-tcp.ts';

/** Looking for the proxy among all processes takes milliseconds: not more often than this. */
const SEARCH_INTERVAL_MS = 500;

export class ProxyProcess {
  readonly #port: number;
  readonly #namespace: string | undefined;
  /** Processes that had the listening socket when they were last looked at. */
  #pids: readonly string[] = [];
  #searchedMs = Number.NEGATIVE_INFINITY;

  /**
   * @param port the proxy listens on
   * @param namespace path of the network namespace it is in; default: this process's
   */
  constructor(port: number, namespace: string | undefined) {
    this.#port = port;
    this.#namespace = namespace;
  }

  /**
   * Whether the proxy is who connects.
   *
   * @param source of a SYN whose socket is on this machine
   * @param nowMs monotonic
   */
  isConnecting(source: EndpointKey, nowMs: number): boolean {
    const found = this.#ask(source);
    if (found !== undefined || nowMs - this.#searchedMs < SEARCH_INTERVAL_MS) return found ?? false;
    this.#searchedMs = nowMs;
    this.#pids = this.#search();
    return this.#ask(source) ?? false;
  }

  /** Undefined when none of the known processes is the proxy any more. */
  #ask(source: EndpointKey): boolean | undefined {
    const [first] = this.#pids;
    if (first === undefined) return undefined;
    const listening = findSockets(first, TCP_STATE.LISTEN, this.#port);
    const connecting = findSockets(first, TCP_STATE.SYN_SENT, { key: source });
    let isProxy = false;
    for (const pid of this.#pids) {
      const sockets = socketsOf(pid);
      if (![...listening].some((inode) => sockets.has(inode))) continue;
      isProxy = true;
      if ([...connecting].some((inode) => sockets.has(inode))) return true;
    }
    return isProxy ? false : undefined;
  }

  #search(): string[] {
    const here = namespaceOf(this.#namespace ?? '/proc/self/ns/net');
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    const inside = pids.filter((pid) => namespaceOf(`/proc/${pid}/ns/net`) === here);
    const [first] = inside;
    if (here === undefined || first === undefined) return [];
    const listening = findSockets(first, TCP_STATE.LISTEN, this.#port);
    if (listening.size === 0) return [];
    return inside.filter((pid) => {
      const sockets = socketsOf(pid);
      return [...listening].some((inode) => sockets.has(inode));
    });
  }
}

function namespaceOf(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch {
    // The process is gone, or not to be looked at.
    return undefined;
  }
}

/** Inodes of the sockets a process has open. */
function socketsOf(pid: string): ReadonlySet<string> {
  const sockets = new Set<string>();
  let names: string[];
  try {
    names = readdirSync(`/proc/${pid}/fd`);
  } catch {
    return sockets;
  }
  for (const name of names) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${name}`))?.[1];
    if (inode !== undefined) sockets.add(inode);
  }
  return sockets;
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // Closed meanwhile.
    return '';
  }
}
