/**
 * Opens handles whose packets several worker threads share.
 *
 * @module
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  invalidParameter,
  type NetworkOpenOptions,
  type ResolvedOptions,
  resolveOptions,
  toFilter,
} from '../divert/options.ts';
import { UnsupportedError } from '../errors.ts';
import type { Filter } from '../filter/index.ts';
import { SetCopies } from './set-copies.ts';
import { checkShareable } from './shareable.ts';
import { WorkersHandle } from './workers-handle.ts';

/** More queues than processors bring nothing. */
const MAX_WORKERS = 256;

/** Options of {@link openWorkers}: those of a handle, and how many threads. */
export type WorkersOptions = NetworkOpenOptions & {
  /** Threads, 1..256; as many as processors are to work. */
  readonly workers: number;
  /** What the workers get a copy of (structured clone; a SharedArrayBuffer is shared). */
  readonly workerData?: unknown;
};

/**
 * Opens a handle and spreads its packets over worker threads. Each loads `module` and calls its default export with
 * a {@link NetworkHandle} for its part of the packets. Both directions of a flow go to the same worker, in order.
 *
 * @param filter as for `open`
 * @param module of the workers: a path (absolute, or beginning with `./` or `../`, from the working directory) or a URL;
 * its default export is a {@link WorkerFunction}
 * @param options limits such as `queueLength` are each worker's
 * @returns what all workers have in common: filter, counters, end
 * @throws as `open`
 * @throws {@link DivertError} `worker-failed` when the module does not load
 * @example
 * ```ts
 * await using workers = await openWorkers('tcp', new URL('./worker.js', import.meta.url), { workers: 2 });
 * await workers.closed;
 * ```
 */
export async function openWorkers(
  filter: string | Filter,
  module: string | URL,
  options: WorkersOptions,
): Promise<WorkersHandle> {
  const { workers, workerData, ...handleOptions } = options;
  if (!Number.isInteger(workers) || workers < 1 || workers > MAX_WORKERS) {
    throw invalidParameter(
      `Option workers is ${JSON.stringify(workers)}.`,
      `It is a whole number from 1 to ${MAX_WORKERS}.`,
    );
  }
  const url = urlOf(module);
  const resolved = resolveOptions(handleOptions);
  checkOptions(handleOptions, resolved);
  const compiled = toFilter(filter, resolved.layer, resolved.language);
  checkShareable(compiled, filter, resolved);
  const { SharedChannel } = await import('../linux/shared-channel.ts');
  const sets = await SetCopies.create(resolved.language.sets ?? {});
  let handle: WorkersHandle;
  try {
    const channel = new SharedChannel(resolved, workers);
    handle = new WorkersHandle(channel, resolved, compiled, { module: url, workerData, sets });
  } catch (error) {
    sets.close();
    throw error;
  }
  await handle.start(compiled);
  if (options.signal?.aborted) await handle.close();
  return handle;
}

function urlOf(module: string | URL): string {
  if (module instanceof URL) return module.href;
  if (/^(?:file|data):/.test(module)) return module;
  if (/^\.{0,2}\//.test(module)) return pathToFileURL(resolve(module)).href;
  throw invalidParameter(
    `The module of the workers is ${JSON.stringify(module)}.`,
    "It is a path that is absolute or begins with './', or a URL: new URL('./worker.js', import.meta.url).",
  );
}

function checkOptions(given: NetworkOpenOptions, { mode, access }: ResolvedOptions): void {
  if (mode !== 'divert') {
    throw invalidParameter(
      `Workers with mode '${mode}'.`,
      "They are for mode 'divert'. The other modes do their work in the kernel: use open().",
    );
  }
  if (access === 'send') {
    throw invalidParameter(
      "Workers with access 'send' receive nothing.",
      'Open a handle in each of your own threads.',
    );
  }
  if (given.backend && given.backend.name !== 'linux') {
    throw new UnsupportedError(
      'workers',
      `Backend ${given.backend.name} has no queues to spread packets over.`,
      { hint: 'Use open() there.' },
    );
  }
  if (process.platform !== 'linux') {
    throw new UnsupportedError(
      process.platform,
      `There is no packet interception on ${process.platform} yet.`,
      { hint: 'Handles need Linux.' },
    );
  }
}
