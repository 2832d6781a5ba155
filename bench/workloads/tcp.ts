/** One TCP connection through a diverter, both directions. */

import { type Arena, inArena } from '../harness/arena.ts';
import {
  contestant,
  type Diverter,
  NETDIVERT,
  NONE,
  NPM,
  PLAIN,
  PLAIN_LONG,
  PYTHON_QUEUE,
  startDiverter,
  TUNED,
} from '../harness/diverters.ts';
import { readQueues } from '../harness/kernel-counters.ts';
import { Program, TRAFFIC_CPU } from '../harness/program.ts';
import type { BenchOptions, Figures, Workload } from '../harness/workload.ts';

const SECONDS = 2;
/** Not counted: a connection of its own. Large packets are few, and compilers look at how often code runs. */
const WARM_UP_SECONDS = 2;
const SECONDS_ONCE = 1;
const PORT = '5201';

/** What is used of iperf3's report. */
interface Report {
  readonly end: {
    readonly sum_received: { readonly bits_per_second: number };
    readonly sum_sent: { readonly retransmits: number };
  };
}

async function transfer(arena: Arena, seconds: number): Promise<Report> {
  const args = ['-c', arena.b.ipv4, '-p', PORT, '-t', `${seconds}`, '-J'];
  const client = new Program(arena.a, { file: 'iperf3', args, cpu: TRAFFIC_CPU });
  return JSON.parse(await client.output((seconds + 20) * 1000));
}

async function runTcp(
  diverter: Diverter,
  large: boolean,
  { once, seconds = SECONDS }: BenchOptions,
): Promise<Figures> {
  return inArena(async (arena) => {
    const args = ['-s', '-p', PORT, '--forceflush'];
    const server = await arena.start(arena.b, { file: 'iperf3', args, cpu: TRAFFIC_CPU });
    const task = { protocol: 'tcp', hooks: 'both', large } as const;
    const tool = await startDiverter(arena, diverter, task);
    if (!once) await transfer(arena, WARM_UP_SECONDS);
    const cpuBefore = tool?.cpuTimeUs() ?? 0;
    const before = await readQueues(arena.b);
    const { end } = await transfer(arena, once ? SECONDS_ONCE : seconds);
    const used = (tool?.cpuTimeUs() ?? 0) - cpuBefore;
    const { queued } = await readQueues(arena.b);
    await tool?.stop();
    await server.stop();
    const figures = {
      received: end.sum_received.bits_per_second / 1e9,
      retransmits: end.sum_sent.retransmits,
    };
    return tool === null ? figures : { ...figures, CPU: used / (queued - before.queued) };
  });
}

function workload(name: string, title: string, large: boolean): Workload {
  const diverters = [NONE, NETDIVERT, TUNED, PLAIN, PLAIN_LONG];
  return {
    name,
    title,
    baseline: TUNED.name,
    measures: {
      received: { unit: 'Gbit/s' },
      retransmits: { unit: '', digits: 0, compared: false },
      CPU: { unit: 'us/packet' },
    },
    contestants: (large ? diverters : [...diverters, NPM, PYTHON_QUEUE]).map((diverter) =>
      contestant(diverter, (one, options) => runTcp(one, large, options)),
    ),
  };
}

export const TCP: readonly Workload[] = [
  workload('tcp', 'One TCP connection, MTU 1500, both directions diverted (segments)', false),
  workload(
    'tcp-large',
    'One TCP connection, both directions diverted, large packets (largePackets, NFQA_CFG_F_GSO)',
    true,
  ),
];
