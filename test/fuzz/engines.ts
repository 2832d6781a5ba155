/**
 * The engines the fuzzer compares. The first is the reference. `FUZZ_BPF=1` adds the kernel's, which needs the
 * capabilities to load programs.
 *
 * @module
 */

import { GENERATED_JAVASCRIPT, INTERPRETER } from '../conformance/engines.ts';
import type { FilterEngine } from '../conformance/filter-engine.ts';
import { createBpfEngine } from '../helpers/bpf-engine.ts';
import { createKernelHost, KERNEL_SETS } from '../helpers/bpf-kernel.ts';
import { createEventEngine } from '../helpers/event-engine.ts';

/** Programs on packets, and programs on records of events. */
function kernelEngines(): readonly FilterEngine[] {
  const host = createKernelHost();
  return [
    createBpfEngine('eBPF', host, KERNEL_SETS),
    createEventEngine('eBPF of events', host, KERNEL_SETS),
  ];
}

export const ENGINES: readonly FilterEngine[] = [
  INTERPRETER,
  GENERATED_JAVASCRIPT,
  ...(process.env.FUZZ_BPF === '1' ? kernelEngines() : []),
];
