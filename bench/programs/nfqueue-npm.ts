/** npm's `nfqueue`, the way its own example uses it. The argument is its main file; MODE=accept|modify. */

import { createRequire } from 'node:module';

interface QueuedPacket {
  readonly payload: Uint8Array;
  setVerdict(verdict: number, mark: number | null, payload?: Uint8Array): void;
}

interface Nfqueue {
  readonly NF_ACCEPT: number;
  createQueueHandler(
    number: number,
    length: number,
    onPacket: (packet: QueuedPacket) => void,
  ): unknown;
}

const FIRST_WORD = 28;
const { NF_ACCEPT, createQueueHandler } = createRequire(import.meta.url)(
  process.argv[2] ?? 'nfqueue',
) as Nfqueue;
const modify = process.env.MODE === 'modify';

createQueueHandler(0, 65_535, (packet) => {
  if (!modify) {
    packet.setVerdict(NF_ACCEPT, null);
    return;
  }
  const { payload } = packet;
  const [first = 0, second = 0] = payload.subarray(FIRST_WORD);
  payload.copyWithin(FIRST_WORD, FIRST_WORD + 2, FIRST_WORD + 4);
  payload[FIRST_WORD + 2] = first;
  payload[FIRST_WORD + 3] = second;
  packet.setVerdict(NF_ACCEPT, null, payload);
});
process.stdout.write('READY\n');
