/**
 * Constant sets: the values, ranges and prefixes between braces, sorted and joined.
 *
 * @module
 */

import { itemAt } from '../../packet/bytes.ts';
import { wordsOf } from '../words.ts';
import { FilterSet } from './filter-set.ts';
import { hostMask, prefixText, VALUE_BITS } from './set-entry.ts';

/** All values from `low` to `high`, both included. */
export interface ValueRange {
  readonly low: bigint;
  readonly high: bigint;
}

/**
 * Sorts ranges and joins those that touch.
 *
 * @returns disjoint ranges, ascending, with a gap between any two
 */
export function joinRanges(ranges: readonly ValueRange[]): ValueRange[] {
  const sorted = [...ranges].sort((one, other) => (one.low < other.low ? -1 : 1));
  const joined: { low: bigint; high: bigint }[] = [];
  for (const { low, high } of sorted) {
    const last = joined.at(-1);
    if (last === undefined || low > last.high + 1n) joined.push({ low, high });
    else if (high > last.high) last.high = high;
  }
  return joined;
}

const WORDS = 4;

function pack(values: readonly bigint[]): Uint32Array {
  const packed = new Uint32Array(values.length * WORDS);
  values.forEach((value, index) => {
    packed.set(wordsOf(value), index * WORDS);
  });
  return packed;
}

/** Sorted ranges of values of up to 128 bits, searched by halves. */
export class RangeSet {
  /** Disjoint, ascending. */
  readonly ranges: readonly ValueRange[];
  readonly #lows: Uint32Array;
  readonly #highs: Uint32Array;
  #mirror: FilterSet | undefined;

  /** @param ranges - as {@link joinRanges} returns them, of unsigned values */
  constructor(ranges: readonly ValueRange[]) {
    this.ranges = ranges;
    this.#lows = pack(ranges.map(({ low }) => low));
    this.#highs = pack(ranges.map(({ high }) => high));
  }

  /** Whether a value is in a range. Allocates nothing. */
  hasWords(w0: number, w1: number, w2: number, w3: number): boolean {
    // The last range that does not begin above the value.
    let from = 0;
    let to = this.ranges.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (order(this.#lows, middle, w0, w1, w2, w3) > 0) to = middle;
      else from = middle + 1;
    }
    return from > 0 && order(this.#highs, from - 1, w0, w1, w2, w3) >= 0;
  }

  /** The same values as a set that a kernel map can hold. Made once. */
  get mirror(): FilterSet {
    this.#mirror ??= new FilterSet(this.ranges.flatMap(prefixesOf));
    return this.#mirror;
  }
}

/** Negative, 0 or positive: a bound against a value. */
function order(
  bounds: Uint32Array,
  index: number,
  w0: number,
  w1: number,
  w2: number,
  w3: number,
): number {
  const at = index * WORDS;
  return (
    itemAt(bounds, at + 3) - (w3 >>> 0) ||
    itemAt(bounds, at + 2) - (w2 >>> 0) ||
    itemAt(bounds, at + 1) - (w1 >>> 0) ||
    itemAt(bounds, at) - (w0 >>> 0)
  );
}

/** The fewest prefixes that make up a range. */
export function prefixesOf({ low, high }: ValueRange): string[] {
  const prefixes: string[] = [];
  for (let at = low; at <= high; ) {
    let length = VALUE_BITS;
    while (length > 0 && isPrefix(at, length - 1) && (at | hostMask(length - 1)) <= high) length--;
    prefixes.push(prefixText(wordsOf(at), length));
    at = (at | hostMask(length)) + 1n;
  }
  return prefixes;
}

function isPrefix(value: bigint, length: number): boolean {
  return (value & hostMask(length)) === 0n;
}
