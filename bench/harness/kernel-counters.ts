/** What the kernel counted in a namespace. */

import type { NetworkEnd } from '../../test/helpers/namespaces.ts';
import { sleep } from './arena.ts';

const LOOK_MS = 30;
const DRAIN_TIMEOUT_MS = 10_000;

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

/** Waits until nothing is in a queue any more and no datagram came in a while. */
export async function drained(end: NetworkEnd): Promise<void> {
  const deadline = Date.now() + DRAIN_TIMEOUT_MS;
  for (let passed = -1; Date.now() < deadline; ) {
    await sleep(LOOK_MS);
    const { waiting } = await readQueues(end);
    const now = await readDatagrams(end);
    if (waiting === 0 && now === passed) return;
    passed = now;
  }
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
