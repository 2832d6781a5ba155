import { describe, expect, test } from 'vitest';
import { type EvictionCause, PacketQueue } from '../../src/divert/packet-queue.ts';
import { Slot } from '../../src/divert/slot.ts';

function makeSlot(id: number, lengthBytes = 100, arrivedMs = 0): Slot {
  const slot = new Slot(new Uint8Array(0), null);
  slot.id = id;
  slot.originalLength = lengthBytes;
  slot.arrivedMs = arrivedMs;
  return slot;
}

function makeQueue(limits = {}) {
  const evicted: [number, EvictionCause][] = [];
  const queue = new PacketQueue(
    { length: 32, timeMs: 100, sizeBytes: 65535, ...limits },
    (slot, cause) => evicted.push([slot.id, cause]),
  );
  const drain = (): number[] => {
    const ids: number[] = [];
    for (let slot = queue.shift(); slot; slot = queue.shift()) ids.push(slot.id);
    return ids;
  };
  return { queue, evicted, drain };
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

describe('packet queue', () => {
  test('gives packets back in order, also after its ring grew and wrapped', () => {
    const { queue, drain } = makeQueue({ length: 16384, sizeBytes: 33554432 });
    for (const id of range(0, 200)) queue.push(makeSlot(id));
    for (const id of range(0, 150)) expect(queue.shift()?.id).toBe(id);
    for (const id of range(200, 1500)) queue.push(makeSlot(id));
    expect(queue.length).toBe(1350);
    expect(drain()).toEqual(range(150, 1500));
    expect(queue.shift()).toBeUndefined();
  });

  test('a full queue loses its oldest packet', () => {
    const { queue, evicted, drain } = makeQueue();
    for (const id of range(0, 35)) queue.push(makeSlot(id));
    expect(evicted).toEqual([
      [0, 'queueFull'],
      [1, 'queueFull'],
      [2, 'queueFull'],
    ]);
    expect(drain()).toEqual(range(3, 35));
  });

  test('bytes count like packets', () => {
    const { queue, evicted } = makeQueue();
    queue.push(makeSlot(1, 40000));
    queue.push(makeSlot(2, 25535));
    expect(evicted).toEqual([]);
    queue.push(makeSlot(3, 20));
    expect(evicted).toEqual([[1, 'queueFull']]);
    queue.push(makeSlot(4, 65535));
    expect(evicted.slice(1)).toEqual([
      [2, 'queueFull'],
      [3, 'queueFull'],
    ]);
  });

  test('a packet larger than the queue is lost by itself', () => {
    const { queue, evicted, drain } = makeQueue();
    queue.push(makeSlot(1));
    queue.push(makeSlot(2, 65536));
    expect(evicted).toEqual([[2, 'tooBig']]);
    expect(drain()).toEqual([1]);
  });

  test('packets expire after their time, not before', () => {
    const { queue, evicted, drain } = makeQueue();
    for (const id of range(0, 5)) queue.push(makeSlot(id, 100, id));
    queue.expire(102);
    expect(evicted).toEqual([
      [0, 'expired'],
      [1, 'expired'],
    ]);
    expect(drain()).toEqual([2, 3, 4]);
    queue.expire(10_000);
    expect(evicted).toHaveLength(2);
  });

  test('changed limits hold from the next packet on', () => {
    const { queue, evicted } = makeQueue({ length: 100 });
    for (const id of range(0, 60)) queue.push(makeSlot(id));
    queue.limits.length = 32;
    queue.push(makeSlot(60));
    expect(queue.length).toBe(32);
    expect(evicted).toHaveLength(29);
  });
});
