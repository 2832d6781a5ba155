/**
 * What a scenario may leave nothing of: descriptors, maps, programs, tables, queues, devices.
 *
 * @module
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { NetlinkSocket } from '../../src/linux/netlink/socket.ts';
import { namesOfMaps, programsOf } from '../helpers/kernel-objects.ts';
import type { Network, NetworkEnd } from '../helpers/namespaces.ts';
import { inside, readInside } from './wire.ts';

const GET_TABLE = (10 << 8) | 1;
const NLM_F_DUMP = 0x300;

/** How many there are of each. */
export type Inventory = Readonly<Record<string, number>>;

function descriptors(): string[] {
  const found: string[] = [];
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`).replace(/\[?\d+\]?/g, '');
      found.push(`descriptor ${target}`);
    } catch {
      // The one the folder was read through.
    }
  }
  return found;
}

function tables(end: NetworkEnd): string[] {
  const socket = inside(end, () => new NetlinkSocket());
  const message = { type: GET_TABLE, flags: NLM_F_DUMP, family: 0, resource: 0, attributes: [] };
  const answers = socket.query('list tables', message);
  void socket.close();
  return answers.map(() => `table in ${end.name}`);
}

function objects(): string[] {
  const maps = namesOfMaps().filter((name) => name.endsWith(String(process.pid)));
  return [...maps.map((name) => `map ${name}`), ...programsOf(process.pid)];
}

function lines(end: NetworkEnd, what: string, file: string): string[] {
  return readInside(end, file)
    .split('\n')
    .filter(Boolean)
    .map(() => `${what} in ${end.name}`);
}

/** Counts what this process has. */
export function takeInventory({ b }: Network): Inventory {
  const all = [
    ...descriptors(),
    ...objects(),
    ...tables(b),
    ...lines(b, 'queue', 'net/netfilter/nfnetlink_queue'),
    ...lines(b, 'device', 'net/dev'),
  ];
  const counts: Record<string, number> = {};
  for (const name of all) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function difference(before: Inventory, after: Inventory): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  const found: string[] = [];
  for (const name of names) {
    const more = (after[name] ?? 0) - (before[name] ?? 0);
    if (more > 0) found.push(`${name}: ${more} more`);
  }
  return found;
}

/** What is there that was not before, once the kernel had time to end what it ends by itself. */
export async function findLeftovers(before: Inventory, network: Network): Promise<string[]> {
  let found: string[] = [];
  for (let tries = 0; tries < 60; tries++) {
    // The sockets of the last look close in the background.
    await sleep(tries === 0 ? 15 : 25);
    found = difference(before, takeInventory(network));
    if (found.length === 0) break;
  }
  return found;
}
