import { runProgram } from '../helpers/bpf-machine.ts';
import { createEventEngine, EVENT_EXEMPTIONS, SET_EXEMPTION } from '../helpers/event-engine.ts';
import { testFilterEngine } from './filter-engine.ts';

const engine = createEventEngine('eBPF on records without a kernel', (instructions) => ({
  run: (packet) => runProgram(instructions, packet),
  close: () => undefined,
}));

testFilterEngine(engine, [...EVENT_EXEMPTIONS, SET_EXEMPTION]);
