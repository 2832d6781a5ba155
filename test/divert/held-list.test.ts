import { describe, expect, test } from 'vitest';
import { HeldList } from '../../src/divert/held-list.ts';
import { Slot } from '../../src/divert/slot.ts';

const owner = { release: () => {} };

function makeSlot(id: number, arrivedMs = 0): Slot {
  const slot = new Slot(new Uint8Array(0), owner);
  slot.id = id;
  slot.undecided = true;
  slot.arrivedMs = arrivedMs;
  return slot;
}

function makeList() {
  const forgotten: number[] = [];
  const list = new HeldList((slot) => {
    forgotten.push(slot.id);
    decide(slot);
  });
  return { list, forgotten };
}

function decide(slot: Slot): void {
  slot.undecided = false;
  slot.release();
}

describe('held list', () => {
  test('forgets the oldest undecided packet when there are 1024', () => {
    const { list, forgotten } = makeList();
    for (let id = 0; id < 1024; id++) list.add(makeSlot(id));
    expect(forgotten).toEqual([]);
    list.add(makeSlot(1024));
    list.add(makeSlot(1025));
    expect(forgotten).toEqual([0, 1]);
  });

  test('decided packets take no room', () => {
    const { list, forgotten } = makeList();
    for (let id = 0; id < 10000; id++) {
      const slot = makeSlot(id);
      list.add(slot);
      decide(slot);
    }
    expect(forgotten).toEqual([]);
    expect(list.expire(1_000_000, 100)).toBe(false);
  });

  test('a slot that holds another packet by now is not forgotten for the old one', () => {
    const { list, forgotten } = makeList();
    const slot = makeSlot(1);
    list.add(slot);
    decide(slot);
    slot.undecided = true;
    slot.id = 2;
    slot.arrivedMs = 999;
    list.clear();
    expect(forgotten).toEqual([]);
  });

  test('forgets by age, and retained ones much later', () => {
    const { list, forgotten } = makeList();
    list.add(makeSlot(1, 0));
    list.add(makeSlot(2, 500));
    list.addRetained(makeSlot(3, 0));
    expect(list.expire(2100, 2000)).toBe(true);
    expect(forgotten).toEqual([1]);
    expect(list.expire(60_001, 2000)).toBe(false);
    expect(forgotten).toEqual([1, 2, 3]);
  });

  test('clear forgets everything undecided once', () => {
    const { list, forgotten } = makeList();
    list.add(makeSlot(1));
    const kept = makeSlot(2);
    list.addRetained(kept);
    const gone = makeSlot(3);
    list.addRetained(gone);
    decide(gone);
    list.removeRetained(gone);
    list.clear();
    list.clear();
    expect(forgotten).toEqual([1, 2]);
  });
});
