/**
 * Where the sockets of a network namespace are connected to, as /proc/PID/net tells it.
 *
 * Not `getpeername`: the programs of the tracker take that for use by the process that calls it, and
 * there may be several trackers on a machine.
 *
 * @module
 */
import { readFileSync, readlinkSync } from 'node:fs';

/** The other end of a socket. */
export interface RemoteEnd {
  /** Words as in `event-layout.ts`. */
  readonly address: readonly number[];
  readonly port: number;
  /** `TCP_STATE`; connected UDP sockets are established too. */
  readonly state: number;
}

const FILES = ['tcp', 'tcp6', 'udp', 'udp6'] as const;
/** Columns of a line (proc_pid_net(5)). */
const COLUMN = { REMOTE: 2, STATE: 3, INODE: 9 } as const;
const MAPPED_WORD = 0xffff;

/** Reads the files of each namespace once. */
export class ProcNet {
  readonly #namespaces = new Map<string, ReadonlyMap<string, RemoteEnd>>();

  /**
   * The other end of a process's socket; null when it is in no list.
   *
   * @param inode as in the descriptor's link
   */
  find(pid: number, inode: string): RemoteEnd | null {
    const namespace = readlinkSync(`/proc/${pid}/ns/net`);
    let sockets = this.#namespaces.get(namespace);
    if (sockets === undefined) {
      sockets = new Map(FILES.flatMap((file) => readSockets(`/proc/${pid}/net/${file}`)));
      this.#namespaces.set(namespace, sockets);
    }
    return sockets.get(inode) ?? null;
  }
}

function readSockets(path: string): [inode: string, RemoteEnd][] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // No IPv6 in this kernel.
    return [];
  }
  return parseSockets(text);
}

/** Reads the lines below the heading. */
export function parseSockets(text: string): [inode: string, RemoteEnd][] {
  const lines = text.split('\n').slice(1);
  return lines.flatMap((line) => {
    const columns = line.trim().split(/\s+/);
    const inode = columns[COLUMN.INODE];
    const [address = '', port = ''] = columns[COLUMN.REMOTE]?.split(':') ?? [];
    if (inode === undefined || port === '') return [];
    const state = Number.parseInt(columns[COLUMN.STATE] ?? '0', 16);
    return [[inode, { address: parseAddress(address), port: Number.parseInt(port, 16), state }]];
  });
}

/** Words in network order, printed as numbers of this machine, the most significant first. */
function parseAddress(text: string): number[] {
  const words = (text.match(/.{8}/g) ?? [])
    .map((word) => swap(Number.parseInt(word, 16)))
    .reverse();
  return words.length === 1 ? [...words, MAPPED_WORD, 0, 0] : words;
}

function swap(word: number): number {
  return (
    (((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0
  );
}
