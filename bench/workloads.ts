/** All workloads, in the order in which they run. */

import type { Workload } from './harness/workload.ts';
import { FILTER_CURVES } from './workloads/curves/filters.ts';
import { FLOW_CURVE } from './workloads/curves/flows.ts';
import { HANDLE_CURVE } from './workloads/curves/handles.ts';
import { SET_CURVES } from './workloads/curves/sets.ts';
import { WORKER_CURVE } from './workloads/curves/workers.ts';
import { DRAINS } from './workloads/drain.ts';
import { FILTER_WORKLOADS } from './workloads/filter.ts';
import { FLOODS } from './workloads/flood.ts';
import { LATENCY } from './workloads/latency.ts';
import { PACKET_WORKLOAD } from './workloads/packet.ts';
import { SELECTIVE } from './workloads/selective.ts';
import { SNIFFS } from './workloads/sniff.ts';
import { STARTS } from './workloads/start.ts';
import { TCP } from './workloads/tcp.ts';

export const WORKLOADS: readonly Workload[] = [
  ...FLOODS,
  ...TCP,
  ...LATENCY,
  ...DRAINS,
  ...SELECTIVE,
  ...SNIFFS,
  ...FILTER_WORKLOADS,
  PACKET_WORKLOAD,
  ...STARTS,
  ...FILTER_CURVES,
  ...SET_CURVES,
  HANDLE_CURVE,
  FLOW_CURVE,
  WORKER_CURVE,
];
