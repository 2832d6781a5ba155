/** More and more handles at once. */

import { type Arena, inArena, sleep } from '../../harness/arena.ts';
import { program } from '../../harness/folders.ts';
import type { Program } from '../../harness/program.ts';
import { flood, missingSenders, startSink, stopSink } from '../../harness/senders.ts';
import type { BenchOptions, Figures, Workload } from '../../harness/workload.ts';
import { runBurst } from '../drain.ts';
import { curve } from './curve.ts';

const SIZES = [1, 3, 10, 30, 100];
const SIZE_BYTES = 64;
const FLOOD_SECONDS = 1;
const SETTLE_MS = 100;
const NEVER = 'inbound and udp.DstPort == 200#';
const ALL = 'inbound and udp.DstPort == 9000';
/** All handles get each of these: a burst takes as long for 100 handles as 400,000 packets for one. */
const BURST = { packets: 4000, warmUp: 1, measured: 2 };
const BURST_ONCE = { packets: 200, warmUp: 0, measured: 1 };

/** What `programs/curve-handles.ts` prints. */
interface Told {
  readonly open: number;
  readonly close: number;
  readonly lost: number;
  readonly residentMb: number;
  readonly mapsMb: number;
}

const start = (arena: Arena, handles: number, filter: string): Promise<Program> =>
  arena.start(arena.b, {
    file: process.execPath,
    args: [program('curve-handles')],
    env: { HANDLES: `${handles}`, FILTER: filter },
  });

async function end(tool: Program): Promise<Told> {
  await tool.stop();
  return tool.result<Told>();
}

/** Microseconds that a packet takes which no handle wants, sending it included. */
async function passingBy(arena: Arena, once: boolean): Promise<number> {
  const { sent, seconds } = await flood(arena, {
    size: SIZE_BYTES,
    seconds: once ? FLOOD_SECONDS / 10 : FLOOD_SECONDS,
  });
  await sleep(SETTLE_MS);
  return (seconds * 1e6) / sent;
}

/** Processor time of a packet in each handle that it goes through, microseconds. */
async function goingThrough(arena: Arena, tool: Program, once: boolean): Promise<number> {
  const { packets, warmUp, measured } = once ? BURST_ONCE : BURST;
  let usedUs = 0;
  let passed = 0;
  for (let burst = 0; burst < warmUp + measured; burst++) {
    const one = await runBurst(arena, tool, SIZE_BYTES, packets);
    if (burst < warmUp) continue;
    usedUs += one.usedUs;
    passed += one.passed;
  }
  return usedUs / passed;
}

async function runHandles(handles: number, { once }: BenchOptions): Promise<Figures> {
  return inArena(async (arena) => {
    const sink = await startSink(arena);
    const none = await passingBy(arena, once);
    const idle = await start(arena, handles, NEVER);
    const passed = await passingBy(arena, once);
    const { open, close, residentMb, mapsMb } = await end(idle);
    const busy = await start(arena, handles, ALL);
    const through = await goingThrough(arena, busy, once);
    const { lost } = await end(busy);
    await stopSink(sink);
    return {
      'open all': open,
      'open one': open / handles,
      'close all': close,
      'packet for none': passed,
      'more than without handles': passed - none,
      'packet for all': through,
      'packet, each handle': through / handles,
      lost,
      RSS: residentMb,
      'RSS, each handle': residentMb / handles,
      'maps in the kernel': mapsMb,
    };
  });
}

const us = { unit: 'us' };
const ms = { unit: 'ms', digits: 1 };
const megabytes = { unit: 'MB' };

export const HANDLE_CURVE: Workload = curve({
  name: 'curves-handles',
  title: 'Handles that are open at once, in one process',
  missing: missingSenders,
  measures: {
    'open all': ms,
    'open one': ms,
    'close all': ms,
    'packet for none': us,
    'more than without handles': { ...us, compared: false },
    'packet for all': us,
    'packet, each handle': us,
    lost: { unit: 'packets', digits: 0, compared: false },
    RSS: { ...megabytes, digits: 1 },
    'RSS, each handle': megabytes,
    'maps in the kernel': { ...megabytes, compared: false },
  },
  rounds: 2,
  sizes: SIZES,
  label: (size) => (size === 1 ? '1 handle' : `${size} handles`),
  run: runHandles,
});
