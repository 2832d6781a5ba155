import { expect, test } from 'vitest';
import { isDiscarded, recordBytes } from '../../src/linux/bpf/ringbuf.ts';

const DISCARDED = 1 << 30;

test.each([
  [0, 8],
  [1, 16],
  [8, 16],
  [9, 24],
  [120, 128],
  [65_599, 65_608],
])('a record of %d bytes takes %d', (length, expected) => {
  expect(recordBytes(length)).toBe(expected);
  expect(recordBytes(length | DISCARDED)).toBe(expected);
});

test('a discarded record shows it', () => {
  expect(isDiscarded(100 | DISCARDED)).toBe(true);
  expect(isDiscarded(100)).toBe(false);
});
