/**
 * Outgoing devices at LOCAL_OUT, where a packet does not know its own: the rule does, so a filter
 * that asks for `ifIdx` becomes one program for each range of indexes that it treats alike.
 *
 * @module
 */
import { FIELD } from '../filter/fields.ts';
import type { FilterTest } from '../filter/graph.ts';
import { LOOPBACK_IFINDEX } from './sys/constants.ts';

const MAX_INTERFACE = 0xffff_ffff;

/** Interface indexes, both ends included. */
export interface InterfaceRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Splits all indexes into ranges that no `ifIdx` test of a filter tells apart; lo is always by
 * itself.
 *
 * @param tests the decision graph
 * @returns ranges in order, without a gap
 */
export function interfaceRanges(tests: readonly FilterTest[]): InterfaceRange[] {
  const named = tests
    .filter(({ field }) => field === FIELD.ifIdx)
    .map(({ value }) => value[0] >>> 0);
  const starts = new Set([LOOPBACK_IFINDEX, ...named].flatMap((index) => [index, index + 1]));
  const ordered = [...starts]
    .filter((index) => index >= LOOPBACK_IFINDEX && index <= MAX_INTERFACE)
    .sort((a, b) => a - b);
  return ordered.map((first, at) => ({ first, last: (ordered[at + 1] ?? MAX_INTERFACE + 1) - 1 }));
}

/** Whether a range is lo. */
export function isLoopback({ first }: InterfaceRange): boolean {
  return first === LOOPBACK_IFINDEX;
}
