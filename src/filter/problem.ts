/**
 * What can be wrong with a filter, in the compiler's own terms. `messages.ts` turns it into words.
 *
 * @module
 */

import type { FilterErrorCode } from '../errors.ts';

/** What a parser wanted to see where it stopped. */
export type Expectation =
  | 'test'
  | 'number'
  | 'end'
  | 'close'
  | 'index'
  | 'bracket'
  | 'bracket-end'
  | 'colon';

/** Why a filter was refused, more exactly than the code says. */
export type ProblemReason =
  | { readonly kind: 'character' }
  | { readonly kind: 'word' }
  | { readonly kind: 'long-word' }
  | { readonly kind: 'layer'; readonly field: number }
  | { readonly kind: 'token-limit' }
  | { readonly kind: 'test-limit' }
  | { readonly kind: 'depth' }
  | { readonly kind: 'index' }
  | { readonly kind: 'byte-suffix' }
  | { readonly kind: 'macro' }
  | { readonly kind: 'not-group' }
  | { readonly kind: 'object'; readonly stoppedAt: number }
  /** Extended dialect: said where it is found. */
  | { readonly kind: 'stated'; readonly sentence: string; readonly hint: string }
  | { readonly kind: 'expected'; readonly what: Expectation };

/** One refusal: the exact code, the place and the reason. */
export interface FilterProblem {
  readonly code: FilterErrorCode;
  /** Offset of the first offending character in the source. */
  readonly position: number;
  /** How many characters are to blame, 0 at the end of the text. */
  readonly length: number;
  readonly reason: ProblemReason;
}
