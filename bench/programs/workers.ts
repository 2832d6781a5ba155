/**
 * Bursts of packets, taken by one thread or by several, inside a namespace. When asked to end it prints when
 * work ended.
 *
 * Environment: FILTER, WORKERS (0: a handle of its own), MODE=accept|modify
 */

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { program, ROOT } from '../harness/folders.ts';
import { passAndNote, type WorkTimes } from './workers-part.ts';

const MAX_STRETCHES = 2048;
const { FILTER = 'false', WORKERS = '0', MODE } = process.env;
const workers = Number(WORKERS);
const modify = MODE === 'modify';
/** Threads are started from the package as it is built. */
const library = pathToFileURL(join(ROOT, 'dist/lib/index.js')).href;
const { open, openWorkers } = (await import(library)) as typeof import('../../src/index.ts');

const times = Array.from(
  { length: Math.max(1, workers) },
  () => new Float64Array(new SharedArrayBuffer(MAX_STRETCHES * 2 * Float64Array.BYTES_PER_ELEMENT)),
);
const controller = new AbortController();
process.once('SIGTERM', () => controller.abort());
const options = { queueLength: 16_384, queueSizeBytes: 33_554_432, signal: controller.signal };

/** @returns packets of each thread */
async function work(): Promise<number[]> {
  if (workers === 0) {
    const handle = await open(FILTER, options);
    process.stdout.write('READY\n');
    await passAndNote(handle, modify, times[0] ?? new Float64Array(2));
    return [handle.stats().received];
  }
  const workerData: WorkTimes = { modify, times };
  const part = pathToFileURL(program('workers-part'));
  const handle = await openWorkers(FILTER, part, { ...options, workers, workerData });
  process.stdout.write('READY\n');
  await handle.closed;
  return (await handle.workerStats()).map(({ received }) => received);
}

const packets = await work();
/** Ends of all stretches of work. */
const endsNs = times.flatMap((own) => [...own].filter((ns, at) => at % 2 === 1 && ns > 0));
process.stdout.write(`${JSON.stringify({ packets, endsNs })}\n`);
