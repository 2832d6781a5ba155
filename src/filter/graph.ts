/**
 * The decision graph of a filter: WinDivert's own form, a list of tests with a
 * success and a failure label each. Labels only point forward.
 *
 * @module
 */

import type { TestSet } from './extended/test-set.ts';

/** Comparison operators in the order of their object codes (0..5). */
export const OPERATORS = ['=', '!=', '<', '<=', '>', '>='] as const;
export type Operator = (typeof OPERATORS)[number];

/** Where a test leads: the index of a later test, or the end. */
export type Label = number | 'accept' | 'reject';

/** One comparison of a field with a constant. */
export interface FilterTest {
  /** Field id, 0..85, index into `FIELDS`; the extended dialect has more. */
  readonly field: number;
  readonly operator: Operator;
  /** The constant has a minus sign; `value` is its magnitude. */
  readonly negative: boolean;
  /** Magnitude as four 32-bit words, least significant first. */
  readonly value: readonly [number, number, number, number];
  /** `packet[]` and `Payload[]` fields: byte index, negative counts from the end. Otherwise 0. */
  readonly index: number;
  readonly success: Label;
  readonly failure: Label;
  /** Extended dialect: bits of the field that are compared, as `value` has its words. Absent: all. */
  readonly mask?: readonly [number, number, number, number];
  /** Extended dialect: `=` is "in" this set, `!=` is "not in"; `value` is 0. */
  readonly set?: TestSet;
}

/**
 * Whether a comparison is true.
 *
 * @param order less than, equal to or greater than 0, as the field's value is to the constant
 */
export function isTrue(operator: Operator, order: number): boolean {
  switch (operator) {
    case '=':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    default:
      return operator satisfies never;
  }
}
