/**
 * What is known on the way to each test of a decision graph: which values are loaded already and which
 * conditions hold. Tests only lead forward, so one pass in their order is enough.
 *
 * @module
 */

import type { Label } from '../graph.ts';

/** Facts are strings; which, is up to the caller. */
export type Facts = ReadonlySet<string>;

const NOTHING: Facts = new Set();

/** Meets the facts of all ways into a test. */
export class Flow {
  readonly #facts: (Facts | undefined)[];

  constructor(tests: number) {
    this.#facts = Array.from({ length: tests }, (_, test) => (test === 0 ? NOTHING : undefined));
  }

  /** What holds on every way to a test; undefined when there is none. Ask in the order of the tests. */
  at(test: number): Facts | undefined {
    return this.#facts[test];
  }

  /** Adds a way to a label. */
  lead(label: Label, facts: Facts): void {
    if (typeof label !== 'number') return;
    const known = this.#facts[label];
    this.#facts[label] =
      known === undefined ? facts : new Set([...known].filter((fact) => facts.has(fact)));
  }
}

/** Facts with more of them. */
export function withFacts(facts: Facts, added: readonly string[]): Facts {
  return added.length === 0 ? facts : new Set([...facts, ...added]);
}
