/** Runs programs in the kernel. Needs the capabilities to load them. */

import { loadProgram } from '../../src/linux/bpf/program.ts';
import { TestRunner } from '../../src/linux/bpf/test-run.ts';
import type { BpfHost } from './bpf-engine.ts';

export function createKernelHost(): BpfHost {
  const runner = new TestRunner();
  return (instructions) => {
    const program = loadProgram(instructions, { name: 'netdivert_test' });
    return {
      run: (packet) => runner.run(program.fd, packet, 'other').result,
      close: () => program.close(),
    };
  };
}
