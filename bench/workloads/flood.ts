/** As many datagrams as the sender makes, all of them diverted. */

import { inArena, sleep } from '../harness/arena.ts';
import {
  contestant,
  type Diverter,
  NETDIVERT,
  NETDIVERT_PACKETS,
  NONE,
  NPM,
  PLAIN,
  PLAIN_LONG,
  PYTHON_QUEUE,
  startDiverter,
  TUNED,
  TUNED_BATCH,
} from '../harness/diverters.ts';
import { drained, readDatagrams } from '../harness/kernel-counters.ts';
import {
  type Flood,
  flood,
  missingSenders,
  type Received,
  type Sent,
  startSink,
  stopSink,
} from '../harness/senders.ts';
import type { BenchOptions, Figures, Workload } from '../harness/workload.ts';

const SECONDS = 2;
/** Not counted: caches and compilers warm up. */
const WARM_UP_SECONDS = 0.5;
const SECONDS_ONCE = 0.1;
const SETTLE_MS = 100;
/** Datagrams of a train: fewer calls for the same packets, so that the sender is not what limits. */
const TRAIN = 32;

interface FloodTask extends Omit<Flood, 'seconds'> {
  readonly mode: 'accept' | 'modify';
}

/** Every datagram came as it was sent, or every one was changed. */
function checkPayloads({ received, changed }: Received, isModified: boolean): void {
  if (received === 0) throw new Error('nothing arrived');
  if (changed !== (isModified ? received : 0)) {
    throw new Error(`${changed} of ${received} datagrams were changed`);
  }
}

async function runFlood(
  diverter: Diverter,
  { mode, ...traffic }: FloodTask,
  { once, seconds = SECONDS }: BenchOptions,
): Promise<Figures> {
  return inArena(async (arena) => {
    const sink = await startSink(arena);
    const tool = await startDiverter(arena, diverter, { protocol: 'udp', hooks: 'input', mode });
    const flooded = (seconds: number): Promise<Sent> => flood(arena, { ...traffic, seconds });
    if (!once) await flooded(WARM_UP_SECONDS);
    await drained(arena.b);
    const cpuBefore = tool?.cpuTimeUs() ?? 0;
    const before = await readDatagrams(arena.b);
    const sent = await flooded(once ? SECONDS_ONCE : seconds);
    // What still waits in a long queue did not pass while the flood was on.
    const inTime = (await readDatagrams(arena.b)) - before;
    await drained(arena.b);
    const passed = (await readDatagrams(arena.b)) - before;
    const used = (tool?.cpuTimeUs() ?? 0) - cpuBefore;
    await tool?.stop();
    await sleep(SETTLE_MS);
    checkPayloads(await stopSink(sink), tool !== null && mode === 'modify');
    const rate = inTime / sent.seconds / 1000;
    const lossPercent = 100 * (1 - passed / sent.sent);
    return tool === null
      ? { passed: rate, lost: lossPercent }
      : { passed: rate, lost: lossPercent, CPU: used / passed };
  });
}

function workload(name: string, title: string, task: FloodTask): Workload {
  const diverters = [
    ...[NONE, NETDIVERT, NETDIVERT_PACKETS, TUNED, TUNED_BATCH, PLAIN, PLAIN_LONG],
    ...[NPM, PYTHON_QUEUE],
  ].filter((one) => task.mode === 'accept' || (one !== NONE && one !== TUNED_BATCH));
  return {
    name,
    title,
    missing: missingSenders,
    baseline: TUNED.name,
    measures: {
      passed: { unit: 'kpackets/s', digits: 0 },
      lost: { unit: '%', digits: 1, compared: false },
      CPU: { unit: 'us/packet' },
    },
    contestants: diverters.map((diverter) =>
      contestant(diverter, (one, options) => runFlood(one, task, options)),
    ),
  };
}

const SMALL = 64;
const LARGE = 1400;

export const FLOODS: readonly Workload[] = [
  workload('udp64', 'UDP flood, 64 bytes of payload, all inbound packets diverted and sent on', {
    size: SMALL,
    mode: 'accept',
  }),
  workload(
    'udp1400',
    'UDP flood, 1400 bytes of payload, all inbound packets diverted and sent on',
    {
      size: LARGE,
      mode: 'accept',
    },
  ),
  workload('udp64-trains', 'UDP flood of 64 bytes from a sender that is faster than any diverter', {
    size: SMALL,
    mode: 'accept',
    train: TRAIN,
  }),
  workload('modify64', 'UDP flood, 64 bytes, payload changed; the receiver checks each', {
    size: SMALL,
    mode: 'modify',
  }),
  workload('modify1400', 'UDP flood, 1400 bytes, payload changed; the receiver checks each', {
    size: LARGE,
    mode: 'modify',
  }),
];
