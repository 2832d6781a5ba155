import { expect, test } from 'vitest';
import { Slot } from '../../src/divert/slot.ts';
import { Repeats } from '../../src/linux/nfqueue/repeats.ts';

function arrived(text: string, afterMs = 0): Slot {
  const slot = new Slot(Buffer.from(text), null);
  slot.length = text.length;
  slot.timestampNs = process.hrtime.bigint() + BigInt(afterMs) * 1_000_000n;
  return slot;
}

const bytes = (text: string): Uint8Array => Buffer.from(text);

test('nothing comes back as long as no chain was hooked in', () => {
  const repeats = new Repeats();
  expect(repeats.concerns(1)).toBe(false);
  expect(repeats.take(arrived('packet'))).toBe(false);
});

test('packets up to the last one that waited come back, each once', () => {
  const repeats = new Repeats();
  repeats.shift(7);
  expect([7, 8].map((id) => repeats.concerns(id))).toEqual([true, false]);
  repeats.accepted(bytes('same'));
  repeats.accepted(bytes('same'));
  repeats.accepted(bytes('other'));
  expect(
    ['other', 'same', 'same', 'same', 'other', 'new'].map((text) => repeats.take(arrived(text))),
  ).toEqual([true, true, true, false, false, false]);
});

test('one that never came is forgotten', () => {
  const repeats = new Repeats();
  repeats.shift(7);
  repeats.accepted(bytes('changed'));
  expect(repeats.take(arrived('changed', 2500))).toBe(false);
  expect(repeats.take(arrived('changed'))).toBe(false);
});
