/**
 * What runs in each thread of `netdivert pass --workers`.
 *
 * @module
 */

import type { NetworkHandle } from '../divert/network-handle.ts';
import type { WorkerContext } from '../workers/worker-function.ts';

/** What the threads have in common. */
export interface PassTogether {
  /** Packets a turn, 1..255. */
  readonly batch: number;
  /** All stop after so many; none: when they are told to. */
  readonly count: number | undefined;
  /** Packets passed by all of them, 64 bits in shared memory. */
  readonly passed: BigInt64Array;
}

/** Sends everything back, until all of them together have passed enough. */
// biome-ignore lint/style/noDefaultExport: openWorkers calls the default export of a module
export default async function passPart(
  handle: NetworkHandle,
  { workerData }: WorkerContext,
): Promise<void> {
  const { batch: size, count, passed } = workerData as PassTogether;
  for await (const batch of handle.batches(size)) {
    const length = batch.length;
    batch.send();
    if (count === undefined) continue;
    if (Number(Atomics.add(passed, 0, BigInt(length))) + length >= count) return;
  }
}
