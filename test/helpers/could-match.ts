/**
 * What a program that lets both outcomes of unknowable tests through has to say: whether a filter could
 * accept a packet, worked out test by test with the interpreter.
 */

import type { FilterTest, Label } from '../../src/filter/graph.ts';
import { createInterpreter } from '../../src/filter/interpret.ts';
import { MATCH, type Matcher, type MatchInput } from '../../src/filter/match-input.ts';
import type { Layer } from '../../src/packet/address.ts';

/** Says of an input whether the filter may accept it. */
export type CouldMatch = (input: MatchInput) => boolean;

/**
 * @param isUnknown whether both outcomes of a test are to be let through for this input
 */
export function createCouldMatch(
  tests: readonly FilterTest[],
  layer: Layer,
  isUnknown: (test: FilterTest, input: MatchInput) => boolean,
): CouldMatch {
  const single: Matcher[] = tests.map((test) =>
    createInterpreter([{ ...test, success: 'accept', failure: 'reject' }], layer),
  );
  const valid = createInterpreter([{ ...TRUE, success: 'accept', failure: 'accept' }], layer);
  return (input) => {
    if (valid(input) !== MATCH.YES) return false;
    const reached = new Set<Label>([0]);
    tests.forEach((test, index) => {
      if (!reached.has(index)) return;
      const outcome = single[index]!(input);
      if (outcome === MATCH.INVALID) return;
      const both = isUnknown(test, input);
      if (both || outcome === MATCH.YES) reached.add(test.success);
      if (both || outcome === MATCH.NO) reached.add(test.failure);
    });
    return reached.has('accept');
  };
}

const TRUE = { field: 0, operator: '=', negative: false, value: [0, 0, 0, 0], index: 0 } as const;
