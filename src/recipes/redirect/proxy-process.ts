/**
 * Tells the proxy's own connections from others: those of the processes that hold the socket that
 * listens on its port (proc(5): /proc/PID/net/tcp, /proc/PID/fd).
 *
 * @module
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { findListeners } from './proc-net-tcp.ts';

/** The kernel's list of sockets takes some 10 ms to read: what it said holds for a while. */
const LISTENERS_MS = 1000;
/** As long as nobody listens, somebody may begin to. */
const NO_LISTENERS_MS = 50;
const PROCESSES_MAX = 4096;

export class ProxyProcess {
  readonly #port: number;
  #listeners: ReadonlySet<string> = new Set();
  #readMs = Number.NEGATIVE_INFINITY;
  /** Whether processes that have connected are the proxy, since the list was read. */
  readonly #known = new Map<number, boolean>();

  /** @param port the proxy listens on */
  constructor(port: number) {
    this.#port = port;
  }

  /**
   * Whether a process is the proxy, or one of its workers.
   *
   * @param nowMs monotonic
   */
  isProxy(pid: number, nowMs: number): boolean {
    const heldMs = this.#listeners.size > 0 ? LISTENERS_MS : NO_LISTENERS_MS;
    if (nowMs - this.#readMs > heldMs || this.#known.size > PROCESSES_MAX) {
      // Of the process's own network namespace: it connects there, and the proxy is there.
      this.#listeners = findListeners(pid, this.#port);
      this.#readMs = nowMs;
      this.#known.clear();
    }
    const known = this.#known.get(pid);
    if (known !== undefined) return known;
    const isProxy = this.#listeners.size > 0 && holdsOne(pid, this.#listeners);
    this.#known.set(pid, isProxy);
    return isProxy;
  }
}

/** Whether a process has one of some sockets open. */
function holdsOne(pid: number, inodes: ReadonlySet<string>): boolean {
  const folder = `/proc/${pid}/fd`;
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    // The process is gone.
    return false;
  }
  return names.some((name) => {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`${folder}/${name}`))?.[1];
    return inode !== undefined && inodes.has(inode);
  });
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // Closed meanwhile.
    return '';
  }
}
