/**
 * Filter text or object string to a filter.
 *
 * @module
 */

import type { FilterError } from '../errors.ts';
import { LAYERS, type Layer } from '../packet/address.ts';
import type { FilterNode } from './ast.ts';
import { buildGraph, type FilterGraph } from './build-graph.ts';
import type { Dialect } from './dialect.ts';
import { analyseExtended, findExtendedWarnings } from './extended/compile.ts';
import { FilterSet } from './extended/filter-set.ts';
import { extendedHintFor, offerExtended } from './extended/hints.ts';
import type { FilterSets } from './extended/parser.ts';
import { Filter } from './filter.ts';
import { hintFor } from './hints/hints.ts';
import { tokenize } from './lexer.ts';
import { filterError } from './messages.ts';
import { readObject } from './object.ts';
import { parse } from './parser.ts';
import type { FilterProblem } from './problem.ts';
import type { FilterWarning } from './warning.ts';
import { findObjectWarnings, findWarnings } from './warnings.ts';

/** Options of {@link compileFilter}. */
export interface CompileOptions {
  /** Default `windivert`. */
  dialect?: Dialect | undefined;
  /** Extended dialect: the sets that the filter names, as in `ip.SrcAddr in @blocked`. */
  sets?: FilterSets | undefined;
}

interface Analysis {
  readonly dropped: readonly number[];
  readonly root: FilterNode;
  readonly graph: FilterGraph;
}

function checkArguments(source: unknown, layer: unknown, dialect: unknown): void {
  if (typeof source !== 'string') {
    throw new TypeError(`compile filter: the filter must be a string, not ${typeof source}`);
  }
  if (typeof layer !== 'string') {
    throw new TypeError(`compile filter: the layer must be a name, not ${typeof layer}`);
  }
  if (!(LAYERS as readonly string[]).includes(layer)) {
    throw new RangeError(`compile filter: no layer "${layer}", only ${LAYERS.join(', ')}`);
  }
  if (dialect !== 'windivert' && dialect !== 'extended') {
    throw new RangeError(`compile filter: no dialect "${dialect}", only windivert and extended`);
  }
}

function checkSets(sets: FilterSets | undefined, dialect: Dialect | undefined): void {
  if (sets === undefined) return;
  for (const [name, set] of Object.entries(sets)) {
    if (!(set instanceof FilterSet)) {
      throw new TypeError(`compile filter: set ${name} must be a FilterSet`);
    }
  }
  if (dialect !== 'extended' && Object.keys(sets).length > 0) {
    throw new TypeError("compile filter: sets are for { dialect: 'extended' }");
  }
}

function compileObject(source: string, layer: Layer, dialect: Dialect): Filter {
  const result = readObject(source);
  if (result.tests === null) {
    const reason = { kind: 'object', stoppedAt: result.stoppedAt } as const;
    const problem = { code: 'bad-object', position: 0, length: 1, reason } as const;
    throw filterError(source, layer, problem, hintFor(source, layer, problem));
  }
  const { tests } = result;
  const warnLater = (): FilterWarning[] => findObjectWarnings(tests, layer);
  return new Filter({ layer, source, tests, dialect, findWarnings: warnLater });
}

/** The stages of a text, or why it is refused. */
function analyse(source: string, layer: Layer): Analysis | FilterProblem {
  const lexed = tokenize(source, layer);
  if (lexed.problem !== null) return lexed.problem;
  const parsed = parse(lexed.tokens);
  if (parsed.problem !== null) return parsed.problem;
  const graph = buildGraph(parsed.node);
  if (graph !== null) return { dropped: lexed.dropped, root: parsed.node, graph };
  return { code: 'too-long', position: 0, length: 1, reason: { kind: 'test-limit' } };
}

function compileText(source: string, layer: Layer): Filter {
  const analysis = analyse(source, layer);
  if ('code' in analysis) throw refusal(source, layer, analysis);
  const compiles = (text: string): boolean => !('code' in analyse(text, layer));
  const warnLater = (): FilterWarning[] => findWarnings({ ...analysis, source, layer, compiles });
  return new Filter({
    layer,
    source,
    tests: analysis.graph.tests,
    findWarnings: warnLater,
  });
}

/** The error for a text that WinDivert refuses, with the other dialect offered where that takes it. */
function refusal(source: string, layer: Layer, problem: FilterProblem): FilterError {
  const hint = hintFor(source, layer, problem);
  const isExtended = !('code' in analyseExtended(source, layer, {}));
  return filterError(source, layer, problem, isExtended ? offerExtended(hint) : hint);
}

function compileExtended(source: string, layer: Layer, sets: FilterSets): Filter {
  const analysis = analyseExtended(source, layer, sets);
  if ('code' in analysis) {
    throw filterError(source, layer, analysis, extendedHintFor(source, layer, analysis));
  }
  return new Filter({
    layer,
    source,
    tests: analysis.graph.tests,
    dialect: 'extended',
    findWarnings: () => findExtendedWarnings(source, layer, analysis),
  });
}

/**
 * Compiles a filter.
 *
 * @param source - filter text, or an object string (`@WinDiv_…`), whose layer is not checked
 * @param layer - decides which fields and events are valid; default `network`
 * @param options - see {@link CompileOptions}
 * @throws {@link FilterError} when the filter is refused; the message shows where and why
 * @throws `TypeError` and `RangeError` for arguments that are no filter, layer, dialect or sets
 *
 * @example
 * ```ts
 * const web = compileFilter('outbound and tcp.DstPort == 443');
 * web.format(); // 'outbound and tcp.DstPort = 443'
 * ```
 */
export function compileFilter(
  source: string,
  layer: Layer = 'network',
  options: CompileOptions = {},
): Filter {
  const { dialect = 'windivert', sets } = options ?? {};
  checkArguments(source, layer, dialect);
  checkSets(sets, dialect);
  if (source.startsWith('@')) return compileObject(source, layer, dialect);
  return dialect === 'extended'
    ? compileExtended(source, layer, sets ?? {})
    : compileText(source, layer);
}

/**
 * Prints a filter the way `WinDivertHelperFormatFilter` does.
 *
 * @param source - filter text or object string
 * @param layer - as for {@link compileFilter}
 * @param options - as for {@link compileFilter}
 * @throws {@link FilterError} when the filter is refused
 */
export function formatFilter(
  source: string,
  layer: Layer = 'network',
  options: CompileOptions = {},
): string {
  return compileFilter(source, layer, options).format();
}
