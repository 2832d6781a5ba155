/**
 * What the threads of a handle tell each other.
 *
 * @module
 */
import type { MessagePort } from 'node:worker_threads';
import type { ParamName, ResolvedOptions } from '../divert/options.ts';
import type { Stats } from '../divert/stats.ts';
import type { Dialect, Filter } from '../filter/index.ts';
import type { ChannelShare } from '../linux/shared-channel.ts';
import type { SetChange, SetCopies } from './set-copies.ts';

/** A filter, to be compiled where it arrives. */
export interface FilterText {
  readonly source: string;
  readonly dialect: Dialect;
}

export function textOf({ source, dialect }: Filter): FilterText {
  return { source, dialect };
}

/** What a worker starts with. */
export interface WorkerStart {
  readonly port: MessagePort;
  /** URL of the user's module. */
  readonly module: string;
  readonly index: number;
  readonly workers: number;
  readonly workerData: unknown;
  readonly filter: FilterText;
  readonly options: ResolvedOptions;
  readonly share: ChannelShare;
  /** Members of the named sets. */
  readonly sets: SetCopies['members'];
}

/** What a worker is asked; each is answered with the handle's counters. */
export type Command =
  /** Rules are installed: the first ones, or those that were expected. */
  | { readonly type: 'settle'; readonly isExact: boolean }
  /** Other rules are about to be installed. */
  | { readonly type: 'expect'; readonly filter: FilterText }
  | { readonly type: 'cancel' }
  | { readonly type: 'run' }
  | { readonly type: 'sets'; readonly changes: readonly SetChange[] }
  | { readonly type: 'setParam'; readonly name: ParamName; readonly value: number }
  | { readonly type: 'shutdown'; readonly how: 'receive' | 'send' | 'both' }
  | { readonly type: 'stats' }
  /** Answered when the handle is closed and the user's function has ended. */
  | { readonly type: 'close' };

export interface Request {
  readonly id: number;
  readonly command: Command;
}

/** An error, whose class and properties a copy between threads would lose. */
export interface ErrorText {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: unknown;
}

/** What a worker says. */
export type Report =
  /** The thread has what it is made of, and may be stopped. */
  | { readonly type: 'ready' }
  /** The user's module is there. */
  | { readonly type: 'loaded' }
  | { readonly type: 'answer'; readonly id: number; readonly stats: Stats }
  | { readonly type: 'refused'; readonly id: number; readonly error: ErrorText }
  /** The handle was shut down in the worker. */
  | { readonly type: 'detached' }
  /** The user's function returned. */
  | { readonly type: 'returned' }
  | { readonly type: 'failed'; readonly error: ErrorText };

export function describeError(error: unknown): ErrorText {
  if (!(error instanceof Error)) {
    return { name: 'Error', message: String(error), stack: undefined, code: undefined };
  }
  const { name, message, stack } = error;
  return { name, message, stack, code: 'code' in error ? error.code : undefined };
}

/** An error as it was in the other thread, but for its class. */
export function restoreError({ name, message, stack, code }: ErrorText): Error {
  const error = new Error(message);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return code === undefined ? error : Object.assign(error, { code });
}
