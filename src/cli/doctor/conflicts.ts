/**
 * Other programs that take packets, and ways past the rules.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import { withNamespace } from '../../linux/sys/namespace.ts';
import { type Check, ok, warn } from './check.ts';
import { errorText } from './error-text.ts';
import { listFlowtables, listNftTables } from './nft-objects.ts';

/** Columns of /proc/net/netfilter/nfnetlink_queue. */
const COLUMN = { NUMBER: 0, OWNER: 1 } as const;
const OWN_TABLE = /^netdivert-(\d+)-/;

/** What else is at work in a network namespace. */
export async function checkConflicts(namespace: string | undefined): Promise<Check[]> {
  return [
    checkQueues(namespace),
    await checkTables(namespace),
    await checkFlowtables(namespace),
    checkBridges(namespace),
  ];
}

function checkQueues(namespace: string | undefined): Check {
  const name = 'queues';
  try {
    const path = '/proc/thread-self/net/netfilter/nfnetlink_queue';
    const text = withNamespace(namespace, () => readFileSync(path, 'utf8'));
    const lines = text
      .split('\n')
      .filter(Boolean)
      .map((line) => line.trim().split(/\s+/));
    const others = lines.filter((columns) => !isOwn(Number(columns[COLUMN.OWNER])));
    if (others.length === 0) return ok(name, `${lines.length} NFQUEUE queues, none of others`);
    const owners = others.map((columns) => {
      const owner = Number(columns[COLUMN.OWNER]);
      return `${columns[COLUMN.NUMBER]} (${commOf(owner) ?? `port ${owner}`})`;
    });
    return warn(
      name,
      `NFQUEUE queues of other programs: ${owners.join(', ')}`,
      'They see packets too, in the order of the rules: choose --priority accordingly.',
    );
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return ok(name, 'no queue was ever opened here');
    return warn(name, errorText(error), 'Run as root to see which programs have queues.');
  }
}

/** The number of a queue's socket is, as a rule, that of its process. */
function isOwn(owner: number): boolean {
  const name = commOf(owner);
  return name !== null && /^(node|netdivert|MainThread)/.test(name);
}

function commOf(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd();
  } catch {
    return null;
  }
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
