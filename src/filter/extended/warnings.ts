/**
 * Warnings about masks.
 *
 * @module
 */

import type { FilterNode, TestNode } from '../ast.ts';
import { fieldOf } from '../value-warnings.ts';
import type { FilterWarning } from '../warning.ts';
import { testsIn } from '../warnings.ts';

/** Bits that the field never has, and numbers that have bits the mask does not let through. */
function maskWarning(test: TestNode): FilterWarning | null {
  const { mask, value, operator, valueStart: position } = test;
  if (mask === undefined || test.set !== undefined) return null;
  const field = fieldOf(test);
  const isEquality = operator === '=' || operator === '!=';
  if (isEquality && (value & ~mask) !== 0n) {
    const outcome =
      operator === '=' ? 'never equal' : 'never equal, so this is true wherever there is one';
    const message = `the number has bits that the mask leaves out: ${field.name} is ${outcome}`;
    return { code: 'constant-test', position, message };
  }
  const bits = (1n << BigInt(field.high.toString(2).length)) - 1n;
  if (field.format === 'ipv4' || (mask & bits) !== 0n) return null;
  return { code: 'constant-test', position, message: `${field.name} has none of these bits` };
}

/** The warnings about the masks of a filter. */
export function maskWarnings(root: FilterNode): FilterWarning[] {
  return testsIn(root).flatMap((test) => maskWarning(test) ?? []);
}
