/**
 * The dialects of the filter language.
 *
 * @module
 */

/** The language a filter is written in: WinDivert's own, or that with additions. */
export type Dialect = 'windivert' | 'extended';
