import { testFilterEngine } from '../conformance/filter-engine.ts';
import { BPF_EXEMPTIONS, createBpfEngine } from '../helpers/bpf-engine.ts';
import { createKernelHost } from '../helpers/bpf-kernel.ts';

testFilterEngine(createBpfEngine('eBPF', createKernelHost()), BPF_EXEMPTIONS);
