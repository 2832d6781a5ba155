/**
 * Every word with a meaning of its own: operators, fields and macros.
 *
 * @module
 */

import { EVENT_MACROS, FIELDS, NUMBER_MACROS } from './fields.ts';

/** What a word stands for. */
export type Keyword =
  | { readonly kind: 'and' | 'or' | 'not' | 'true' | 'false' }
  | { readonly kind: 'field'; readonly field: number; readonly layers: number }
  | { readonly kind: 'number'; readonly value: bigint }
  | { readonly kind: 'event'; readonly values: readonly EventValue[] };

/** The number of an event macro on some layers (`CLOSE` has two). */
export interface EventValue {
  readonly value: bigint;
  readonly layers: number;
}

function eventValues(name: string): EventValue[] {
  return EVENT_MACROS.flatMap((event, id) =>
    event.name === name ? [{ value: BigInt(id), layers: event.layers }] : [],
  );
}

function allKeywords(): Map<string, Keyword> {
  const words = new Map<string, Keyword>();
  for (const kind of ['and', 'or', 'not', 'true', 'false'] as const) words.set(kind, { kind });
  FIELDS.forEach(({ name, layers }, field) => {
    words.set(name, { kind: 'field', field, layers });
  });
  for (const [name, value] of NUMBER_MACROS) {
    words.set(name, { kind: 'number', value: BigInt(value) });
  }
  for (const { name } of EVENT_MACROS) {
    words.set(name, { kind: 'event', values: eventValues(name) });
  }
  return words;
}

/** Words by their spelling, which is case sensitive. */
export const KEYWORDS: ReadonlyMap<string, Keyword> = allKeywords();
