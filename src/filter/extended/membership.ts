/**
 * Membership in ranges as syntax tree. Few ranges become comparisons, which every engine and WinDivert's object
 * strings have; many become one test of a sorted set.
 *
 * @module
 */

import type { FilterNode, TestNode } from '../ast.ts';
import { FIELD, type Field } from '../fields.ts';
import type { Operator } from '../graph.ts';
import type { Subject } from '../parser.ts';
import { ALL_FIELDS, isExtendedField } from './fields.ts';
import { joinRanges, RangeSet, type ValueRange } from './range-set.ts';
import type { TestSet } from './test-set.ts';

/** Up to this many ranges are compared one after the other. */
export const MAX_COMPARED_RANGES = 8;

/** A test that was read, with its place in the source. */
export interface Place {
  readonly subject: Subject;
  /** Offset behind the test. */
  readonly end: number;
}

/** The field of a subject. */
export function fieldOfSubject({ field }: Subject): Field {
  const found = ALL_FIELDS[field];
  if (found === undefined) throw new RangeError(`no field has id ${field}`);
  return found;
}

function testNode(
  { subject, end }: Place,
  operator: Operator,
  value: bigint,
  rest: Partial<TestNode> = {},
): TestNode {
  return {
    kind: 'test',
    field: subject.field,
    constant: null,
    operator,
    negative: value < 0n,
    value: value < 0n ? -value : value,
    index: subject.index,
    start: subject.start,
    end,
    // Where the number stands does not matter: it was checked already, nothing warns about it.
    valueStart: end,
    ...rest,
  };
}

/**
 * Whether a field is (or is not) in a set.
 *
 * @param isMember - false for "not in"
 */
export function setNode(place: Place, set: TestSet, isMember: boolean): TestNode {
  return testNode(place, isMember ? '=' : '!=', 0n, { set });
}

/**
 * Whether a field is (or is not) in ranges.
 *
 * @param ranges - within the field's own range
 * @param isMember - false for "not in", which fails where the field is absent, too
 */
export function rangesNode(
  place: Place,
  ranges: readonly ValueRange[],
  isMember: boolean,
): FilterNode {
  const field = fieldOfSubject(place.subject);
  const joined = joinRanges(ranges);
  const [first] = joined;
  const isAll = first?.low === field.low && first.high === field.high;
  if (isAll) {
    const always = presenceNode(place, field, isMember);
    if (always !== null) return always;
  }
  const isSigned = field.low < 0n;
  if (!isAll && (joined.length <= MAX_COMPARED_RANGES || isSigned)) {
    return comparisons(place, field, joined, isMember);
  }
  return setNode(place, { name: null, members: new RangeSet(joined) }, isMember);
}

/** The test of a field that is in the set whatever its value; `null` where no other test says the same. */
function presenceNode(place: Place, field: Field, isMember: boolean): FilterNode | null {
  if (!isMember) return constantNode(place, 0);
  if (field.header !== null && field.indexed === undefined) {
    return testNode(place, '=', 1n, { field: FIELD[field.header], index: 0 });
  }
  const mayBeAbsent = field.indexed !== undefined || isExtendedField(place.subject.field);
  return mayBeAbsent ? null : constantNode(place, 1);
}

function constantNode(place: Place, constant: 0 | 1): TestNode {
  return testNode(place, '!=', 0n, { field: FIELD.zero, constant });
}

function comparisons(
  place: Place,
  field: Field,
  ranges: readonly ValueRange[],
  isMember: boolean,
): FilterNode {
  const nodes = ranges.map((range) => rangeNode(place, field, range, isMember));
  const kind = isMember ? 'or' : 'and';
  return nodes.reduceRight((right, left) => ({ kind, left, right }));
}

/** Bounds at the ends of the field's range need no test, and must have none: it would be folded. */
function rangeNode(
  place: Place,
  field: Field,
  { low, high }: ValueRange,
  isMember: boolean,
): FilterNode {
  if (low === high) return testNode(place, isMember ? '=' : '!=', low);
  const left = testNode(place, isMember ? '>=' : '<', low);
  const right = testNode(place, isMember ? '<=' : '>', high);
  if (low === field.low) return right;
  if (high === field.high) return left;
  return { kind: isMember ? 'and' : 'or', left, right };
}
