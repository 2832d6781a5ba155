import { expect, test } from 'vitest';
import { createInterpreter } from '../../src/filter/interpret.ts';
import { MATCH } from '../../src/filter/match-input.ts';
import { testFilterEngine } from '../conformance/filter-engine.ts';
import { createKernelHost } from '../helpers/bpf-kernel.ts';
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

const FILTERS = Number(process.env.FILTERS ?? 500);
const RECORDS = 50;

testFilterEngine(createEventEngine('eBPF on records', createKernelHost()), EVENT_EXEMPTIONS);

test(`${FILTERS * RECORDS} random filters and records: the kernel and the interpreter agree`, () => {
  const random = new Random();
  const host = createKernelHost();
  let matched = 0;
  for (let count = 0; count < FILTERS; count += 1) {
    const layer = random.pick(EVENT_LAYERS);
    const first = randomEvent(random, layer);
    const tests = randomEventTests(random, layer, first);
    const { instructions, exact } = compileEventProgram(tests, layer);
    const interpret = createInterpreter(tests, layer);
    const program = host(instructions);
    for (let at = 0; at < RECORDS; at += 1) {
      const event = at === 0 ? first : randomEvent(random, layer);
      const { input, record } = recordedEvent(event, layer);
      const expected = interpret(input) === MATCH.YES;
      const said = program.run(record) !== 0;
      matched += expected ? 1 : 0;
      if (exact ? said !== expected : expected && !said) {
        expect.fail(`expected ${expected}, SEED=${random.seed}\n${layer} ${JSON.stringify(tests)}`);
      }
    }
    program.close();
  }
  expect(matched).toBeGreaterThan(FILTERS * RECORDS * 0.1);
});
