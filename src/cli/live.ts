/**
 * What commands on live traffic share.
 *
 * @module
 */

import type { Stats } from '../index.ts';
import type { Layer } from '../packet/address.ts';
import { plural, tell } from './output.ts';

const NAMED_NAMESPACES = '/run/netns/';

/** Options of every live command, as they come from the command line. */
export interface LiveOptions {
  readonly layer: Layer;
  readonly namespace?: string;
  readonly count?: number;
}

/** The options of `open` that they mean. */
export function openOptions({ layer, namespace }: LiveOptions): {
  layer: 'network' | 'forward';
  namespace?: string;
} {
  return {
    layer: layer === 'forward' ? 'forward' : 'network',
    ...(namespace === undefined ? {} : { namespace: namespacePath(namespace) }),
  };
}

/** Namespaces made by `ip netns` are known by their names. */
function namespacePath(namespace: string): string {
  return namespace.includes('/') ? namespace : NAMED_NAMESPACES + namespace;
}

/** Difference between the wall clock and the monotonic clock packets are stamped with. */
export function clockOffsetNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();
}

/** Says on standard error what became of the packets. */
export function tellStats(stats: Stats): void {
  const lost = Object.entries(stats.lost)
    .filter(([cause, count]) => cause !== 'total' && count > 0)
    .map(([cause, count]) => `${count} ${LOSS_CAUSES[cause] ?? cause}`);
  const parts = [`${plural(stats.received, 'packet')} matched`, `${stats.sent} sent on`];
  if (stats.dropped > 0) parts.push(`${stats.dropped} dropped`);
  parts.push(`${stats.lost.total} lost${lost.length > 0 ? ` (${lost.join(', ')})` : ''}`);
  tell(parts.join(', '));
}

const LOSS_CAUSES: Readonly<Record<string, string>> = {
  queueFull: 'in a full queue',
  expired: 'waited too long',
  tooBig: 'too big for the queue',
  kernelQueue: "in the kernel's full queue",
  socketOverrun: 'in a full socket buffer',
  lateVerdict: 'decided too late',
  ringFull: 'in a full ring buffer',
};
