/**
 * A comparison with a constant as a JavaScript condition on 32-bit integers.
 *
 * @module
 */

import { itemAt } from '../../packet/bytes.ts';
import type { FilterTest, Operator } from '../graph.ts';
import type { Operand } from './operands.ts';

/** `true` and `false` where the constant decides alone. */
export type Condition = string | boolean;

const STRICT: Readonly<Record<Operator, string>> = {
  '=': '===',
  '!=': '!==',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
};

/**
 * The condition of a test.
 *
 * @param names - variables that hold the operand's words as 32-bit integers, the least significant first
 */
export function conditionOf(
  test: FilterTest,
  { kind }: Operand,
  names: readonly string[],
): Condition {
  if (test.mask !== undefined) return maskedCondition(test, test.mask, names);
  if (kind === 'signed') return signedCondition(test, names);
  if (test.negative) return aboveConstant(test.operator);
  return names.length === 1
    ? narrowCondition(test.operator, `${names[0]}`, itemAt(test.value, 0), kind)
    : wideCondition(test.operator, names, test.value, false);
}

function maskedCondition(
  test: FilterTest,
  mask: readonly number[],
  names: readonly string[],
): string {
  const masked = names.map((name, word) => `(${name}&${itemAt(mask, word) | 0})`);
  return masked.length === 1
    ? compareWord(test.operator, `${masked[0]}`, itemAt(test.value, 0), false)
    : wideCondition(test.operator, masked, test.value, false);
}

/** For values that are above the constant, as all unsigned ones are above a negative constant, even -0. */
function aboveConstant(operator: Operator): boolean {
  return operator === '!=' || operator === '>' || operator === '>=';
}

function belowConstant(operator: Operator): boolean {
  return operator === '!=' || operator === '<' || operator === '<=';
}

function narrowCondition(
  operator: Operator,
  name: string,
  value: number,
  kind: Operand['kind'],
): string {
  if (kind === 'int31') return `${name}${STRICT[operator]}${value >>> 0}`;
  return compareWord(operator, name, value, false);
}

/** Compares a 32-bit word. Equality looks at bits, so that no conversion is needed. */
function compareWord(operator: Operator, name: string, value: number, signed: boolean): string {
  if (signed || operator === '=' || operator === '!=')
    return `${name}${STRICT[operator]}${value | 0}`;
  return `${name}>>>0${operator}${value >>> 0}`;
}

/** Compares several words; the highest is signed or not, the others are not. */
function wideCondition(
  operator: Operator,
  names: readonly string[],
  value: readonly number[],
  signed: boolean,
): string {
  if (operator === '=' || operator === '!=') {
    const words = names.map((name, word) => compareWord(operator, name, itemAt(value, word), true));
    return words.join(operator === '=' ? '&&' : '||');
  }
  const strict: Operator = operator.startsWith('<') ? '<' : '>';
  let condition = compareWord(
    operator,
    `${names[0]}`,
    itemAt(value, 0),
    signed && names.length === 1,
  );
  for (let word = 1; word < names.length; word++) {
    const name = `${names[word]}`;
    const constant = itemAt(value, word);
    const highest = signed && word === names.length - 1;
    const differs = compareWord(strict, name, constant, highest);
    condition = `${differs}||${compareWord('=', name, constant, highest)}&&(${condition})`;
  }
  return condition;
}

/** `-0` lies between -1 and 0: what is below it is below 0, and nothing equals it. */
const MINUS_ZERO: Readonly<Record<Operator, Operator | boolean>> = {
  '=': false,
  '!=': true,
  '<': '<',
  '<=': '<',
  '>': '>=',
  '>=': '>=',
};

const SIGN_BIT = 0x80000000;

/** Two's complement of one or two words against sign and magnitude. */
function signedCondition(test: FilterTest, names: readonly string[]): Condition {
  const { negative, value } = test;
  const magnitude = names.map((_, word) => itemAt(value, word) >>> 0);
  const isZero = magnitude.every((word) => word === 0);
  const operator = negative && isZero ? MINUS_ZERO[test.operator] : test.operator;
  if (typeof operator === 'boolean') return operator;
  if (isBeyond(magnitude, negative)) {
    return negative ? aboveConstant(operator) : belowConstant(operator);
  }
  const words = negative ? negated(magnitude) : magnitude;
  return wideCondition(operator, names, words, true);
}

/** Whether a value does not fit: 2^63 (2^31) does with a minus sign only. */
function isBeyond(magnitude: readonly number[], negative: boolean): boolean {
  const top = magnitude.at(-1) ?? 0;
  const least = top === SIGN_BIT && magnitude.slice(0, -1).every((word) => word === 0);
  return top >= SIGN_BIT && !(negative && least);
}

/** Two's complement of one or two words. */
function negated([low = 0, high]: readonly number[]): readonly number[] {
  if (high === undefined) return [-low];
  return [-low, low === 0 ? -high : ~high];
}
