/**
 * What a warning is.
 *
 * @module
 */

/** Kinds of warnings. */
export type FilterWarningCode =
  | 'out-of-range'
  | 'constant-test'
  | 'always-true'
  | 'always-false'
  | 'dead-test'
  | 'field-of-other-layer'
  | 'ignored-word'
  | 'negative-zero'
  | 'negative-value'
  | 'lost-bits'
  | 'odd-address'
  | 'unusable-object'
  | 'text-does-not-compile';

/** One warning with its place. */
export interface FilterWarning {
  readonly code: FilterWarningCode;
  /** 0-based offset in the source. */
  readonly position: number;
  readonly message: string;
}
