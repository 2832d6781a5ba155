import { expect, test } from 'vitest';
import { FilterSet } from '../../src/filter/extended/filter-set.ts';
import { kernelSets } from '../../src/filter/extended/properties.ts';
import type { FilterTest } from '../../src/filter/graph.ts';
import { createInterpreter } from '../../src/filter/interpret.ts';
import { MATCH } from '../../src/filter/match-input.ts';
import { FilterSetMaps } from '../../src/linux/filter-sets.ts';
import { testFilterEngine } from '../conformance/filter-engine.ts';
import { createKernelHost, KERNEL_SETS } from '../helpers/bpf-kernel.ts';
import {
  compileEventProgram,
  createEventEngine,
  EVENT_EXEMPTIONS,
} from '../helpers/event-engine.ts';
import { Random } from '../helpers/random.ts';
import {
  EVENT_LAYERS,
  randomEvent,
  randomEventTests,
  recordedEvent,
} from '../helpers/random-event.ts';
import { randomSet } from '../helpers/random-extended.ts';

const FILTERS = Number(process.env.FILTERS ?? 500);
const RECORDS = 50;

testFilterEngine(
  createEventEngine('eBPF on records', createKernelHost(), KERNEL_SETS),
  EVENT_EXEMPTIONS,
);

const namedSets = (tests: readonly FilterTest[]): FilterSet[] =>
  tests.flatMap(({ set }) => (set?.members instanceof FilterSet ? [set.members] : []));

test(`${FILTERS * RECORDS} random filters and records: the kernel and the interpreter agree`, () => {
  const random = new Random();
  const host = createKernelHost();
  let matched = 0;
  let withSets = 0;
  for (let count = 0; count < FILTERS; count += 1) {
    const layer = random.pick(EVENT_LAYERS);
    const first = randomEvent(random, layer);
    const tests = randomEventTests(random, layer, first);
    const named = namedSets(tests);
    using maps = new FilterSetMaps(kernelSets(tests), 'netdivert_test');
    const { instructions, exact } = compileEventProgram(tests, layer, { sets: maps.maps });
    expect(exact).toBe(true);
    const interpret = createInterpreter(tests, layer);
    const program = host(instructions);
    for (let at = 0; at < RECORDS; at += 1) {
      // Programs see at once what changes.
      if (random.chance(20)) named.at(0)?.replace(randomSet(random));
      const event = at === 0 ? first : randomEvent(random, layer);
      const { input, record } = recordedEvent(event, layer);
      const expected = interpret(input) === MATCH.YES;
      const said = program.run(record) !== 0;
      matched += expected ? 1 : 0;
      withSets += named.length > 0 ? 1 : 0;
      if (said !== expected) {
        expect.fail(`expected ${expected}, SEED=${random.seed}\n${layer} ${JSON.stringify(tests)}`);
      }
    }
    program.close();
  }
  expect(matched).toBeGreaterThan(FILTERS * RECORDS * 0.1);
  expect(withSets).toBeGreaterThan(FILTERS * RECORDS * 0.03);
});
