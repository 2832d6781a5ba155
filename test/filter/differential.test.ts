import { expect, test } from 'vitest';
import { FilterError } from '../../src/errors.ts';
import { fillAddress } from '../../src/filter/address-fields.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import { emitMatcher, generateMatcher } from '../../src/filter/emit-js.ts';
import type { FilterTest } from '../../src/filter/graph.ts';
import { createInterpreter } from '../../src/filter/interpret.ts';
import { MATCH, MatchInput, NO_PACKET } from '../../src/filter/match-input.ts';
import { LAYERS, type Layer } from '../../src/packet/address.ts';
import { Random } from '../helpers/random.ts';
import { randomFilter, randomTests, type Sample, sampleOf } from '../helpers/random-filter.ts';
import { randomAddress, randomPacket } from '../helpers/random-packet.ts';

const INPUTS = 250;
const FILTERS = 2_500;
const INPUTS_PER_FILTER = 24;
/** The packet layers have most of the rules. */
const LAYER_CHOICE: readonly Layer[] = ['network', 'network', 'network', 'network', ...LAYERS];

interface Case {
  readonly input: MatchInput;
  readonly sample: Sample;
}

function randomCase(random: Random, layer: Layer): Case {
  const onPackets = layer === 'network' || layer === 'forward';
  const packet = onPackets || random.chance(2) ? randomPacket(random) : null;
  const input = new MatchInput();
  fillAddress(input, randomAddress(random, layer, packet), layer);
  if (packet === null) input.length = NO_PACKET;
  else placePacket(input, packet, random.below(5));
  return { input, sample: sampleOf(input, layer) };
}

/** Not at the start of the memory, and with other bytes around it: nobody may read those. */
function placePacket(input: MatchInput, packet: Uint8Array, offset: number): void {
  input.memory = new Uint8Array(packet.length + 2 * offset).fill(0x45);
  input.memory.set(packet, offset);
  input.offset = offset;
  input.length = packet.length;
}

function tryCompile(source: string, layer: Layer): readonly FilterTest[] | null {
  try {
    return compileFilter(source, layer).tests;
  } catch (error) {
    if (error instanceof FilterError) return null;
    throw error;
  }
}

function describeCase(seed: number, source: string, layer: Layer, input: MatchInput): string {
  const packet = input.memory.subarray(input.offset, input.offset + Math.max(input.length, 0));
  const { memory: _, ...rest } = input;
  return `SEED=${seed} ${layer}: ${source}\n${Buffer.from(packet).toString('hex')}\n${JSON.stringify(rest)}`;
}

/** Runs both engines; returns how often they said yes and no. */
function compare(
  random: Random,
  next: (layer: Layer, sample: Sample) => { source: string; tests: readonly FilterTest[] | null },
  filters: number,
): number[] {
  const cases = Object.fromEntries(
    LAYERS.map((layer) => [layer, Array.from({ length: INPUTS }, () => randomCase(random, layer))]),
  ) as Record<Layer, Case[]>;
  const results = [0, 0, 0];
  for (let done = 0; done < filters; ) {
    const layer = random.pick(LAYER_CHOICE);
    const first = random.below(INPUTS);
    const { source, tests } = next(layer, cases[layer][first]!.sample);
    if (tests === null) continue;
    done++;
    const interpret = createInterpreter(tests, layer);
    const generated = generateMatcher(tests, layer);
    for (let at = 0; at < INPUTS_PER_FILTER; at++) {
      const { input } = cases[layer][(first + at) % INPUTS]!;
      const expected = interpret(input);
      const actual = generated(input);
      results[expected]!++;
      if (actual !== expected) {
        const code = emitMatcher(tests, layer);
        expect.fail(
          `interpreter ${expected}, JavaScript ${actual}\n${describeCase(random.seed, source, layer, input)}\n${code}`,
        );
      }
    }
  }
  return results;
}

test('random filters: the generated JavaScript agrees with the interpreter', () => {
  const random = new Random();
  const results = compare(
    random,
    (layer, sample) => {
      const source = randomFilter(random, layer, sample);
      return { source, tests: tryCompile(source, layer) };
    },
    FILTERS,
  );
  // Both answers must be common, or the comparison says little.
  const total = results[MATCH.NO]! + results[MATCH.YES]! + results[MATCH.INVALID]!;
  expect(total).toBe(FILTERS * INPUTS_PER_FILTER);
  expect(results[MATCH.YES]! / total, `SEED=${random.seed}`).toBeGreaterThan(0.2);
  expect(results[MATCH.NO]! / total, `SEED=${random.seed}`).toBeGreaterThan(0.2);
});

test('random decision graphs: the generated JavaScript agrees with the interpreter', () => {
  const random = new Random();
  const results = compare(
    random,
    (layer, sample) => {
      const tests = randomTests(random, layer, sample);
      return { source: JSON.stringify(tests), tests };
    },
    FILTERS,
  );
  expect(results[MATCH.INVALID], `SEED=${random.seed}`).toBeGreaterThan(0);
});
