/**
 * So many handles at once, inside a namespace: opens them, prints READY, closes them when asked to end and prints
 * what they took.
 *
 * Environment: HANDLES, FILTER (with `#` for the number of the handle)
 */

import { type NetworkHandle, open } from '../../src/index.ts';
import { report } from './measure.ts';
import { memoryUse } from './memory.ts';

const HANDLES = Number(process.env.HANDLES);
const { FILTER = 'false' } = process.env;
const MAX_QUEUE_LENGTH = 16_384;

async function sendAll(handle: NetworkHandle): Promise<void> {
  for await (const batch of handle.batches()) batch.send();
}

const filterOf = (number: number): string => FILTER.replaceAll('#', `${number}`);
// What the first one needs, all have in common.
await (await open(filterOf(0))).close();
const before = memoryUse();
const start = performance.now();
const handles: NetworkHandle[] = [];
for (let number = 0; number < HANDLES; number++) {
  handles.push(await open(filterOf(number), { priority: number, queueLength: MAX_QUEUE_LENGTH }));
}
const openMs = performance.now() - start;
const after = memoryUse();
const working = handles.map(sendAll);
process.stdout.write('READY\n');
await new Promise((resolve) => {
  const keep = setInterval(() => {}, 1000);
  process.once('SIGTERM', () => {
    clearInterval(keep);
    resolve(undefined);
  });
});
const closing = performance.now();
await Promise.all(handles.map((handle) => handle.close()));
const closeMs = performance.now() - closing;
await Promise.all(working);
report({
  open: openMs,
  close: closeMs,
  lost: handles.reduce((sum, handle) => sum + handle.stats().lost.total, 0),
  residentMb: after.residentMb - before.residentMb,
  mapsMb: after.mapsMb - before.mapsMb,
});
