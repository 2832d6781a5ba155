/**
 * What to write instead: one piece of advice for what users really write.
 *
 * @module
 */

import type { Layer } from '../../packet/address.ts';
import type { FilterProblem } from '../problem.ts';
import { cidrHint, endpointHint, hostNameHint, wildcardHint } from './address.ts';
import { bpfHint } from './bpf.ts';
import { type HintRule, MAX_CONTEXT } from './context.ts';
import { eventHint, layerHint } from './layer.ts';
import {
  comparisonHint,
  joinHint,
  missingHint,
  notGroupHint,
  numberAsTestHint,
  parenthesisHint,
  signHint,
} from './structure.ts';
import {
  characterHint,
  commaHint,
  listHint,
  maskHint,
  numberHint,
  rangeHint,
  singleSignHint,
  sliceHint,
  stringHint,
} from './values.ts';
import { bothEndsHint, caseHint, otherNameHint, spellingHint, ternaryColonHint } from './words.ts';

/** The first rule with an answer wins: the special ones stand before the general ones. */
const RULES: readonly HintRule[] = [
  notGroupHint,
  layerHint,
  eventHint,
  bpfHint,
  listHint,
  cidrHint,
  wildcardHint,
  endpointHint,
  hostNameHint,
  maskHint,
  singleSignHint,
  sliceHint,
  stringHint,
  rangeHint,
  commaHint,
  characterHint,
  caseHint,
  bothEndsHint,
  otherNameHint,
  ternaryColonHint,
  numberHint,
  spellingHint,
  signHint,
  comparisonHint,
  numberAsTestHint,
  missingHint,
  parenthesisHint,
  joinHint,
];

const LIMIT_ADVICE: ReadonlyMap<string, string> = new Map([
  ['token-limit', 'Split it over several handles, or match a range and decide in your own code'],
  ['test-limit', 'Split it over several handles, or match a range and decide in your own code'],
  ['depth', 'A chain of tests needs no parentheses, and "and" binds tighter than "or"'],
  ['byte-suffix', 'Write the number without b'],
  [
    'index',
    'packet16[1] is the second word, packet16[1b] the word at the second byte, packet16[-1] the last word',
  ],
  ['object', 'Use the object string exactly as Filter.object gives it, or the filter text'],
]);

/** With a full stop, unless something to copy stands at the end, after a colon. */
function sentence(hint: string): string {
  return hint.includes(':') || hint.endsWith('?') ? hint : `${hint}.`;
}

/**
 * Advice for a problem.
 *
 * @returns one sentence, `undefined` when there is nothing to say beyond the message
 */
export function hintFor(source: string, layer: Layer, problem: FilterProblem): string | undefined {
  const { reason, position, length } = problem;
  const limit = LIMIT_ADVICE.get(reason.kind);
  if (limit !== undefined) return sentence(limit);
  const word = source.slice(position, position + length);
  const before = source.slice(Math.max(0, position - MAX_CONTEXT), position);
  const after = source.slice(position + length, position + length + MAX_CONTEXT);
  for (const rule of RULES) {
    const hint = rule({ source, layer, reason, word, position, before, after });
    if (hint !== null) return sentence(hint);
  }
  return undefined;
}
