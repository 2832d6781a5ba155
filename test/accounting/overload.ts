/**
 * Ways to offer a handle more than it can take.
 *
 * @module
 */
import type { NetworkHandle, OpenOptions, Stats } from '../../src/index.ts';

export interface Overload {
  name: string;
  options?: OpenOptions;
  filter?: string;
  count: number;
  /** Bytes of a payload. */
  length?: number;
  /** Starts before the flood. */
  consume?: (handle: NetworkHandle) => Promise<void>;
  /** The event loop stands still during the flood. */
  blocked?: true;
  /** What this one must show beside the balance, which all must. */
  expected: (stats: Stats, count: number) => void;
}

/** The event loop stands still, as in a long computation. */
export function blockEventLoop(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

export async function sendBatches(handle: NetworkHandle): Promise<void> {
  for await (const batch of handle.batches()) batch.send();
}
