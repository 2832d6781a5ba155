/**
 * Membership in sorted ranges: a search by halves, written out.
 *
 * @module
 */

import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, type Register } from '../../bpf/instruction.ts';
import type { ValueRange } from '../extended/range-set.ts';
import { wordsOf } from '../words.ts';
import { ADDRESS_REGISTERS } from './values.ts';

/** Where a search ends. */
export interface SearchExits {
  readonly found: Label;
  readonly missing: Label;
}

/** At most this many ranges are compared one after the other. */
const LEAF_RANGES = 3;

class Search {
  readonly #assembler: Assembler;
  readonly #ranges: readonly ValueRange[];
  /** Of the value, the most significant word first. */
  readonly #registers: readonly Register[];
  readonly #exits: SearchExits;

  constructor(
    assembler: Assembler,
    ranges: readonly ValueRange[],
    registers: readonly Register[],
    exits: SearchExits,
  ) {
    this.#assembler = assembler;
    this.#ranges = ranges;
    this.#registers = registers;
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

  #goIfEqual(value: bigint): void {
    const words = this.#wordsOf(value);
    const differs = this.#assembler.newLabel();
    this.#registers.forEach((register, place) => {
      const isLast = place === this.#registers.length - 1;
      if (isLast) this.#assembler.jumpIf('JEQ', register, words[place] ?? 0, this.#exits.found);
      else this.#assembler.jumpIf('JNE', register, words[place] ?? 0, differs);
    });
    this.#assembler.label(differs);
  }

  #goIfBelow(value: bigint, below: Label): void {
    const words = this.#wordsOf(value);
    const notBelow = this.#assembler.newLabel();
    this.#registers.forEach((register, place) => {
      const isLast = place === this.#registers.length - 1;
      const word = words[place] ?? 0;
      // Nothing is below 0, and the first words are 0 more often than not.
      if (word !== 0) this.#assembler.jumpIf('JLT', register, word, below);
      if (!isLast) this.#assembler.jumpIf('JNE', register, word, notBelow);
    });
    this.#assembler.label(notBelow);
  }

  /** The most significant word first, as many as there are registers. */
  #wordsOf(value: bigint): readonly number[] {
    return wordsOf(value).slice(0, this.#registers.length).toReversed();
  }
}

/**
 * Goes to one of the exits. No register is lost.
 *
 * @param ranges - disjoint, ascending, at least one
 * @param wide - the value is in the registers of an address, otherwise in r0
 */
export function emitRangeSearch(
  assembler: Assembler,
  ranges: readonly ValueRange[],
  wide: boolean,
  exits: SearchExits,
): void {
  const registers = wide ? ADDRESS_REGISTERS : [R0];
  new Search(assembler, ranges, registers, exits).emit(0, ranges.length);
}
