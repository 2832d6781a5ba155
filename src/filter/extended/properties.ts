/**
 * What a filter of the extended dialect needs from its surroundings.
 *
 * @module
 */

import type { FilterTest } from '../graph.ts';
import { ALL_FIELDS, isExtendedField } from './fields.ts';
import { FilterSet } from './filter-set.ts';
import type { RangeSet } from './range-set.ts';

/** Comparisons of one word that a set between braces may cost in a program; a larger set gets a map. */
const MAX_INLINE_COST = 256;

/**
 * What a set costs when it is searched with comparisons.
 *
 * @param words - of the field
 */
export function inlineCost({ ranges }: RangeSet, words: number): number {
  return ranges.length * words;
}

/** The set that a test needs a map for, `null` where it needs none. */
export function kernelSetOf({ field, set }: FilterTest): FilterSet | null {
  if (set === undefined) return null;
  const { members } = set;
  if (members instanceof FilterSet) return members;
  const words = ALL_FIELDS[field]?.words ?? 1;
  return inlineCost(members, words) > MAX_INLINE_COST ? members.mirror : null;
}

/** The sets that a program in the kernel needs maps for, each once. */
export function kernelSets(tests: readonly FilterTest[]): readonly FilterSet[] {
  return [...new Set(tests.flatMap((test) => kernelSetOf(test) ?? []))];
}

/** Whether tests ask for a field of the process. */
export function usesProcess(tests: readonly FilterTest[]): boolean {
  return tests.some(({ field }) => isExtendedField(field));
}

/** Whether WinDivert's object strings can hold every test. */
export function hasObject(tests: readonly FilterTest[]): boolean {
  return tests.every(
    ({ field, mask, set }) => !isExtendedField(field) && mask === undefined && set === undefined,
  );
}
