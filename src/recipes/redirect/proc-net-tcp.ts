/**
 * The kernel's list of TCP sockets as text (proc(5): /proc/net/tcp, /proc/net/tcp6).
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { type EndpointKey, keyOfWords } from './endpoint-key.ts';

/** States of TCP (include/net/tcp_states.h), as the list writes them. */
export const TCP_STATE = { SYN_SENT: '02', LISTEN: '0A' } as const;

const LINE = /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ ([0-9A-F]{2}) (?:\S+ +){5}(\d+)/;

/**
 * Finds the inodes of sockets.
 *
 * @param pid of a process in the network namespace
 * @param state one of {@link TCP_STATE}
 * @param local a port, or an address and port as a key
 */
export function findSockets(
  pid: string,
  state: (typeof TCP_STATE)[keyof typeof TCP_STATE],
  local: number | { readonly key: EndpointKey },
): ReadonlySet<string> {
  const inodes = new Set<string>();
  for (const name of ['tcp', 'tcp6']) {
    for (const line of readLines(`/proc/${pid}/net/${name}`)) {
      const [, address = '', port = '', lineState, inode = ''] = LINE.exec(line) ?? [];
      if (lineState !== state) continue;
      const number = Number.parseInt(port, 16);
      const isFound =
        typeof local === 'number'
          ? number === local
          : keyOfWords(readWords(address), number) === local.key;
      if (isFound) inodes.add(inode);
    }
  }
  return inodes;
}

/** An address as the list writes it: 32-bit words, each in the machine's byte order. */
function readWords(text: string): number[] {
  return (text.match(/.{8}/g) ?? []).map((word) => {
    const bytes = word.match(/../g) ?? [];
    const ordered = endianness() === 'LE' ? bytes.reverse() : bytes;
    return Number.parseInt(ordered.join(''), 16);
  });
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    // The process is gone, or there is no IPv6.
    return [];
  }
}
