import { describe, expect, test } from 'vitest';
import { INTERPRETER } from '../conformance/engines.ts';
import type { FilterEngine } from '../conformance/filter-engine.ts';
import { ENGINES } from '../fuzz/engines.ts';
import { runRound, type Tally } from '../fuzz/round.ts';
import { Random } from '../helpers/random.ts';

const newTally = (): Tally => ({ true: 0, false: 0, 'invalid-parameter': 0, unknown: 0 });

/** An engine that answers the opposite now and then. */
function liar(answer: (verdict: boolean) => boolean | 'unknown'): FilterEngine {
  return {
    name: 'liar',
    layers: ['network'],
    prepare: (filter) => {
      const prepared = INTERPRETER.prepare(filter);
      return {
        matches: (packet, address) => {
          const verdict = prepared.matches(packet, address);
          return typeof verdict === 'boolean' ? answer(verdict) : verdict;
        },
      };
    },
  };
}

function runMany(engines: readonly FilterEngine[], seed: number, rounds: number): Tally {
  const tally = newTally();
  for (let round = 0; round < rounds; round++) runRound(seed + round, engines, tally, ['network']);
  return tally;
}

describe('a fuzzing round', () => {
  const { seed } = new Random();

  test('finds no difference between the engines', () => {
    const tally = runMany(ENGINES, seed, 100);
    expect(tally.true + tally.false).toBeGreaterThan(100 * 12);
  });

  test('finds an engine that is wrong and says how to see it again', () => {
    const engines = [INTERPRETER, liar((verdict) => !verdict)];
    expect(() => runMany(engines, 1, 10)).toThrow(
      /^SEED=\d+: interpreter says \w+, liar says \w+\nnetwork: /,
    );
  });

  test('counts what an engine does not know', () => {
    const tally = runMany([INTERPRETER, liar(() => 'unknown')], 1, 10);
    expect(tally.unknown).toBe(tally.true + tally.false);
  });

  test('is the same for the same seed', () => {
    expect(runMany([INTERPRETER], seed, 20)).toEqual(runMany([INTERPRETER], seed, 20));
  });
});
