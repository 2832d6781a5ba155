/**
 * What runs in a worker thread: one part of the handle, and the user's module.
 *
 * @module
 */
import { workerData as start } from 'node:worker_threads';
import type { NetworkHandle } from '../divert/network-handle.ts';
import { invalidParameter } from '../divert/options.ts';
import { DivertError } from '../errors.ts';
import { compileFilter, type Filter } from '../filter/index.ts';
import { SharedPart } from '../linux/shared-part.ts';
import {
  type Command,
  describeError,
  type FilterText,
  type Report,
  type Request,
  type WorkerStart,
} from './messages.ts';
import { copiedSets, follow } from './set-copies.ts';
import type { WorkerFunction } from './worker-function.ts';

const { port, module, options, filter, share, index, workers, workerData } = start as WorkerStart;
const sets = copiedSets((start as WorkerStart).sets);

function report(what: Report): void {
  port.postMessage(what);
}

function compile({ source, dialect }: FilterText): Filter {
  return compileFilter(source, options.layer, dialect === 'extended' ? { dialect, sets } : {});
}

async function loadFunction(): Promise<WorkerFunction> {
  const loaded: { readonly default?: unknown } = await import(module);
  if (typeof loaded.default === 'function') return loaded.default as WorkerFunction;
  throw invalidParameter(
    `The module ${module} has no function as its default export.`,
    'Write `export default async function (handle, { index, workers, workerData }) { ... }`.',
  );
}

/** The user's function may have closed the handle meanwhile. */
function unlessClosed(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof DivertError) || error.code !== 'closed') throw error;
  }
}

/** Runs the user's function to its end. */
async function run(work: WorkerFunction, handle: NetworkHandle): Promise<void> {
  try {
    await work(handle, { index, workers, workerData });
    report({ type: 'returned' });
  } catch (error) {
    report({ type: 'failed', error: describeError(error) });
  }
}

async function serve(work: WorkerFunction): Promise<void> {
  const part = new SharedPart(compile(filter), options, share, () => report({ type: 'detached' }));
  const { handle } = part;
  let running: Promise<void> | undefined;
  const obey = async (command: Command): Promise<void> => {
    switch (command.type) {
      case 'settle':
        return part.settle(command.isExact);
      case 'expect':
        return part.expect(compile(command.filter));
      case 'cancel':
        return part.cancel();
      case 'run':
        running = run(work, handle);
        return;
      case 'sets':
        return follow(sets, command.changes);
      case 'setParam':
        return handle.setParam(command.name, command.value);
      case 'shutdown':
        return unlessClosed(() => handle.shutdown(command.how));
      case 'stats':
        return;
      case 'close':
        await handle.close();
        return running;
    }
  };
  port.on('message', ({ id, command }: Request) => {
    obey(command).then(
      () => report({ type: 'answer', id, stats: handle.stats() }),
      (error: unknown) => report({ type: 'refused', id, error: describeError(error) }),
    );
  });
  report({ type: 'loaded' });
}

// Whatever the user's module breaks, this thread can still give its packets back.
process.on('uncaughtException', (error) => report({ type: 'failed', error: describeError(error) }));

report({ type: 'ready' });
loadFunction()
  .then(serve)
  .catch((error: unknown) => report({ type: 'failed', error: describeError(error) }));
