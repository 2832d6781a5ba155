import { BPF_EXEMPTIONS, BPF_SET_EXEMPTION, createBpfEngine } from '../helpers/bpf-engine.ts';
import { runProgram } from '../helpers/bpf-machine.ts';
import { testFilterEngine } from './filter-engine.ts';

const engine = createBpfEngine('eBPF without a kernel', (instructions) => ({
  run: (packet) => runProgram(instructions, packet),
  close: () => undefined,
}));

testFilterEngine(engine, [BPF_SET_EXEMPTION, ...BPF_EXEMPTIONS]);
