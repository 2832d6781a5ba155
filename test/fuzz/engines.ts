/**
 * The engines the fuzzer compares. The first is the reference. `FUZZ_BPF=1` adds the kernel's, which needs the
 * capabilities to load programs and loads one for nearly every packet.
 *
 * @module
 */

import { GENERATED_JAVASCRIPT, INTERPRETER } from '../conformance/engines.ts';
import type { FilterEngine } from '../conformance/filter-engine.ts';
import { createBpfEngine } from '../helpers/bpf-engine.ts';
import { createKernelHost, KERNEL_SETS } from '../helpers/bpf-kernel.ts';

export const ENGINES: readonly FilterEngine[] = [
  INTERPRETER,
  GENERATED_JAVASCRIPT,
  ...(process.env.FUZZ_BPF === '1'
    ? [createBpfEngine('eBPF', createKernelHost(), KERNEL_SETS)]
    : []),
];
