/**
 * The object string of a filter, the form in which WinDivert hands filters to its driver:
 * `@WinDiv_` version count, then one group per test.
 *
 * @module
 */

import { FIELD, FIELDS, type Field } from './fields.ts';
import { type FilterTest, type Label, OPERATORS } from './graph.ts';

/** What every object string starts with. */
export const OBJECT_PREFIX = '@WinDiv_';

const VERSION = 0;
const MAX_TESTS = 256;
/** Tests that the driver and the one-byte count of the object can hold. */
export const MAX_OBJECT_TESTS = 255;
/** Added to a byte index so that it is never negative. */
const INDEX_BIAS = 65_535;
const IPV4_MAPPED_WORD = 0xffff;

const BASE = 32;
const BASE_BITS = 5;
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUV';
/** The last digit of a number is written with these, which ends it. */
const LAST_DIGITS = 'WXYZabcdefghijklmnopqrstuvwxyz+=';

/** Most digits the reader takes, the last included. */
const WIDTH = { VERSION: 4, COUNT: 2, FIELD: 2, OPERATOR: 2, SIGN: 1, WORD: 7, LABEL: 2 } as const;

function numberText(value: number): string {
  let text = LAST_DIGITS.charAt(value & (BASE - 1));
  for (let rest = value >>> BASE_BITS; rest > 0; rest >>>= BASE_BITS) {
    text = DIGITS.charAt(rest & (BASE - 1)) + text;
  }
  return text;
}

function labelText(label: Label): string {
  if (label === 'accept') return 'A';
  return label === 'reject' ? 'X' : `L${numberText(label)}`;
}

function fieldOf(id: number): Field {
  const field = FIELDS[id];
  if (field === undefined) throw new RangeError(`no field has id ${id}`);
  return field;
}

function testText(test: FilterTest): string {
  const { words, indexed } = fieldOf(test.field);
  let text = `_${numberText(test.field)}${numberText(OPERATORS.indexOf(test.operator))}`;
  text += numberText(test.negative ? 1 : 0);
  for (const word of test.value.slice(0, words)) text += numberText(word);
  if (indexed !== undefined) text += numberText((test.index + INDEX_BIAS) >>> 0);
  return text + labelText(test.success) + labelText(test.failure);
}

/**
 * Writes the object string.
 *
 * The count is one byte wide: exactly 256 tests give the empty, unusable object `@WinDiv_WW`, as in
 * WinDivert. Words that the format has no room for are left out.
 *
 * @param tests - 1 to 256 tests
 */
export function writeObject(tests: readonly FilterTest[]): string {
  const count = tests.length & 0xff;
  const body = count === 0 ? '' : tests.map(testText).join('');
  return `${OBJECT_PREFIX}${numberText(VERSION)}${numberText(count)}${body}`;
}

class ObjectReader {
  at = OBJECT_PREFIX.length;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  get ended(): boolean {
    return this.at === this.text.length;
  }

  /** Consumes one character if it is the given one. */
  take(character: string): boolean {
    if (this.text.charAt(this.at) !== character) return false;
    this.at++;
    return true;
  }

  /** A number of at most `width` digits and 32 bits, -1 if there is none. */
  number(width: number): number {
    let value = 0;
    for (let digits = 1; digits <= width; digits++) {
      const character = this.text.charAt(this.at++);
      if (character === '') return -1;
      const last = LAST_DIGITS.indexOf(character);
      value = value * BASE + (last >= 0 ? last : DIGITS.indexOf(character));
      if (last >= 0) return value <= 0xffff_ffff ? value : -1;
      if (DIGITS.indexOf(character) < 0) return -1;
    }
    return -1;
  }

  /** A label after test `own` of `count`, `null` if there is none. */
  label(own: number, count: number): Label | null {
    if (this.take('A')) return 'accept';
    if (this.take('X')) return 'reject';
    if (!this.take('L')) return null;
    const label = this.number(WIDTH.LABEL);
    return label > own && label < count ? label : null;
  }

  /** The constant of a field: the stored words, the rest as compiling would leave them. */
  value(id: number): FilterTest['value'] | null {
    const words: [number, number, number, number] = [0, 0, 0, 0];
    for (let word = 0; word < fieldOf(id).words; word++) {
      const read = this.number(WIDTH.WORD);
      if (read < 0) return null;
      words[word] = read;
    }
    if (id === FIELD['ip.SrcAddr'] || id === FIELD['ip.DstAddr']) words[1] = IPV4_MAPPED_WORD;
    return words;
  }

  test(own: number, count: number): FilterTest | null {
    if (!this.take('_')) return null;
    const field = this.number(WIDTH.FIELD);
    if (FIELDS[field] === undefined) return null;
    const operator = OPERATORS[this.number(WIDTH.OPERATOR)];
    const sign = this.number(WIDTH.SIGN);
    if (operator === undefined || sign < 0 || sign > 1) return null;
    const value = this.value(field);
    const rawIndex = fieldOf(field).indexed === undefined ? INDEX_BIAS : this.number(WIDTH.WORD);
    if (value === null || rawIndex < 0) return null;
    const success = this.label(own, count);
    const failure = success === null ? null : this.label(own, count);
    if (success === null || failure === null) return null;
    const index = (rawIndex - INDEX_BIAS) | 0;
    return { field, operator, negative: sign === 1, value, index, success, failure };
  }
}

/** What an object string holds, or where reading it stopped. */
export type ObjectResult =
  | { readonly tests: readonly FilterTest[] }
  | { readonly tests: null; readonly stoppedAt: number };

/**
 * Reads an object string.
 *
 * Numbers may have leading zeros within their width. The layer is not checked: a field that the layer
 * does not have is found out when its test runs.
 */
export function readObject(text: string): ObjectResult {
  if (!text.startsWith(OBJECT_PREFIX)) return { tests: null, stoppedAt: 0 };
  const reader = new ObjectReader(text);
  const version = reader.number(WIDTH.VERSION);
  const count = version === VERSION ? reader.number(WIDTH.COUNT) : -1;
  if (count < 1 || count > MAX_TESTS) return { tests: null, stoppedAt: reader.at };
  const tests: FilterTest[] = [];
  for (let own = 0; own < count; own++) {
    const test = reader.test(own, count);
    if (test === null) return { tests: null, stoppedAt: reader.at };
    tests.push(test);
  }
  return reader.ended ? { tests } : { tests: null, stoppedAt: reader.at };
}
