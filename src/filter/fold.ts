/**
 * Folding of tests that cannot come out otherwise because the number is outside the field's range.
 *
 * WinDivert keeps a header guard and gets it wrong for absent headers: an "always false" test of a
 * header's field becomes `<header> == 0`, which is true where the header is missing. Results are
 * WinDivert's, so this is kept, and `warnings.ts` says so.
 *
 * @module
 */

import type { TestNode } from './ast.ts';
import { ALL_FIELDS } from './extended/fields.ts';
import { FIELD, type Field } from './fields.ts';
import type { Operator } from './graph.ts';

/** What became of a test: a constant, or the test to emit. */
export type FoldedTest = boolean | TestNode;

/**
 * Compares a sign and magnitude with a bound. A minus sign puts even zero below every unsigned value.
 *
 * @returns negative, zero or positive, as the constant is below, at or above the bound
 */
function compareWithBound(negative: boolean, value: bigint, bound: bigint): number {
  const boundNegative = bound < 0n;
  if (negative !== boundNegative) return negative ? -1 : 1;
  const magnitude = boundNegative ? -bound : bound;
  if (value === magnitude) return 0;
  return value < magnitude === negative ? 1 : -1;
}

/** True, false, or `null` where the outcome depends on the field. */
type Outcome = boolean | null;

function not(outcome: Outcome): Outcome {
  return outcome === null ? null : !outcome;
}

/**
 * The outcome of a comparison for every value of the field in its range.
 *
 * @param toLow - sign of the constant compared with the range's low end
 * @param toHigh - the same for its high end
 */
function outcome(operator: Operator, toLow: number, toHigh: number): Outcome {
  switch (operator) {
    case '=':
      if (toLow < 0 || toHigh > 0) return false;
      return toLow === 0 && toHigh === 0 ? true : null;
    case '<':
      if (toHigh > 0) return true;
      return toLow <= 0 ? false : null;
    case '<=':
      if (toHigh >= 0) return true;
      return toLow < 0 ? false : null;
    case '!=':
      return not(outcome('=', toLow, toHigh));
    case '>=':
      return not(outcome('<', toLow, toHigh));
    case '>':
      return not(outcome('<=', toLow, toHigh));
  }
}

/** The outcome of a test before the header guard is considered, `null` if it varies. */
export function foldedOutcome(test: TestNode, field: Field): Outcome {
  if (!field.folds || test.mask !== undefined || test.set !== undefined) return null;
  const low = test.constant === null ? field.low : BigInt(test.constant);
  const high = test.constant === null ? field.high : low;
  const { operator, negative, value } = test;
  const toLow = compareWithBound(negative, value, low);
  return outcome(operator, toLow, compareWithBound(negative, value, high));
}

/**
 * Folds one test.
 *
 * @returns a constant for a field without header, a guard test `<header> == 0|1` for one with,
 *   or the test itself when its outcome varies
 */
export function foldTest(test: TestNode): FoldedTest {
  const field = ALL_FIELDS[test.field];
  if (field === undefined) throw new RangeError(`no field has id ${test.field}`);
  const result = foldedOutcome(test, field);
  if (result === null) return test;
  if (field.header === null) return result;
  return {
    ...test,
    field: FIELD[field.header],
    operator: '=',
    negative: false,
    value: result ? 1n : 0n,
    index: 0,
  };
}
