import { expect, test } from 'vitest';
import { FilterError } from '../../../src/errors.ts';
import { fillAddress, fillProcess } from '../../../src/filter/address-fields.ts';
import { compileFilter } from '../../../src/filter/compile.ts';
import { emitMatcher, generateMatcher } from '../../../src/filter/emit-js.ts';
import type { FilterSet } from '../../../src/filter/extended/filter-set.ts';
import type { Filter } from '../../../src/filter/filter.ts';
import { createInterpreter } from '../../../src/filter/interpret.ts';
import { MATCH, MatchInput, NO_PACKET } from '../../../src/filter/match-input.ts';
import { LAYERS, type Layer } from '../../../src/packet/address.ts';
import { Random } from '../../helpers/random.ts';
import { randomExtendedFilter, randomProcess, randomSet } from '../../helpers/random-extended.ts';
import { sampleOf } from '../../helpers/random-filter.ts';
import { randomAddress, randomPacket } from '../../helpers/random-packet.ts';

const FILTERS = 3_000;
const INPUTS_PER_FILTER = 24;
const LAYER_CHOICE: readonly Layer[] = ['network', 'network', 'network', 'network', ...LAYERS];

function randomInput(random: Random, layer: Layer): MatchInput {
  const onPackets = layer === 'network' || layer === 'forward';
  const packet = onPackets ? randomPacket(random) : null;
  const input = new MatchInput();
  const address = { ...randomAddress(random, layer, packet), ...randomProcess(random) };
  fillAddress(input, address, layer);
  fillProcess(input, address);
  input.memory = packet ?? new Uint8Array(0);
  input.length = packet?.length ?? NO_PACKET;
  return input;
}

function tryCompile(source: string, layer: Layer, sets: Record<string, FilterSet>): Filter | null {
  try {
    return compileFilter(source, layer, { dialect: 'extended', sets });
  } catch (error) {
    if (error instanceof FilterError && error.code === 'too-long') return null;
    throw error;
  }
}

test(`${FILTERS} random filters: engines agree, and so does the filter's own text`, () => {
  const random = new Random();
  const results = [0, 0, 0];
  for (let done = 0; done < FILTERS; done++) {
    const layer = random.pick(LAYER_CHOICE);
    const inputs = Array.from({ length: INPUTS_PER_FILTER }, () => randomInput(random, layer));
    const sets = { a: randomSet(random), b: randomSet(random) };
    const source = randomExtendedFilter(random, layer, sampleOf(inputs[0]!, layer), ['a', 'b']);
    const filter = tryCompile(source, layer, sets);
    if (filter === null) continue;
    const text = filter.format();
    const reference = createInterpreter(filter.tests, layer);
    const generated = generateMatcher(filter.tests, layer);
    const again = tryCompile(text, layer, sets);
    const reformatted = again && createInterpreter(again.tests, layer);
    for (const input of inputs) {
      const expected = reference(input);
      results[expected]!++;
      const detail = (): string =>
        `SEED=${random.seed} ${layer}: ${source}\n${text}\n${emitMatcher(filter.tests, layer)}`;
      if (generated(input) !== expected) expect.fail(`JavaScript differs: ${detail()}`);
      if (reformatted && reformatted(input) !== expected) expect.fail(`text differs: ${detail()}`);
    }
  }
  const total = results.reduce((sum, count) => sum + count, 0);
  expect(results[MATCH.YES]! / total, `SEED=${random.seed}`).toBeGreaterThan(0.2);
  expect(results[MATCH.NO]! / total, `SEED=${random.seed}`).toBeGreaterThan(0.2);
});
