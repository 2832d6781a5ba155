/**
 * One suite for every engine that evaluates filters: the hand-made cases and the entries of
 * `vectors/eval.json`. What an engine cannot do is listed, with its reason, where the suite is called.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FilterError } from '../../src/errors.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import type { Filter } from '../../src/filter/filter.ts';
import { type AddressInit, LAYERS, type Layer } from '../../src/packet/address.ts';
import { EXTENDED_CASES } from './extended-cases.ts';
import { FILTER_CASES, type FilterCase, type Verdict } from './filter-cases.ts';

export type { FilterCase, Verdict } from './filter-cases.ts';

/** A filter made ready by an engine. */
export interface PreparedFilter {
  /** `unknown`: this engine cannot know; another one decides. */
  matches(packet: Uint8Array | null, address: AddressInit): Verdict;
  close?(): void;
}

export interface FilterEngine {
  readonly name: string;
  /** Cases of other layers are not run. */
  readonly layers: readonly Layer[];
  prepare(filter: Filter): PreparedFilter;
}

/** Cases an engine does not answer like the others. One that applies to no case fails the suite. */
export interface Exemption {
  readonly reason: string;
  /** `skip`: not run at all. `unknown`: the verdict may be `unknown`, but never wrong. */
  readonly kind: 'skip' | 'unknown';
  applies(filterCase: FilterCase): boolean;
}

interface EvalVector {
  readonly filter: string;
  readonly layer: Layer | number;
  readonly addr: AddressInit;
  readonly packet: string | null;
  readonly result: boolean;
  readonly error?: 'invalid-parameter';
  readonly cat: string;
}

/** Entries of `vectors/eval.json` as the file has them. */
export const EVAL_VECTORS: readonly EvalVector[] = JSON.parse(
  readFileSync(new URL('../vectors/eval.json', import.meta.url), 'utf8'),
);

/** The vectors as cases; without those whose layer is none, which no engine ever sees. */
function vectorCases(): readonly FilterCase[] {
  return EVAL_VECTORS.flatMap(({ filter, addr, packet, result, error, cat }, index) => {
    const layer = LAYERS[Number(addr.layer)];
    if (layer === undefined) return [];
    return {
      rule: cat,
      name: `vector ${index} (${cat}): ${filter.slice(0, 200)}`,
      filter,
      layer,
      packet: packet === null ? null : Uint8Array.from(Buffer.from(packet, 'hex')),
      address: addr,
      expected: error ?? result,
    };
  });
}

/**
 * Declares the tests of an engine.
 *
 * @param exemptions - what it cannot do, and why
 */
export function testFilterEngine(
  engine: FilterEngine,
  exemptions: readonly Exemption[] = [],
): void {
  const ofEngine = (filterCase: FilterCase): boolean => engine.layers.includes(filterCase.layer);
  const used = new Set<Exemption>();
  const run = (filterCase: FilterCase): string | null =>
    runCase(engine, filterCase, exemptions, used);

  describe(`filter engine: ${engine.name}`, () => {
    const cases = [...FILTER_CASES, ...EXTENDED_CASES].filter(ofEngine);
    for (const rule of new Set(cases.map((filterCase) => filterCase.rule))) {
      const ofRule = cases.filter((filterCase) => filterCase.rule === rule);
      describe(rule, () => {
        test.each(
          ofRule.map(
            (filterCase) => [`${filterCase.layer}: ${filterCase.name}`, filterCase] as const,
          ),
        )('%s', (_, filterCase) => expect(run(filterCase)).toBeNull());
      });
    }

    test('vectors/eval.json', () => {
      const vectors = vectorCases().filter(ofEngine);
      expect(vectors.length).toBeGreaterThan(0);
      const failures = vectors.flatMap((filterCase) => run(filterCase) ?? []);
      expect(failures.slice(0, 20)).toEqual([]);
    });

    test.each(exemptions.map((exemption) => [exemption.reason, exemption] as const))(
      'is needed: %s',
      (_, exemption) => expect(used.has(exemption)).toBe(true),
    );
  });
}

/** Null when the engine answers as it should, otherwise what went wrong. */
function runCase(
  engine: FilterEngine,
  filterCase: FilterCase,
  exemptions: readonly Exemption[],
  used: Set<Exemption>,
): string | null {
  const exemption = exemptions.find((candidate) => candidate.applies(filterCase));
  if (exemption !== undefined && exemption.kind === 'skip') {
    used.add(exemption);
    return null;
  }
  const verdict = evaluate(engine, filterCase);
  if (verdict === 'unknown' && exemption?.kind === 'unknown') {
    used.add(exemption);
    return null;
  }
  const { name, expected, address, packet } = filterCase;
  if (verdict === expected) return null;
  const bytes = packet === null ? 'no packet' : Buffer.from(packet).toString('hex');
  const fields = JSON.stringify(address, (_, value) =>
    typeof value === 'bigint' ? `${value}` : value,
  );
  return `${name}: expected ${expected}, got ${verdict}\n${fields}\n${bytes}`;
}

function evaluate(engine: FilterEngine, filterCase: FilterCase): Verdict {
  const { filter, layer, packet, address, options } = filterCase;
  let compiled: Filter;
  try {
    compiled = compileFilter(filter, layer, options);
  } catch (error) {
    // A filter that does not compile never gets to an engine; evaluation as a whole refuses it.
    if (error instanceof FilterError) return 'invalid-parameter';
    throw error;
  }
  const prepared = engine.prepare(compiled);
  try {
    return prepared.matches(packet, address);
  } finally {
    prepared.close?.();
  }
}
