/** More and more new connections a second. */

import { type Arena, inArena, sleep } from '../../harness/arena.ts';
import { program } from '../../harness/folders.ts';
import { binary, compile } from '../../harness/native.ts';
import { type Program, TRAFFIC_CPU } from '../../harness/program.ts';
import type { BenchOptions, Figures, Workload } from '../../harness/workload.ts';
import { curve, grouped } from './curve.ts';

const SIZES = [100, 1000, 3000, 10_000];
const SECONDS = 2;
const SECONDS_ONCE = 0.1;
const PORT = '9100';
/** Of connections that warm up: the same addresses and ports belong to one process only. */
const WARM_UP_PORT = '9101';
const SETTLE_MS = 200;

/** What `c/tcp-flows.c` prints. */
interface Made {
  readonly flows: number;
  readonly errors: number;
  readonly seconds: number;
  readonly cpuUs: number;
}

/** What `programs/curve-flows.ts` prints. */
interface Told {
  readonly flows: number;
  readonly deleted?: number;
  readonly unknown: number;
  readonly lost: number;
  readonly residentMb: number;
  readonly mapsMb: number;
}

/** Servers by their ports. */
type Servers = Readonly<Record<string, Program>>;

/** One stretch of connections: what was made, and microseconds of both ends' processor time for each. */
interface Stretch extends Made {
  readonly endsUs: number;
}

async function connect(
  arena: Arena,
  servers: Servers,
  port: string,
  rate: number,
  { once, seconds = SECONDS }: BenchOptions,
): Promise<Stretch> {
  const serverUs = (): number => servers[port]?.cpuTimeUs() ?? 0;
  const before = serverUs();
  const args = ['client', arena.b.ipv4, port, `${rate}`, `${once ? SECONDS_ONCE : seconds}`];
  const made = await arena.run<Made>(
    arena.a,
    { file: binary('tcp-flows'), args, cpu: TRAFFIC_CPU },
    (seconds + 30) * 1000,
  );
  if (made.errors > 0) throw new Error(`${made.errors} connections failed`);
  await sleep(SETTLE_MS);
  return { ...made, endsUs: (made.cpuUs + serverUs() - before) / made.flows };
}

/** Connections while a handle looks at them. Each has to be reported, or counted as lost. */
async function watched(
  arena: Arena,
  servers: Servers,
  kind: string,
  rate: number,
  options: BenchOptions,
): Promise<{ handleUs: number; stretch: Stretch; told: Told }> {
  const tool = await arena.start(arena.a, {
    file: process.execPath,
    args: [program('curve-flows'), kind, PORT, WARM_UP_PORT],
  });
  // Compilers and caches warm up.
  const warmUp = await connect(arena, servers, WARM_UP_PORT, rate, {
    ...options,
    seconds: SECONDS / 4,
  });
  const before = tool.cpuTimeUs();
  const stretch = await connect(arena, servers, PORT, rate, options);
  const usedUs = tool.cpuTimeUs() - before;
  await tool.stop();
  const told = await tool.result<Told>();
  const made = warmUp.flows + stretch.flows;
  const ends = told.deleted ?? made;
  if (told.flows + told.lost < made || ends + told.lost < made) {
    throw new Error(
      `${kind}: ${made} connections, ${told.flows} reported, ${ends} ended, ${told.lost} lost`,
    );
  }
  return { handleUs: usedUs / stretch.flows, stretch, told };
}

async function runFlows(rate: number, options: BenchOptions): Promise<Figures> {
  return inArena(async (arena) => {
    const serve = (port: string): Promise<Program> =>
      arena.start(arena.b, {
        file: binary('tcp-flows'),
        args: ['server', port],
        cpu: TRAFFIC_CPU,
      });
    const servers = { [PORT]: await serve(PORT), [WARM_UP_PORT]: await serve(WARM_UP_PORT) };
    const alone = await connect(arena, servers, PORT, rate, options);
    const flow = await watched(arena, servers, 'flow', rate, options);
    const asked = await watched(arena, servers, 'attribution', rate, options);
    for (const server of Object.values(servers)) await server.stop();
    return {
      'connections made': flow.stretch.flows / flow.stretch.seconds,
      'both ends alone': alone.endsUs,
      'flow: handle': flow.handleUs,
      'flow: both ends': flow.stretch.endsUs,
      'flow: lost': flow.told.lost,
      'flow: without process': flow.told.unknown,
      'flow: RSS': flow.told.residentMb,
      'flow: maps in the kernel': flow.told.mapsMb,
      'attribution: handle': asked.handleUs,
      'attribution: both ends': asked.stretch.endsUs,
      'attribution: lost': asked.told.lost,
      'attribution: without process': asked.told.unknown,
      'attribution: RSS': asked.told.residentMb,
      'attribution: maps in the kernel': asked.told.mapsMb,
    };
  });
}

const us = { unit: 'us', digits: 1 };
const megabytes = { unit: 'MB', digits: 1 };
const lost = { unit: '', digits: 0, compared: false };

export const FLOW_CURVE: Workload = curve({
  name: 'curves-flows',
  title: 'New TCP connections a second, processor time of each',
  missing: () => compile('tcp-flows'),
  measures: {
    'connections made': { unit: 'per second', digits: 0, compared: false },
    'both ends alone': us,
    'flow: handle': us,
    'flow: both ends': us,
    'flow: lost': lost,
    'flow: without process': lost,
    'flow: RSS': megabytes,
    'flow: maps in the kernel': megabytes,
    'attribution: handle': us,
    'attribution: both ends': us,
    'attribution: lost': lost,
    'attribution: without process': lost,
    'attribution: RSS': megabytes,
    'attribution: maps in the kernel': megabytes,
  },
  rounds: 2,
  sizes: SIZES,
  label: (size) => `${grouped(size)} a second`,
  run: runFlows,
});
