/** Traffic that a filter of ten terms does not match: what a handle costs those who are not meant. */

import { type Arena, inArena, sleep } from '../harness/arena.ts';
import { program } from '../harness/folders.ts';
import type { Program } from '../harness/program.ts';
import { flood, missingSenders, startSink, stopSink } from '../harness/senders.ts';
import type { BenchOptions, Contestant, Figures, Workload } from '../harness/workload.ts';

const SECONDS = 2;
const SECONDS_ONCE = 0.1;
const SETTLE_MS = 100;
const TRAIN = 32;
const PORTS = [53, 67, 123, 443, 500, 1900, 4500, 5353];
const FILTER = `inbound and udp and (${PORTS.map((port) => `udp.DstPort == ${port}`).join(' or ')})`;
const RULES = PORTS.map((port) => `-A INPUT -p udp --dport ${port} -j NFQUEUE --queue-num 0`);

/** How the receiver's namespace is prepared. */
type Prepare = (arena: Arena) => Promise<Program | null>;

const PREPARATIONS: Readonly<Record<string, Prepare>> = {
  none: async () => null,
  netdivert: (arena) =>
    arena.start(arena.b, {
      file: process.execPath,
      args: [program('divert')],
      env: { FILTER },
    }),
  'iptables, a rule for each port': async (arena) => {
    await arena.rules(...RULES);
    return null;
  },
};

async function runSelective(
  prepare: Prepare,
  train: number | undefined,
  { once, seconds = SECONDS }: BenchOptions,
): Promise<Figures> {
  return inArena(async (arena) => {
    const sink = await startSink(arena);
    const tool = await prepare(arena);
    const sent = await flood(arena, {
      size: 64,
      seconds: once ? SECONDS_ONCE : seconds,
      ...(train === undefined ? {} : { train }),
    });
    await sleep(SETTLE_MS);
    await tool?.stop();
    const { received } = await stopSink(sink);
    return { passed: received / sent.seconds / 1000, lost: 100 * (1 - received / sent.sent) };
  });
}

function workload(name: string, title: string, train?: number): Workload {
  return {
    name,
    title,
    missing: missingSenders,
    baseline: 'none',
    rounds: 9,
    measures: {
      passed: { unit: 'kpackets/s', digits: 0 },
      lost: { unit: '%', digits: 2, compared: false },
    },
    contestants: Object.entries(PREPARATIONS).map(
      ([one, prepare]): Contestant => ({
        name: one,
        run: (options) => runSelective(prepare, train, options),
      }),
    ),
  };
}

export const SELECTIVE: readonly Workload[] = [
  workload('selective', 'UDP flood, 64 bytes, that a filter of ten terms does not match'),
  workload('selective-trains', 'The same flood from a faster sender (trains)', TRAIN),
];
