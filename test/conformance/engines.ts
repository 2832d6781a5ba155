/**
 * The engines that need nothing but JavaScript, as the conformance suite and the fuzzer see them.
 *
 * @module
 */

import { DivertError } from '../../src/errors.ts';
import { generateMatcher } from '../../src/filter/emit-js.ts';
import { createEvaluator } from '../../src/filter/evaluator.ts';
import type { FilterTest } from '../../src/filter/graph.ts';
import { createInterpreter } from '../../src/filter/interpret.ts';
import type { Matcher } from '../../src/filter/match-input.ts';
import { LAYERS, type Layer } from '../../src/packet/address.ts';
import type { FilterEngine, Verdict } from './filter-engine.ts';

function verdictOf(evaluate: () => boolean): Verdict {
  try {
    return evaluate();
  } catch (error) {
    if (error instanceof DivertError && error.code === 'invalid-parameter') return error.code;
    throw error;
  }
}

function matcherEngine(
  name: string,
  make: (tests: readonly FilterTest[], layer: Layer) => Matcher,
): FilterEngine {
  return {
    name,
    layers: LAYERS,
    prepare: ({ tests, layer, usesProcess }) => {
      const evaluate = createEvaluator(layer, make(tests, layer), usesProcess);
      return { matches: (packet, address) => verdictOf(() => evaluate(packet, address)) };
    },
  };
}

export const INTERPRETER: FilterEngine = matcherEngine('interpreter', createInterpreter);
export const GENERATED_JAVASCRIPT: FilterEngine = matcherEngine(
  'generated JavaScript',
  generateMatcher,
);

/** The public method, whatever engine it chooses. */
export const FILTER_MATCHES: FilterEngine = {
  name: 'Filter.matches',
  layers: LAYERS,
  prepare: (filter) => ({
    matches: (packet, address) => verdictOf(() => filter.matches(packet, address)),
  }),
};
