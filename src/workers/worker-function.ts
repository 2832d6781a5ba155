/**
 * What a worker module exports.
 *
 * @module
 */
import type { NetworkHandle } from '../divert/network-handle.ts';

/** Which of the workers this is, and what it was given. */
export interface WorkerContext {
  /** 0 to `workers` - 1. */
  readonly index: number;
  readonly workers: number;
  /** A copy of the option `workerData`. */
  readonly workerData: unknown;
}

/**
 * The default export of a worker module. It gets the worker's part of the packets, by a handle like that of `open`.
 * When it returns or throws before the handle is shut down, all workers end.
 */
export type WorkerFunction = (handle: NetworkHandle, context: WorkerContext) => Promise<void>;
