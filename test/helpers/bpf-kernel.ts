/** Runs programs in the kernel. Needs the capabilities to load them. */

import { loadProgram } from '../../src/linux/bpf/program.ts';
import { TestRunner } from '../../src/linux/bpf/test-run.ts';
import { FilterSetMaps } from '../../src/linux/filter-sets.ts';
import type { BpfHost, SetHost } from './bpf-engine.ts';

/** Sets in maps. */
export const KERNEL_SETS: SetHost = (sets) => new FilterSetMaps(sets, 'netdivert_test');

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
