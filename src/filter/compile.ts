/**
 * Filter text or object string to a filter.
 *
 * @module
 */

import { UnsupportedError } from '../errors.ts';
import { LAYERS, type Layer } from '../packet/address.ts';
import type { FilterNode } from './ast.ts';
import { buildGraph, type FilterGraph } from './build-graph.ts';
import { Filter } from './filter.ts';
import { tokenize } from './lexer.ts';
import { filterError } from './messages.ts';
import { readObject } from './object.ts';
import { parse } from './parser.ts';
import type { FilterProblem } from './problem.ts';
import type { FilterWarning } from './warning.ts';
import { findObjectWarnings, findWarnings } from './warnings.ts';

/** The language a filter is written in: WinDivert's own, or that with additions. */
export type Dialect = 'windivert' | 'extended';

/** Options of {@link compileFilter}. */
export interface CompileOptions {
  /** Default `windivert`. */
  dialect?: Dialect | undefined;
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
  if (dialect === 'extended') {
    throw new UnsupportedError(
      'dialect: extended',
      'compile filter: the extended dialect is not available',
      {
        hint: "Write the filter in WinDivert's own language.",
      },
    );
  }
  if (dialect !== undefined && dialect !== 'windivert') {
    throw new RangeError(`compile filter: no dialect "${dialect}", only windivert and extended`);
  }
}

function compileObject(source: string, layer: Layer): Filter {
  const result = readObject(source);
  if (result.tests === null) {
    throw filterError(source, layer, {
      code: 'bad-object',
      position: 0,
      length: 1,
      reason: { kind: 'object', stoppedAt: result.stoppedAt },
    });
  }
  const { tests } = result;
  const warnLater = (): FilterWarning[] => findObjectWarnings(tests, layer);
  return new Filter({ layer, source, tests, findWarnings: warnLater });
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
  if ('code' in analysis) throw filterError(source, layer, analysis);
  const compiles = (text: string): boolean => !('code' in analyse(text, layer));
  const warnLater = (): FilterWarning[] => findWarnings({ ...analysis, source, layer, compiles });
  return new Filter({
    layer,
    source,
    tests: analysis.graph.tests,
    findWarnings: warnLater,
  });
}

/**
 * Compiles a filter.
 *
 * @param source - filter text, or an object string (`@WinDiv_…`), whose layer is not checked
 * @param layer - decides which fields and events are valid; default `network`
 * @param options - see {@link CompileOptions}
 * @throws {@link FilterError} when the filter is refused; the message shows where and why
 * @throws {@link UnsupportedError} for the extended dialect
 * @throws `TypeError` and `RangeError` for arguments that are no filter, layer or dialect
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
  checkArguments(source, layer, options?.dialect);
  return source.startsWith('@') ? compileObject(source, layer) : compileText(source, layer);
}

/**
 * Prints a filter the way `WinDivertHelperFormatFilter` does.
 *
 * @param source - filter text or object string
 * @param layer - as for {@link compileFilter}
 * @throws {@link FilterError} when the filter is refused
 */
export function formatFilter(source: string, layer: Layer = 'network'): string {
  return compileFilter(source, layer).format();
}
