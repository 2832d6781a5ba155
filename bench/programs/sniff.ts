/** Counts what a sniffing handle sees. Environment: FILTER, SNAPLEN. */

import { open } from '../../src/index.ts';

const { FILTER = 'true', SNAPLEN } = process.env;
const MAX_QUEUE_LENGTH = 16_384;
const MAX_QUEUE_BYTES = 33_554_432;

const controller = new AbortController();
process.once('SIGTERM', () => controller.abort());
const handle = await open(FILTER, {
  mode: 'sniff',
  queueLength: MAX_QUEUE_LENGTH,
  queueSizeBytes: MAX_QUEUE_BYTES,
  signal: controller.signal,
  ...(SNAPLEN === undefined ? {} : { snapLength: Number(SNAPLEN) }),
});
process.stdout.write('READY\n');

let captured = 0;
let sum = 0;
for await (const batch of handle.batches()) {
  for (const { bytes } of batch) sum += bytes.length + (bytes[0] ?? 0);
  captured += batch.length;
}
const { lost } = handle.stats();
process.stdout.write(`${JSON.stringify({ captured, dropped: lost.total, sum })}\n`);
