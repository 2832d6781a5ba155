import { testFilterEngine } from '../conformance/filter-engine.ts';
import { createKernelHost } from '../helpers/bpf-kernel.ts';
import { createEventEngine, EVENT_EXEMPTIONS } from '../helpers/event-engine.ts';

testFilterEngine(createEventEngine('eBPF on records', createKernelHost()), EVENT_EXEMPTIONS);
