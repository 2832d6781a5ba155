/**
 * Other programs that take packets, and ways past the rules.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import { withNamespace } from '../../linux/sys/namespace.ts';
import { safeText } from '../packet-line.ts';
import { processesBySocket, type SocketOwner } from '../proc/socket-list.ts';
import { type Check, ok, warn } from './check.ts';
import { errorText } from './error-text.ts';
import { listFlowtables, listNftTables } from './nft-objects.ts';

/** Columns of /proc/net/netfilter/nfnetlink_queue. */
const QUEUE = { NUMBER: 0, PORT: 1 } as const;
/** Columns of /proc/net/netlink. */
const SOCKET = { PROTOCOL: 1, PORT: 2, INODE: 9 } as const;
const NETLINK_NETFILTER = '12';
const OWN_TABLE = /^netdivert-(\d+)-/;

/** What else is at work in a network namespace. */
export async function checkConflicts(namespace: string | undefined): Promise<Check[]> {
  return [
    await checkQueues(namespace),
    await checkTables(namespace),
    await checkFlowtables(namespace),
    checkBridges(namespace),
  ];
}

async function checkQueues(namespace: string | undefined): Promise<Check> {
  const name = 'queues';
  try {
    const [queues, sockets] = withNamespace(namespace, () => [
      readColumns('netfilter/nfnetlink_queue'),
      readColumns('netlink').slice(1),
    ]);
    const own = await processesOfTables(namespace);
    const owners = queues.map((columns) => ownerOf(columns[QUEUE.PORT] ?? '', sockets));
    const others = queues.flatMap((columns, index) => {
      const owner = owners[index];
      if (owner && own.has(owner.pid)) return [];
      const who = owner ? `${safeText(owner.name)}[${owner.pid}]` : `port ${columns[QUEUE.PORT]}`;
      return [`${columns[QUEUE.NUMBER]} (${who})`];
    });
    if (others.length === 0) return ok(name, `${queues.length} NFQUEUE queues, none of others`);
    return warn(
      name,
      `NFQUEUE queues of other programs: ${others.join(', ')}`,
      'They see packets too, in the order of the rules: choose --priority accordingly.',
    );
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return ok(name, 'no queue was ever opened here');
    return warn(name, errorText(error), 'Run as root to see which programs have queues.');
  }
}

function readColumns(file: string): string[][] {
  const text = readFileSync(`/proc/thread-self/net/${file}`, 'utf8');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => line.trim().split(/\s+/));
}

/** The process that has the netlink socket of a queue. */
function ownerOf(port: string, sockets: readonly string[][]): SocketOwner | null {
  const socket = sockets.find(
    (columns) => columns[SOCKET.PROTOCOL] === NETLINK_NETFILTER && columns[SOCKET.PORT] === port,
  );
  return socket === undefined
    ? null
    : (processesBySocket().get(socket[SOCKET.INODE] ?? '') ?? null);
}

/** Processes of this program: each has a table with its number in the name. */
async function processesOfTables(namespace: string | undefined): Promise<Set<number>> {
  const tables = await listNftTables(namespace);
  return new Set(tables.flatMap((table) => Number(OWN_TABLE.exec(table.name)?.[1] ?? 0)));
}

async function checkTables(namespace: string | undefined): Promise<Check> {
  const name = 'tables';
  try {
    const tables = await listNftTables(namespace);
    const own = tables.filter((table) => OWN_TABLE.test(table.name)).length;
    return ok(name, `${tables.length - own} nf_tables tables of others, ${own} of netdivert`);
  } catch (error) {
    return warn(name, errorText(error), 'Run as root to see which rules there are.');
  }
}

async function checkFlowtables(namespace: string | undefined): Promise<Check> {
  const name = 'flow-offload';
  try {
    const found = await listFlowtables(namespace);
    if (found.length === 0) return ok(name, 'no flowtable: forwarded packets meet every rule');
    return warn(
      name,
      `flowtables let established forwarded connections pass by all rules: ${found.join(', ')}`,
      'Take the connections in question out of the "flow add" rules, or delete the flowtable.',
    );
  } catch (error) {
    return warn(name, errorText(error), 'Run as root to see whether there are flowtables.');
  }
}

/** What a bridge forwards is no IP traffic of this host. */
function checkBridges(namespace: string | undefined): Check {
  const name = 'bridges';
  try {
    const path = '/proc/thread-self/net/dev';
    const text = withNamespace(namespace, () => readFileSync(path, 'utf8'));
    const bridges = [...text.matchAll(/^\s*((?:br|docker|virbr|cni)[\w.-]*):/gm)].map(
      ([, dev]) => dev,
    );
    if (bridges.length === 0) return ok(name, 'none');
    return warn(
      name,
      `${bridges.join(', ')}: what a bridge passes on between its ports meets no rule for IP`,
      'modprobe br_netfilter and sysctl net.bridge.bridge-nf-call-iptables=1, where it shall.',
    );
  } catch (error) {
    return warn(name, errorText(error), 'Give a network namespace that exists.');
  }
}
