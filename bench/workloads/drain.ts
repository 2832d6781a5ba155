/**
 * What a packet costs the diverter alone, at full batches: bursts pile up in the queue while it is stopped, then it works
 * them off with nothing else on its processor. The first bursts are not counted: caches and compilers warm up.
 */

import type { Arena } from '../harness/arena.ts';
import { inArena, sleep } from '../harness/arena.ts';
import {
  contestant,
  type Diverter,
  NETDIVERT,
  NETDIVERT_PACKETS,
  PLAIN_LONG,
  PYTHON_QUEUE,
  startDiverter,
  TUNED,
  TUNED_BATCH,
} from '../harness/diverters.ts';
import { drained, readDatagrams } from '../harness/kernel-counters.ts';
import type { Program } from '../harness/program.ts';
import { flood, missingSenders, startSink } from '../harness/senders.ts';
import type { BenchOptions, Figures, Workload } from '../harness/workload.ts';

interface Bursts {
  readonly packets: number;
  readonly warmUp: number;
  readonly measured: number;
}

const RATE = 250_000;
const FLOOD_SECONDS = 5;
const STOP_MS = 20;
/** Of 64 bytes: 240,000 packets before, 400,000 counted. */
const BURSTS_SMALL: Bursts = { packets: 40_000, warmUp: 6, measured: 10 };
/** Of 1400 bytes the receive buffers hold fewer: 120,000 before, 300,000 counted. */
const BURSTS_LARGE: Bursts = { packets: 20_000, warmUp: 6, measured: 15 };
const BURSTS_ONCE: Bursts = { packets: 1_000, warmUp: 0, measured: 1 };

/** One burst: processor time it took, and packets that came through. */
export async function runBurst(
  arena: Arena,
  tool: Program,
  size: number,
  count: number,
  flows = 1,
): Promise<{ usedUs: number; passed: number; sent: number; resumedNs: number }> {
  const before = await readDatagrams(arena.b);
  tool.pause();
  await sleep(STOP_MS);
  const { sent } = await flood(arena, { size, seconds: FLOOD_SECONDS, rate: RATE, count, flows });
  const start = tool.cpuTimeUs();
  const resumedNs = Number(process.hrtime.bigint());
  tool.resume();
  await drained(arena.b);
  const passed = (await readDatagrams(arena.b)) - before;
  return { usedUs: tool.cpuTimeUs() - start, passed, sent, resumedNs };
}

async function runDrain(
  diverter: Diverter,
  size: number,
  bursts: Bursts,
  { once }: BenchOptions,
): Promise<Figures> {
  const { packets, warmUp, measured } = once ? BURSTS_ONCE : bursts;
  return inArena(async (arena) => {
    const sink = await startSink(arena);
    const task = { protocol: 'udp', hooks: 'input' } as const;
    const tool = await startDiverter(arena, diverter, task);
    if (tool === null) throw new Error(`${diverter.name} takes no packets`);
    let usedUs = 0;
    let passed = 0;
    let sent = 0;
    for (let burst = 0; burst < warmUp + measured; burst++) {
      const one = await runBurst(arena, tool, size, packets);
      if (burst < warmUp) continue;
      usedUs += one.usedUs;
      passed += one.passed;
      sent += one.sent;
    }
    await tool.stop();
    await sink.stop();
    return {
      CPU: usedUs / passed,
      'on one core': (1000 * passed) / usedUs,
      lost: 100 * (1 - passed / sent),
    };
  });
}

function workload(
  name: string,
  title: string,
  size: number,
  bursts: Bursts,
  diverters: readonly Diverter[],
  baseline: Diverter = TUNED,
): Workload {
  const isShort = diverters.length === 2;
  return {
    name,
    title,
    missing: missingSenders,
    baseline: baseline.name,
    measures: {
      CPU: { unit: 'us/packet' },
      'on one core': { unit: 'kpackets/s', digits: 0 },
      lost: { unit: '%', digits: 1, compared: false },
    },
    contestants: diverters.map((diverter) =>
      contestant(diverter, (one, options) => runDrain(one, size, bursts, options), isShort),
    ),
  };
}

const SMALL = 64;
const LARGE = 1400;
/** npm's nfqueue has no long queue: it would lose almost all of a burst. */
const ALL = [NETDIVERT, TUNED, TUNED_BATCH, PLAIN_LONG, PYTHON_QUEUE];

export const DRAINS: readonly Workload[] = [
  workload(
    'drain64',
    'Processor time of a packet at full batches, 64 bytes',
    SMALL,
    BURSTS_SMALL,
    ALL,
  ),
  workload(
    'drain1400',
    'Processor time of a packet at full batches, 1400 bytes',
    LARGE,
    BURSTS_LARGE,
    ALL,
  ),
  workload(
    'friendly',
    'The friendly path (one packet a turn, send) beside batches, full batches, 64 bytes',
    SMALL,
    BURSTS_SMALL,
    [NETDIVERT, NETDIVERT_PACKETS],
    NETDIVERT,
  ),
];
