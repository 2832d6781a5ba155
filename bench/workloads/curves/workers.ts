/** One handle's packets spread over threads: bursts that wait in the kernel, and both processors free to take them. */

import { type Arena, inArena } from '../../harness/arena.ts';
import { program } from '../../harness/folders.ts';
import { missingSenders, startSink } from '../../harness/senders.ts';
import type { BenchOptions, Figures, Workload } from '../../harness/workload.ts';
import { runBurst } from '../drain.ts';
import { curve } from './curve.ts';

const SIZE_BYTES = 64;
const FLOWS = 64;
const ALL_CPUS = '0-1';
const BURSTS = { packets: 20_000, warmUp: 8, measured: 8 };
const BURSTS_ONCE = { packets: 1_000, warmUp: 0, measured: 1 };

/** What `programs/workers.ts` prints. */
interface Told {
  /** Of each thread. */
  readonly packets: readonly number[];
  /** Monotonic nanoseconds, when a thread had nothing to do for a while. */
  readonly endsNs: readonly number[];
}

async function measure(
  arena: Arena,
  workers: number,
  mode: 'accept' | 'modify',
  once: boolean,
): Promise<{ wall: number; cpu: number; busiest: number }> {
  const { packets, warmUp, measured } = once ? BURSTS_ONCE : BURSTS;
  const tool = await arena.start(arena.b, {
    file: process.execPath,
    args: [program('workers')],
    env: { FILTER: 'inbound and udp', WORKERS: `${workers}`, MODE: mode },
    cpu: ALL_CPUS,
  });
  let usedUs = 0;
  let passed = 0;
  const startsNs: number[] = [];
  for (let burst = 0; burst < warmUp + measured; burst++) {
    const one = await runBurst(arena, tool, SIZE_BYTES, packets, FLOWS);
    if (burst < warmUp) continue;
    usedUs += one.usedUs;
    passed += one.passed;
    startsNs.push(one.resumedNs);
  }
  await tool.stop();
  const told = await tool.result<Told>();
  const tookNs = startsNs.reduce((sum, startNs, burst) => {
    const nextNs = startsNs[burst + 1] ?? Number.POSITIVE_INFINITY;
    const ends = told.endsNs.filter((ns) => ns > startNs && ns < nextNs);
    return sum + Math.max(startNs, ...ends) - startNs;
  }, 0);
  const all = told.packets.reduce((sum, count) => sum + count, 0);
  return {
    wall: tookNs / passed,
    cpu: (usedUs * 1000) / passed,
    busiest: (100 * Math.max(...told.packets)) / all,
  };
}

async function runWorkers(workers: number, { once }: BenchOptions): Promise<Figures> {
  return inArena(async (arena) => {
    const sink = await startSink(arena);
    const plain = await measure(arena, workers, 'accept', once);
    const changed = await measure(arena, workers, 'modify', once);
    await sink.stop();
    return {
      'as they are: time': plain.wall,
      'as they are: processor time': plain.cpu,
      'a byte changed: time': changed.wall,
      'a byte changed: processor time': changed.cpu,
      'busiest thread': plain.busiest,
    };
  });
}

const ns = { unit: 'ns/packet', digits: 0 };

export const WORKER_CURVE: Workload = curve({
  name: 'curves-workers',
  title: 'Bursts of 64 flows, 64 bytes, worked off on two processors',
  missing: missingSenders,
  measures: {
    '*': ns,
    'busiest thread': { unit: '% of packets', digits: 0, compared: false },
  },
  rounds: 2,
  sizes: [0, 1, 2, 4],
  alsoOnce: 2,
  label: (workers) =>
    workers === 0 ? 'open' : `${workers} ${workers === 1 ? 'worker' : 'workers'}`,
  run: runWorkers,
});
