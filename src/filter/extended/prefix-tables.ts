/**
 * Values and prefixes in tables of plain 32-bit words: one hash table with open addressing for each length
 * of prefix. Looking up allocates nothing.
 *
 * @module
 */

import { itemAt } from '../../packet/bytes.ts';

const STATE = { EMPTY: 0, USED: 1, DELETED: 2 } as const;
const FIRST_CAPACITY = 8;
const WORD_BITS = 32;

/** Words of a value, the least significant first; tables of one word look at the first alone. */
export interface ValueWords {
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
}

/** Mixes all bits of a word into all others. */
function mix(word: number): number {
  let bits = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
  return bits ^ (bits >>> 15);
}

/** A set of keys of one or four words. */
class WordTable {
  size = 0;
  readonly #wide: boolean;
  #keys: Int32Array;
  #states: Uint8Array = new Uint8Array(FIRST_CAPACITY);
  #mask: number = FIRST_CAPACITY - 1;
  /** Places that are not empty: used or deleted. */
  #taken = 0;

  constructor(wide: boolean) {
    this.#wide = wide;
    this.#keys = new Int32Array(FIRST_CAPACITY * (wide ? 4 : 1));
  }

  has(w0: number, w1: number, w2: number, w3: number): boolean {
    return this.#find(w0, w1, w2, w3) >= 0;
  }

  /** @returns whether it was new */
  add(w0: number, w1: number, w2: number, w3: number): boolean {
    if (this.#find(w0, w1, w2, w3) >= 0) return false;
    if ((this.#taken + 1) * 2 > this.#states.length) this.#grow();
    this.#insert(w0, w1, w2, w3);
    this.size++;
    return true;
  }

  /** @returns whether it was there */
  delete(w0: number, w1: number, w2: number, w3: number): boolean {
    const place = this.#find(w0, w1, w2, w3);
    if (place < 0) return false;
    this.#states[place] = STATE.DELETED;
    this.size--;
    return true;
  }

  /** A key that is there all the while comes once; what is added or deleted meanwhile may come or not. */
  *values(): Generator<ValueWords> {
    const keys = this.#keys;
    const states = this.#states;
    for (let place = 0; place < states.length; place++) {
      if (states[place] !== STATE.USED) continue;
      const at = this.#wide ? place * 4 : place;
      const word = (index: number): number => itemAt(keys, at + index) >>> 0;
      yield this.#wide
        ? { w0: word(0), w1: word(1), w2: word(2), w3: word(3) }
        : { w0: word(0), w1: 0, w2: 0, w3: 0 };
    }
  }

  #start(w0: number, w1: number, w2: number, w3: number): number {
    const hash = this.#wide ? mix(mix(mix(mix(w3) ^ w2) ^ w1) ^ w0) : mix(w0);
    return hash & this.#mask;
  }

  /** Place of a key, -1 when it is not there. */
  #find(w0: number, w1: number, w2: number, w3: number): number {
    let place = this.#start(w0, w1, w2, w3);
    for (;;) {
      const state = this.#states[place];
      if (state === STATE.EMPTY) return -1;
      if (state === STATE.USED && this.#isAt(place, w0, w1, w2, w3)) return place;
      place = (place + 1) & this.#mask;
    }
  }

  #isAt(place: number, w0: number, w1: number, w2: number, w3: number): boolean {
    const keys = this.#keys;
    if (!this.#wide) return keys[place] === (w0 | 0);
    const at = place * 4;
    return (
      keys[at] === (w0 | 0) &&
      keys[at + 1] === (w1 | 0) &&
      keys[at + 2] === (w2 | 0) &&
      keys[at + 3] === (w3 | 0)
    );
  }

  #insert(w0: number, w1: number, w2: number, w3: number): void {
    let place = this.#start(w0, w1, w2, w3);
    while (this.#states[place] !== STATE.EMPTY) place = (place + 1) & this.#mask;
    this.#states[place] = STATE.USED;
    this.#taken++;
    const at = this.#wide ? place * 4 : place;
    this.#keys[at] = w0;
    if (!this.#wide) return;
    this.#keys[at + 1] = w1;
    this.#keys[at + 2] = w2;
    this.#keys[at + 3] = w3;
  }

  /** Makes room, and forgets deleted places. */
  #grow(): void {
    const capacity =
      this.size * 4 > this.#states.length ? this.#states.length * 2 : this.#states.length;
    const old = { keys: this.#keys, states: this.#states };
    this.#keys = new Int32Array(capacity * (this.#wide ? 4 : 1));
    this.#states = new Uint8Array(capacity);
    this.#mask = capacity - 1;
    this.#taken = 0;
    for (let place = 0; place < old.states.length; place++) {
      if (old.states[place] !== STATE.USED) continue;
      const at = this.#wide ? place * 4 : place;
      const word = (index: number): number => old.keys[at + index] ?? 0;
      this.#insert(word(0), word(1), word(2), word(3));
    }
  }
}

/** The prefixes of one length. */
interface Level {
  readonly length: number;
  readonly mask: ValueWords;
  readonly table: WordTable;
}

/** Ones in the first `length` of a word's 32 bits; fewer than none are none, more than all are all. */
function wordMask(length: number): number {
  if (length <= 0) return 0;
  return length >= WORD_BITS ? -1 : -1 << (WORD_BITS - length);
}

/** Values and prefixes of 32 or 128 bits. */
export class PrefixTables {
  readonly bits: 32 | 128;
  /** The longest prefixes first; whole values are those with all bits. */
  #levels: readonly Level[] = [];

  constructor(bits: 32 | 128) {
    this.bits = bits;
  }

  get size(): number {
    return this.#levels.reduce((sum, { table }) => sum + table.size, 0);
  }

  /** How many of them are whole values. */
  get values(): number {
    return this.#level(this.bits)?.table.size ?? 0;
  }

  /** Whether a value is there, by itself or within a prefix. */
  covers(w0: number, w1: number, w2: number, w3: number): boolean {
    const levels = this.#levels;
    for (let at = 0; at < levels.length; at++) {
      const level = levels[at];
      if (level === undefined) return false;
      const { mask, table } = level;
      if (table.has(w0 & mask.w0, w1 & mask.w1, w2 & mask.w2, w3 & mask.w3)) return true;
    }
    return false;
  }

  /** Whether a prefix itself is there. */
  has({ w0, w1, w2, w3 }: ValueWords, length: number): boolean {
    return this.#level(length)?.table.has(w0, w1, w2, w3) ?? false;
  }

  /** @returns whether it was new */
  add({ w0, w1, w2, w3 }: ValueWords, length: number): boolean {
    return (this.#level(length) ?? this.#addLevel(length)).table.add(w0, w1, w2, w3);
  }

  /** @returns whether it was there */
  delete({ w0, w1, w2, w3 }: ValueWords, length: number): boolean {
    const level = this.#level(length);
    if (!level?.table.delete(w0, w1, w2, w3)) return false;
    if (level.table.size === 0) this.#levels = this.#levels.filter((other) => other !== level);
    return true;
  }

  clear(): void {
    this.#levels = [];
  }

  *entries(): Generator<readonly [words: ValueWords, length: number]> {
    for (const { table, length } of this.#levels) {
      for (const words of table.values()) yield [words, length];
    }
  }

  #level(length: number): Level | undefined {
    return this.#levels.find((level) => level.length === length);
  }

  #addLevel(length: number): Level {
    const maskAt = (word: number): number =>
      wordMask(length - (this.bits - WORD_BITS - word * WORD_BITS));
    const narrow = this.bits === WORD_BITS;
    const mask = {
      w0: maskAt(0),
      w1: narrow ? 0 : maskAt(1),
      w2: narrow ? 0 : maskAt(2),
      w3: narrow ? 0 : maskAt(3),
    };
    const level = { length, mask, table: new WordTable(!narrow) };
    this.#levels = [...this.#levels, level].sort((one, other) => other.length - one.length);
    return level;
  }
}
