/**
 * What a test for membership looks into.
 *
 * @module
 */

import type { FilterSet } from './filter-set.ts';
import type { RangeSet } from './range-set.ts';

/** The right side of `in`. */
export interface TestSet {
  /** As in `@name`, `null` for a set between braces. */
  readonly name: string | null;
  readonly members: FilterSet | RangeSet;
}
