/**
 * A handle that sends everything on, or changes it first. Runs inside the namespace that it diverts in.
 *
 * Environment: FILTER, MODE=accept|modify, PATH_KIND=batches|packets, LARGE=0|1
 */

import { open } from '../../src/index.ts';
import type { Packet } from '../../src/packet/packet.ts';

const { FILTER = 'false', MODE, PATH_KIND = 'batches', LARGE } = process.env;
const MAX_QUEUE_LENGTH = 16_384;
const MAX_QUEUE_BYTES = 33_554_432;
const CHANGED_BYTES = 4;
const modify = MODE === 'modify';

/** As the other tools: the first two words of the payload change places. */
function swapWords({ payload }: Packet): void {
  if (payload.length < CHANGED_BYTES) return;
  const [first = 0, second = 0] = payload;
  payload[0] = payload[2] ?? 0;
  payload[1] = payload[3] ?? 0;
  payload[2] = first;
  payload[3] = second;
}

const controller = new AbortController();
process.once('SIGTERM', () => controller.abort());
const handle = await open(FILTER, {
  queueLength: MAX_QUEUE_LENGTH,
  queueSizeBytes: MAX_QUEUE_BYTES,
  largePackets: LARGE === '1',
  signal: controller.signal,
});
process.stdout.write('READY\n');

if (PATH_KIND === 'packets') {
  for await (const packet of handle) {
    if (modify) swapWords(packet);
    handle.send(packet);
  }
} else {
  for await (const batch of handle.batches()) {
    if (modify) for (const packet of batch) swapWords(packet);
    batch.send();
  }
}
process.stdout.write(`${JSON.stringify(handle.stats())}\n`);
