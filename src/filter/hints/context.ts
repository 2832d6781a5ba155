/**
 * What a hint is made from.
 *
 * @module
 */

import type { Layer } from '../../packet/address.ts';
import type { ProblemReason } from '../problem.ts';

/** Characters on each side that rules look at, so that no filter is too long for them. */
export const MAX_CONTEXT = 512;

/** A problem with the text around it. */
export interface HintContext {
  readonly source: string;
  readonly layer: Layer;
  readonly reason: ProblemReason;
  /** The offending text, empty at the end of the filter. */
  readonly word: string;
  /** Offset of the offending text in the source. */
  readonly position: number;
  /** What stands right before it: at most {@link MAX_CONTEXT} characters. */
  readonly before: string;
  /** What follows it: at most {@link MAX_CONTEXT} characters. */
  readonly after: string;
}

/** Gives advice, or `null` when it has none for this problem. */
export type HintRule = (context: HintContext) => string | null;

/** A field as text, with an index where it has one. Put at the end of a pattern on `before`. */
export const FIELD_PATTERN = '[A-Za-z][A-Za-z0-9.]*(?:\\s*\\[[^\\]]*\\])?';

/** A field and operator right before the problem, as in `tcp.DstPort == |`. */
export function comparisonBefore(before: string): { field: string; operator: string } | null {
  const match = COMPARISON_END.exec(before);
  const [, field, operator] = match ?? [];
  return field && operator ? { field, operator } : null;
}

const COMPARISON_END = new RegExp(`(${FIELD_PATTERN})\\s*(==?|!=|<=?|>=?)\\s*$`);
