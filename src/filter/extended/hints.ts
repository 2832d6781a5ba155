/**
 * Advice for filters of the extended dialect, and advice to use it.
 *
 * @module
 */

import type { Layer } from '../../packet/address.ts';
import { hintFor } from '../hints/hints.ts';
import type { FilterProblem } from '../problem.ts';
import { ALL_FIELDS, isExtendedName } from './fields.ts';

/** What WinDivert's advice says of things that are allowed here. */
const OUTDATED =
  /^There (?:is|are) no (?:"in"|CIDR|bit operations|lists|ranges|strings)|^Use parentheses/;
const SETS =
  'Sets, ranges and prefixes: tcp.DstPort in { 80, 8000..8100 }, ip.DstAddr == 10.0.0.0/8';

/**
 * Advice for a problem of the extended dialect.
 *
 * @returns one sentence, `undefined` when there is nothing to say beyond the message
 */
export function extendedHintFor(
  source: string,
  layer: Layer,
  problem: FilterProblem,
): string | undefined {
  const { reason } = problem;
  if (reason.kind === 'stated') return reason.hint;
  if (reason.kind === 'layer' && isExtendedName(ALL_FIELDS[reason.field]?.name ?? '')) {
    return layer === 'forward'
      ? 'Forwarded packets belong to no process of this host.'
      : 'Handles have a process id only: processId.';
  }
  const hint = hintFor(source, layer, problem);
  return hint !== undefined && OUTDATED.test(hint) ? SETS : hint;
}

/**
 * Advice for a filter that WinDivert's dialect refuses and the extended one takes.
 *
 * @param hint - how to say it without
 */
export function offerExtended(hint: string | undefined): string {
  if (hint === undefined) return "Use dialect 'extended'.";
  return hint.includes('Write: ')
    ? hint.replace('Write: ', "Use dialect 'extended', or write: ")
    : `${hint.replace(/\.$/, '')}, or use dialect 'extended'.`;
}
