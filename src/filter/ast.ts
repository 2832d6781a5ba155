/**
 * Syntax tree of a filter.
 *
 * @module
 */

import type { TestSet } from './extended/test-set.ts';
import type { Operator } from './graph.ts';

/** A comparison as written, `not` already folded into the operator. */
export interface TestNode {
  readonly kind: 'test';
  /** Field id; `true` and `false` are tests of `zero` with `constant` set. */
  readonly field: number;
  /** The value of the words `true` (1) and `false` (0), otherwise `null`. */
  readonly constant: 0 | 1 | null;
  readonly operator: Operator;
  readonly negative: boolean;
  readonly value: bigint;
  /** Byte index of `packet[]` and `Payload[]` fields, negative from the end. Otherwise 0. */
  readonly index: number;
  /** Offsets in the source: of the field, of the end of the test, and of the number (or the field). */
  readonly start: number;
  readonly end: number;
  readonly valueStart: number;
  /** Extended dialect: the bits of the field that are compared. */
  readonly mask?: bigint;
  /** Extended dialect: `=` is "in", `!=` is "not in"; `value` is not used. */
  readonly set?: TestSet;
}

/** `left and right` or `left or right`. */
export interface BinaryNode {
  readonly kind: 'and' | 'or';
  readonly left: FilterNode;
  readonly right: FilterNode;
}

/** `(condition? success: failure)`. */
export interface TernaryNode {
  readonly kind: 'ternary';
  readonly condition: FilterNode;
  readonly success: FilterNode;
  readonly failure: FilterNode;
}

/** Extended dialect: `not (operand)`. */
export interface NotNode {
  readonly kind: 'not';
  readonly operand: FilterNode;
}

export type FilterNode = TestNode | BinaryNode | TernaryNode | NotNode;
