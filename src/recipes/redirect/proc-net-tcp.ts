/**
 * The kernel's list of TCP sockets as text (proc(5): /proc/net/tcp, /proc/net/tcp6).
 *
 * @module
 */
import { readFileSync } from 'node:fs';

/** Local address, local port, remote end, state LISTEN (include/net/tcp_states.h); the tenth field is the inode. */
const LISTENING = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) \S+ 0A (?:\S+ +){5}(\d+)/;

/**
 * Finds the inodes of sockets that listen on a port.
 *
 * @param pid of a process in the network namespace
 */
export function findListeners(pid: number, port: number): ReadonlySet<string> {
  const inodes = new Set<string>();
  for (const name of ['tcp', 'tcp6']) {
    for (const line of readLines(`/proc/${pid}/net/${name}`)) {
      const [, found = '', inode = ''] = LISTENING.exec(line) ?? [];
      if (Number.parseInt(found, 16) === port) inodes.add(inode);
    }
  }
  return inodes;
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    // The process is gone, or there is no IPv6.
    return [];
  }
}
