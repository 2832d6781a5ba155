/**
 * What commands on traffic share: the filter, the process, the handle, and what became of the packets.
 *
 * @module
 */

import type { EventStats } from '../divert/event-handle.ts';
import type { NetworkHandle } from '../divert/network-handle.ts';
import type { OpenOptions } from '../divert/options.ts';
import type { Stats } from '../divert/stats.ts';
import { compileFilter, type Dialect, type Filter } from '../filter/index.ts';
import type { Layer } from '../packet/address.ts';
import { plural, tell } from './output.ts';
import { checkProcesses } from './process-check.ts';
import { type ProcessSpec, restrictToProcess } from './process-spec.ts';

const NAMED_NAMESPACES = '/run/netns/';

/** Options of every command that works on traffic. */
export interface TrafficOptions {
  readonly layer?: Layer;
  readonly process?: ProcessSpec;
  /** Capture file instead of live traffic. */
  readonly read?: string;
  /** A name of `ip netns`, or a path. */
  readonly namespace?: string;
  readonly dialect?: Dialect;
  readonly priority?: number;
  readonly count?: number;
  /** Milliseconds. */
  readonly duration?: number;
  readonly json?: boolean;
}

/**
 * Compiles the filter of a command, with the processes it is for.
 *
 * @throws {@link FilterError} when it is not valid
 */
export function trafficFilter(text: string, options: TrafficOptions): Filter {
  const { dialect, layer = 'network', process: spec } = options;
  // What the user wrote is checked first, so that an error shows the user's own text.
  const filter = compileFilter(text, layer, { dialect });
  if (spec === undefined) return filter;
  return compileFilter(restrictToProcess(text, spec), layer, { dialect: 'extended' });
}

/** What `open` is given for them. */
export function openOptions(options: TrafficOptions): OpenOptions {
  const { dialect, layer, namespace, priority, process: spec, read } = options;
  // Those of a file ran elsewhere, and long ago.
  if (spec !== undefined && read === undefined) checkProcesses(spec);
  return {
    ...(layer !== undefined && { layer }),
    ...(priority !== undefined && { priority }),
    ...(namespace !== undefined && { namespace: namespacePath(namespace) }),
    ...((dialect === 'extended' || spec !== undefined) && { dialect: 'extended' as const }),
  };
}

/** Opens a handle for packets. */
export async function openPackets(
  filter: Filter,
  options: TrafficOptions,
  more: OpenOptions,
): Promise<NetworkHandle> {
  const { open } = await import('../open.ts');
  const layer = options.layer === 'forward' ? 'forward' : 'network';
  return await open(filter, { ...openOptions(options), ...more, layer });
}

/** Namespaces made by `ip netns` are known by their names. */
export function namespacePath(namespace: string): string {
  return namespace.includes('/') ? namespace : NAMED_NAMESPACES + namespace;
}

/** Difference between the wall clock and the monotonic clock packets are stamped with. */
export function clockOffsetNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();
}

/** Says on standard error what became of the packets. */
export function tellStats(stats: Stats): void {
  const parts = [`${plural(stats.received, 'packet')} matched`, `${stats.sent} sent on`];
  if (stats.dropped > 0) parts.push(`${stats.dropped} dropped`);
  if (stats.injected > 0) parts.push(`${stats.injected} put in`);
  parts.push(lossText(stats.lost));
  tell(parts.join(', '));
}

/** `3 lost (3 in a full queue)`. */
export function lossText(lost: Stats['lost'] | EventStats['lost']): string {
  const causes = Object.entries(lost)
    .filter(([cause, count]) => cause !== 'total' && count > 0)
    .map(([cause, count]) => `${count} ${LOSS_CAUSES[cause] ?? cause}`);
  return `${lost.total} lost${causes.length > 0 ? ` (${causes.join(', ')})` : ''}`;
}

const LOSS_CAUSES: Readonly<Record<string, string>> = {
  queueFull: 'in a full queue',
  expired: 'waited too long',
  tooBig: 'too big for the queue',
  kernelQueue: "in the kernel's full queue",
  socketOverrun: 'in a full socket buffer',
  lateVerdict: 'decided too late',
  ringFull: 'in a full ring buffer',
  tableFull: 'in a full table of flows',
};
