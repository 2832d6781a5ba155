/** What each thread of `workers.ts` does: sends everything back, changed or not, and notes when it was at work. */

import type { NetworkHandle } from '../../src/divert/network-handle.ts';
import type { WorkerContext } from '../../src/workers/worker-function.ts';

/** Longer ones are noted. */
const PAUSE_NS = 20e6;

/** What the threads share. */
export interface WorkTimes {
  readonly modify: boolean;
  /** Of each worker: monotonic nanoseconds, from when to when it was at work. */
  readonly times: readonly Float64Array[];
}

// biome-ignore lint/style/noDefaultExport: openWorkers calls the default export of a module
export default async function passPart(
  handle: NetworkHandle,
  { index, workerData }: WorkerContext,
): Promise<void> {
  const { modify, times } = workerData as WorkTimes;
  await passAndNote(handle, modify, times[index] ?? new Float64Array(2));
}

/** Works until the handle is shut down. */
export async function passAndNote(
  handle: NetworkHandle,
  modify: boolean,
  times: Float64Array,
): Promise<void> {
  let at = -2;
  let lastNs = 0;
  for await (const batch of handle.batches()) {
    const startNs = Number(process.hrtime.bigint());
    if (startNs - lastNs > PAUSE_NS) {
      at += 2;
      times[at] = startNs;
    }
    if (modify) {
      for (const { payload } of batch) payload[0] = ((payload[0] ?? 0) + 1) & 0xff;
    }
    batch.send();
    await handle.flush();
    lastNs = Number(process.hrtime.bigint());
    times[at + 1] = lastNs;
  }
}
