/**
 * The sockets there are now, with their processes, as /proc shows them.
 *
 * @module
 */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { withNamespace } from '../../linux/sys/namespace.ts';
import { formatIPv4Address, formatIPv6Address } from '../../packet/ip-text.ts';

/** A socket of a process. */
export interface SocketEntry {
  readonly protocol: 'tcp' | 'udp';
  readonly ipv6: boolean;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly state: string;
  readonly userId: number;
  /** Null where it is not known: another user's process, or none any more. */
  readonly process: SocketOwner | null;
}

/** The process that has a socket open. */
export interface SocketOwner {
  readonly pid: number;
  readonly name: string;
}

/** `include/net/tcp_states.h`, as ss calls them. */
const STATES: readonly string[] = [
  '',
  'established',
  'syn-sent',
  'syn-received',
  'fin-wait-1',
  'fin-wait-2',
  'time-wait',
  'closed',
  'close-wait',
  'last-ack',
  'listening',
  'closing',
  'new',
];
const TABLES = [
  ['tcp', 'tcp', false],
  ['tcp6', 'tcp', true],
  ['udp', 'udp', false],
  ['udp6', 'udp', true],
] as const;
const WORD_DIGITS = 8;
const MAPPED_PREFIX = '::ffff:';
/** Columns of /proc/net/tcp and udp. */
const COLUMN = { LOCAL: 1, REMOTE: 2, STATE: 3, USER: 7, INODE: 9 } as const;

/**
 * Lists TCP and UDP sockets.
 *
 * @param namespace - path of a network namespace; default: this one
 */
export function listSockets(namespace?: string): SocketEntry[] {
  const owners = processesBySocket();
  return withNamespace(namespace, () =>
    TABLES.flatMap(([file, protocol, ipv6]) =>
      readTable(file).map((columns) => toEntry(columns, protocol, ipv6, owners)),
    ),
  );
}

function readTable(file: string): string[][] {
  try {
    const text = readFileSync(`/proc/thread-self/net/${file}`, 'utf8');
    return text
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/));
  } catch {
    // There is no IPv6.
    return [];
  }
}

function toEntry(
  columns: readonly string[],
  protocol: 'tcp' | 'udp',
  ipv6: boolean,
  owners: ReadonlyMap<string, SocketOwner>,
): SocketEntry {
  const [localAddress, localPort] = parseEnd(columns[COLUMN.LOCAL] ?? '');
  const [remoteAddress, remotePort] = parseEnd(columns[COLUMN.REMOTE] ?? '');
  const isMapped = localAddress.startsWith(MAPPED_PREFIX) && localAddress.includes('.');
  return {
    protocol,
    ipv6: ipv6 && !isMapped,
    localAddress: isMapped ? localAddress.slice(MAPPED_PREFIX.length) : localAddress,
    localPort,
    remoteAddress: isMapped ? remoteAddress.slice(MAPPED_PREFIX.length) : remoteAddress,
    remotePort,
    state: stateName(protocol, Number.parseInt(columns[COLUMN.STATE] ?? '', 16)),
    userId: Number(columns[COLUMN.USER]),
    process: owners.get(columns[COLUMN.INODE] ?? '') ?? null,
  };
}

/** UDP sockets have the number of an established or a closed connection. */
function stateName(protocol: 'tcp' | 'udp', state: number): string {
  if (protocol === 'udp') return STATES[state] === 'established' ? 'connected' : 'unconnected';
  return STATES[state] ?? `state ${state}`;
}

/** `0100007F:1F90`: 32-bit words in the order of this machine. */
function parseEnd(text: string): [address: string, port: number] {
  const [digits = '', port = '0'] = text.split(':');
  const words: number[] = [];
  for (let at = 0; at < digits.length; at += WORD_DIGITS) {
    const word = Buffer.from(digits.slice(at, at + WORD_DIGITS), 'hex');
    words.push(isLittleEndian ? word.readUInt32LE() : word.readUInt32BE());
  }
  const [first = 0] = words;
  const address =
    words.length === 1 ? formatIPv4Address(first) : formatIPv6Address(words.reverse());
  return [address, Number.parseInt(port, 16)];
}

const isLittleEndian: boolean = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Processes by the inode numbers of their sockets, as far as this user may see them. */
export function processesBySocket(): Map<string, SocketOwner> {
  const owners = new Map<string, SocketOwner>();
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const inodes = socketInodes(pid);
    if (inodes.length === 0) continue;
    const owner = { pid: Number(pid), name: processName(pid) };
    for (const inode of inodes) if (!owners.has(inode)) owners.set(inode, owner);
  }
  return owners;
}

function socketInodes(pid: string): string[] {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).flatMap((fd) => {
      const found = /^socket:\[(\d+)\]$/.exec(readLink(`${folder}/${fd}`));
      return found?.[1] === undefined ? [] : [found[1]];
    });
  } catch {
    // It ended, or it is another user's.
    return [];
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function processName(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd();
  } catch {
    return '?';
  }
}
