/**
 * What the kernel itself counts in a namespace: packets at the input hook before and behind all
 * handles, a handle's rules, its queue, datagrams delivered.
 *
 * @module
 */
import type { NetworkEnd } from './namespaces.ts';
import { runNft } from './nft.ts';

const TABLE = 'watch';

export interface KernelView {
  /** Packets that came to the input hook, not on loopback. */
  readonly arrived: number;
  /** Of those, the ones that got through all handles. */
  readonly through: number;
  /** Of the one handle of the namespace. */
  readonly offered: number;
  readonly matched: number;
  readonly queueDropped: number;
  readonly userDropped: number;
  /** Packets without a verdict. */
  readonly waiting: number;
  /** Datagrams put into a socket or refused by a full one. */
  readonly datagrams: number;
}

/** Puts the counters before and behind in. Do it before a handle is opened. */
export async function startWatching(end: NetworkEnd): Promise<void> {
  const rules = `table inet ${TABLE} {
    counter arrived {}
    counter through {}
    chain first { type filter hook input priority -90000; iif != lo counter name arrived; }
    chain last { type filter hook input priority 100; iif != lo counter name through; }
  }`;
  await runNft(end, rules);
}

/** Takes them out; no handle may be open. */
export async function stopWatching(end: NetworkEnd): Promise<void> {
  await runNft(end, `delete table inet ${TABLE}`);
}

export async function readKernelView(end: NetworkEnd): Promise<KernelView> {
  const counters = await readCounters(end);
  const one = (wanted: RegExp): number => {
    const found = [...counters].filter(([name]) => wanted.test(name));
    if (found.length > 1) throw new Error(`several counters like ${wanted}`);
    return found[0]?.[1] ?? 0;
  };
  const queue = await readQueue(end);
  const snmp = (await end.exec('cat', ['/proc/net/snmp'])).stdout;
  const [names = [], values = []] = snmp
    .split('\n')
    .filter((line) => line.startsWith('Udp:'))
    .map((line) => line.split(' '));
  const udp = (name: string): number => Number(values[names.indexOf(name)]);
  return {
    arrived: counters.get('arrived') ?? 0,
    through: counters.get('through') ?? 0,
    offered: one(/^handle-\d+-offered$/),
    matched: one(/^handle-\d+$/),
    queueDropped: queue[5] ?? 0,
    userDropped: queue[6] ?? 0,
    waiting: queue[2] ?? 0,
    datagrams: udp('InDatagrams') + udp('RcvbufErrors'),
  };
}

/** Named counters of all tables. */
async function readCounters(end: NetworkEnd): Promise<Map<string, number>> {
  const { stdout } = await end.exec('nft', ['-j', 'list', 'counters']);
  const objects: { counter?: { name: string; packets: number } }[] = JSON.parse(stdout).nftables;
  return new Map(objects.flatMap(({ counter: c }) => (c ? [[c.name, c.packets] as const] : [])));
}

/** The fields of the only line, or none. */
async function readQueue(end: NetworkEnd): Promise<number[]> {
  const { stdout } = await end.exec('cat', ['/proc/net/netfilter/nfnetlink_queue']);
  const lines = stdout.trim().split('\n');
  if (lines.length > 1) throw new Error('several queues');
  return (lines[0] ?? '').trim().split(/\s+/).map(Number);
}
