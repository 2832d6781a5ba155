/**
 * Membership in sorted ranges: a search by halves, written out.
 *
 * @module
 */

import type { Assembler, Label } from '../../bpf/assembler.ts';
import type { Register } from '../../bpf/instruction.ts';
import type { ValueRange } from '../extended/range-set.ts';
import { wordsOf } from '../words.ts';

/** Where a search ends. */
export interface SearchExits {
  readonly found: Label;
  readonly missing: Label;
}

/** How to get at the value that is searched for. */
export interface SearchedValue {
  /** How many words it has. */
  readonly words: 1 | 2 | 4;
  /** Brings a word, 0 being the least significant, into a register. */
  load(word: number): Register;
}

/** At most this many ranges are compared one after the other. */
const LEAF_RANGES = 3;

class Search {
  readonly #assembler: Assembler;
  readonly #ranges: readonly ValueRange[];
  readonly #value: SearchedValue;
  readonly #exits: SearchExits;

  constructor(
    assembler: Assembler,
    ranges: readonly ValueRange[],
    value: SearchedValue,
    exits: SearchExits,
  ) {
    this.#assembler = assembler;
    this.#ranges = ranges;
    this.#value = value;
    this.#exits = exits;
  }

  /** Searches the ranges from `from` up to but not including `to`. */
  emit(from: number, to: number): void {
    if (to - from <= LEAF_RANGES) {
      for (const range of this.#ranges.slice(from, to)) this.#emitRange(range);
      this.#assembler.jump(this.#exits.missing);
      return;
    }
    const middle = (from + to) >> 1;
    const below = this.#assembler.newLabel();
    this.#goIfBelow(this.#ranges[middle]?.low ?? 0n, below);
    this.emit(middle, to);
    this.#assembler.label(below);
    this.emit(from, middle);
  }

  /** All ranges that follow are greater, and the value is in none of those before. */
  #emitRange({ low, high }: ValueRange): void {
    if (low === high) {
      this.#goIfEqual(low);
      return;
    }
    this.#goIfBelow(low, this.#exits.missing);
    this.#goIfBelow(high, this.#exits.found);
    this.#goIfEqual(high);
  }

  #goIfEqual(constant: bigint): void {
    const words = wordsOf(constant);
    const differs = this.#assembler.newLabel();
    for (let word = this.#value.words - 1; word > 0; word--) {
      this.#assembler.jumpIf('JNE', this.#value.load(word), words[word] ?? 0, differs);
    }
    this.#assembler.jumpIf('JEQ', this.#value.load(0), words[0], this.#exits.found);
    this.#assembler.label(differs);
  }

  #goIfBelow(constant: bigint, below: Label): void {
    const words = wordsOf(constant);
    const notBelow = this.#assembler.newLabel();
    for (let word = this.#value.words - 1; word >= 0; word--) {
      const part = words[word] ?? 0;
      // Nothing is below 0, and the first words are 0 more often than not.
      if (word === 0 && part === 0) break;
      const register = this.#value.load(word);
      if (part !== 0) this.#assembler.jumpIf('JLT', register, part, below);
      if (word > 0) this.#assembler.jumpIf('JNE', register, part, notBelow);
    }
    this.#assembler.label(notBelow);
  }
}

/**
 * Goes to one of the exits. No register is lost but what loading the value loses.
 *
 * @param ranges - disjoint, ascending, at least one, of unsigned values
 */
export function emitRangeSearch(
  assembler: Assembler,
  ranges: readonly ValueRange[],
  value: SearchedValue,
  exits: SearchExits,
): void {
  new Search(assembler, ranges, value, exits).emit(0, ranges.length);
}
