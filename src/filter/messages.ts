/**
 * Problems in words: a sentence, the place in the filter, and what to write instead.
 *
 * @module
 */

import { FilterError } from '../errors.ts';
import type { Layer } from '../packet/address.ts';
import { excerpt } from './excerpt.ts';
import { ALL_FIELDS } from './extended/fields.ts';
import type { Expectation, FilterProblem } from './problem.ts';
import { visible } from './visible.ts';

const MAX_QUOTED = 48;

function quoted(foreign: string): string {
  const text = visible(foreign);
  const mark = text.includes('"') ? "'" : '"';
  return text.length > MAX_QUOTED
    ? `${mark}${text.slice(0, MAX_QUOTED)}…${mark}`
    : `${mark}${text}${mark}`;
}

const EXPECTED: Record<Expectation, string> = {
  test: 'a field, "not" or "("',
  number: 'a number or an address',
  end: '"and", "or" or the end of the filter',
  close: '")", "and" or "or"',
  index: 'a number',
  bracket: '"[" and an index',
  'bracket-end': '"]"',
  colon: '":", "and" or "or"',
};

/** What stands at the place of a problem. */
function found(source: string, { position, length }: FilterProblem): string {
  return length === 0
    ? 'the filter ends'
    : `there is ${quoted(source.slice(position, position + length))}`;
}

function sentenceFor(source: string, layer: Layer, problem: FilterProblem): string {
  const { reason } = problem;
  const text = quoted(source.slice(problem.position, problem.position + problem.length));
  switch (reason.kind) {
    case 'character':
      return `${text} has no meaning in a filter`;
    case 'word':
      return `${text} is not a field, a macro, a number or an address`;
    case 'long-word':
      return `${text} is longer than the 39 characters a word may have`;
    case 'layer':
      return `the ${layer} layer has no field ${ALL_FIELDS[reason.field]?.name}`;
    case 'token-limit':
      return 'the filter has more than 1277 tokens';
    case 'test-limit':
      return 'the filter has more than 256 tests';
    case 'depth':
      return 'parentheses or "or" are nested too deeply (340 parentheses are the limit)';
    case 'index':
      return 'the index is out of bounds (the bytes at 0b to 65535b, or -1b to -65535b from the end)';
    case 'byte-suffix':
      return `${text} is a byte index and stands between [ and ] only`;
    case 'macro':
      return `${text} is not an event of the ${layer} layer`;
    case 'not-group':
      return '"not" applies to a single test, not to parentheses';
    case 'object':
      return `the object string cannot be read on from offset ${reason.stoppedAt}`;
    case 'stated':
      return reason.sentence;
    case 'expected':
      if (source.trim() === '') return 'the filter is empty';
      return `${EXPECTED[reason.what]} expected, but ${found(source, problem)}`;
  }
}

/**
 * The error for a problem.
 *
 * @param source - the filter as given
 * @param layer - the layer it was compiled for
 * @param hint - what to write instead, one sentence
 */
export function filterError(
  source: string,
  layer: Layer,
  problem: FilterProblem,
  hint: string | undefined,
): FilterError {
  const { code, position, length } = problem;
  const sentence = sentenceFor(source, layer, problem);
  // WinDivert's position of a damaged object is always 0; where reading stopped says more.
  const place = problem.reason.kind === 'object' ? problem.reason.stoppedAt : position;
  const message = `bad filter: ${sentence}\n${excerpt(source, place, length)}`;
  return new FilterError(code, message, source, position, { hint: hint && visible(hint) });
}
