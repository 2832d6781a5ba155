/** What the kernel counted in a namespace. */

import type { NetworkEnd } from '../../test/helpers/namespaces.ts';

/** Columns of `/proc/net/netfilter/nfnetlink_queue`. */
const COLUMN = { WAITING: 2, QUEUE_DROPPED: 5, USER_DROPPED: 6, LAST_ID: 7 } as const;

/** Sums over the namespace's queues. */
export interface QueueCounters {
  readonly waiting: number;
  readonly dropped: number;
  /** Packets that were ever queued. */
  readonly queued: number;
}

export async function readQueues(end: NetworkEnd): Promise<QueueCounters> {
  const { stdout } = await end.exec('cat', ['/proc/net/netfilter/nfnetlink_queue']);
  const rows = stdout
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const sum = (column: number): number =>
    rows.reduce((total, row) => total + (row[column] ?? 0), 0);
  return {
    waiting: sum(COLUMN.WAITING),
    dropped: sum(COLUMN.QUEUE_DROPPED) + sum(COLUMN.USER_DROPPED),
    queued: sum(COLUMN.LAST_ID),
  };
}

/** UDP datagrams that sockets of a namespace got. */
export async function readDatagrams(end: NetworkEnd): Promise<number> {
  const { stdout } = await end.exec('cat', ['/proc/net/snmp']);
  const [names = [], values = []] = stdout
    .split('\n')
    .filter((line) => line.startsWith('Udp:'))
    .map((line) => line.split(' '));
  return Number(values[names.indexOf('InDatagrams')] ?? 0);
}
