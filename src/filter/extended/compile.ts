/**
 * The stages of the extended dialect.
 *
 * @module
 */

import type { Layer } from '../../packet/address.ts';
import type { FilterNode } from '../ast.ts';
import { buildGraph, type FilterGraph } from '../build-graph.ts';
import type { FilterProblem } from '../problem.ts';
import type { FilterWarning } from '../warning.ts';
import { findMeaningWarnings } from '../warnings.ts';
import { tokenizeExtended } from './lexer.ts';
import { type FilterSets, parseExtended } from './parser.ts';
import { maskWarnings } from './warnings.ts';

/** A text that compiled. */
export interface ExtendedAnalysis {
  readonly dropped: readonly number[];
  readonly root: FilterNode;
  readonly graph: FilterGraph;
}

/**
 * Compiles a text, or says why not.
 *
 * @param sets - that the filter may name
 */
export function analyseExtended(
  source: string,
  layer: Layer,
  sets: FilterSets,
): ExtendedAnalysis | FilterProblem {
  const lexed = tokenizeExtended(source, layer);
  if (lexed.problem !== null) return lexed.problem;
  const parsed = parseExtended(lexed.tokens, source, sets);
  if (parsed.problem !== null) return parsed.problem;
  const graph = buildGraph(parsed.node);
  if (graph !== null) return { dropped: lexed.dropped, root: parsed.node, graph };
  return { code: 'too-long', position: 0, length: 1, reason: { kind: 'test-limit' } };
}

const LOST_SIGN = '; the text of this filter loses the sign';

/** The text of this dialect keeps every sign. */
function withoutLoss(warning: FilterWarning): FilterWarning {
  return { ...warning, message: warning.message.replace(LOST_SIGN, '') };
}

/** The warnings of a filter that compiled, each once. */
export function findExtendedWarnings(
  source: string,
  layer: Layer,
  analysis: ExtendedAnalysis,
): readonly FilterWarning[] {
  const found = [
    ...findMeaningWarnings({ ...analysis, source, layer }).map(withoutLoss),
    ...maskWarnings(analysis.root),
  ];
  const unique = new Map(
    found.map((warning) => [`${warning.position} ${warning.message}`, warning]),
  );
  return [...unique.values()].sort((one, other) => one.position - other.position);
}
