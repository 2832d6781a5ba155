/** What programs do with their packets: one loop for each way to use a handle. */

import { setTimeout as sleep } from 'node:timers/promises';

/** Everything back, batch by batch. */
export async function sendAll(handle) {
  for await (const batch of handle.batches()) batch.send();
}

/** Unchanged, changed in place, longer, shorter, dropped: by turns. */
export async function changeSome(handle) {
  let turn = 0;
  for await (const batch of handle.batches(128)) {
    const dropped = [];
    for (const packet of batch) {
      turn = (turn + 1) % 5;
      if (turn === 4) dropped.push(packet);
      else change(packet, turn);
    }
    batch.sendExcept(dropped);
  }
}

function change(packet, turn) {
  const { payload } = packet;
  if (turn === 1) payload[0] ^= 0xff;
  else if (turn === 2) packet.payload = new Uint8Array([...payload, 1, 2, 3, 4, 5]);
  else if (turn === 3) packet.payload = payload.subarray(0, Math.max(1, payload.length - 7));
}

/** One by one; some are kept and sent late, dropped late or forgotten. */
export async function keepSome(handle) {
  const kept = [];
  let count = 0;
  for await (const packet of handle) {
    count++;
    if (count % 10 === 0) kept.push(packet.retain());
    else if (count % 7 === 0) handle.drop(packet);
    else if (count % 101 !== 0) handle.send(packet);
    if (kept.length > 50) {
      const late = kept.shift();
      if (count % 3 === 0 && late) handle.send(late);
    }
  }
}

/** Copies are only looked at. */
export async function readAll(handle) {
  for await (const batch of handle.batches()) for (const packet of batch) void packet.length;
}

/** Events are only looked at. */
export async function readEvents(handle) {
  for await (const event of handle) void event.timestamp;
}

/** Swaps the filter for an equal one until `signal` aborts. */
export async function swapFilters(handle, filters, signal) {
  for (let turn = 0; !signal.aborted; turn++) {
    await handle.setFilter(filters[turn % filters.length]);
    await sleep(100);
  }
}
