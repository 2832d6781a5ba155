/**
 * A piece of the filter text with a mark under the place that is meant.
 *
 * @module
 */

import { BLANKS, INVISIBLE } from './visible.ts';

/** Widest piece shown, in characters. */
const MAX_WIDTH = 76;
const INDENT = '  ';
const ELLIPSIS = '…';

/** Replaces what a terminal would obey; one character for one, so that columns agree. */
function printable(text: string): string {
  return text.replace(BLANKS, ' ').replace(INVISIBLE, '\ufffd');
}

/**
 * Two lines: the text around a place, and carets under it.
 *
 * @param source - the whole filter
 * @param position - offset of the first character to mark, at most `source.length`
 * @param length - how many characters to mark; one caret at least
 */
export function excerpt(source: string, position: number, length: number): string {
  const cut = source.length > MAX_WIDTH;
  const wanted = position - Math.floor(MAX_WIDTH / 2);
  const from = cut ? Math.max(0, Math.min(wanted, source.length - MAX_WIDTH)) : 0;
  const to = cut ? from + MAX_WIDTH : source.length;
  const before = from > 0 ? ELLIPSIS : '';
  const after = to < source.length ? ELLIPSIS : '';
  const line = INDENT + before + printable(source.slice(from, to)) + after;
  const column = INDENT.length + before.length + position - from;
  const marks = Math.max(1, Math.min(length, to - position));
  return `${line}\n${' '.repeat(column)}${'^'.repeat(marks)}`;
}
