import { testFilterEngine } from '../conformance/filter-engine.ts';
import { BPF_EXEMPTIONS, createBpfEngine } from '../helpers/bpf-engine.ts';
import { createKernelHost, KERNEL_SETS } from '../helpers/bpf-kernel.ts';

testFilterEngine(createBpfEngine('eBPF', createKernelHost(), KERNEL_SETS), BPF_EXEMPTIONS);
