/** Round trips of one byte; both ways are diverted, so each has two verdicts. */

import { inArena } from '../harness/arena.ts';
import {
  contestant,
  type Diverter,
  NETDIVERT,
  NETDIVERT_PACKETS,
  NONE,
  NPM,
  PLAIN,
  PYTHON_QUEUE,
  startDiverter,
  TUNED,
} from '../harness/diverters.ts';
import { binary } from '../harness/native.ts';
import { TOOL_CPU, TRAFFIC_CPU } from '../harness/program.ts';
import { missingSenders } from '../harness/senders.ts';
import type { BenchOptions, Figures, Workload } from '../harness/workload.ts';

const SECONDS = 2;
const SECONDS_ONCE = 0.1;
const PORT = '9100';

/** What `udp-echo` prints, microseconds. */
interface RoundTrips {
  readonly roundTrips: number;
  readonly lost: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

async function runLatency(
  diverter: Diverter,
  cpu: number,
  { once, seconds = SECONDS }: BenchOptions,
): Promise<Figures> {
  const duration = once ? SECONDS_ONCE : seconds;
  return inArena(async (arena) => {
    const file = binary('udp-echo');
    await arena.start(arena.b, { file, args: ['server', PORT], cpu: TRAFFIC_CPU });
    const task = { protocol: 'udp', hooks: 'both', cpu } as const;
    const tool = await startDiverter(arena, diverter, task);
    const before = tool?.cpuTimeUs() ?? 0;
    const args = ['client', arena.b.ipv4, PORT, `${duration}`];
    const { p50, p90, p99, roundTrips } = await arena.run<RoundTrips>(
      arena.a,
      { file, args, cpu: TRAFFIC_CPU },
      (duration + 20) * 1000,
    );
    const used = (tool?.cpuTimeUs() ?? 0) - before;
    await tool?.stop();
    return tool === null ? { p50, p90, p99 } : { p50, p90, p99, CPU: used / roundTrips / 2 };
  });
}

function workload(name: string, title: string, cpu: number): Workload {
  return {
    name,
    title,
    missing: missingSenders,
    baseline: PLAIN.name,
    measures: {
      p50: { unit: 'us', digits: 1 },
      p90: { unit: 'us', digits: 1 },
      p99: { unit: 'us', digits: 1 },
      CPU: { unit: 'us/packet', digits: 1 },
    },
    contestants: [NONE, NETDIVERT, NETDIVERT_PACKETS, PLAIN, TUNED, NPM, PYTHON_QUEUE].map(
      (diverter) => contestant(diverter, (one, options) => runLatency(one, cpu, options)),
    ),
  };
}

export const LATENCY: readonly Workload[] = [
  workload('latency', 'Round trip, everything on one processor', TRAFFIC_CPU),
  workload('latency-other', 'Round trip, the diverter on the other processor', TOOL_CPU),
];
