import { describe, expect, test } from 'vitest';
import { Slot } from '../../src/divert/slot.ts';
import { compileFilter } from '../../src/filter/index.ts';
import { swap32 } from '../../src/linux/nfqueue/byte-order.ts';
import { Residual } from '../../src/linux/residual.ts';

/** An IPv4 header and a UDP header to a port. */
function queued(id: number, port: number): Slot {
  const bytes = new Uint8Array(28);
  bytes.set([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
  new DataView(bytes.buffer).setUint16(22, port);
  const slot = new Slot(bytes, null);
  slot.length = slot.originalLength = bytes.length;
  slot.id = swap32(id);
  return slot;
}

const to = (port: number) => compileFilter(`udp.DstPort == ${port}`);
const takes = (residual: Residual, id: number, port: number): boolean =>
  residual.takes(queued(id, port), null);

/** For packets to port 1, then to port 2 from packet 10 on. */
function swapped(isExact = true): Residual {
  const residual = new Residual(to(1));
  residual.settle(isExact, null);
  residual.expect(to(2));
  residual.settle(isExact, 10);
  return residual;
}

test('what programs decide for sure is not looked at again, all else is', () => {
  const residual = new Residual(to(1));
  expect([takes(residual, 1, 1), takes(residual, 2, 2)]).toEqual([true, false]);
  residual.settle(false, null);
  expect([takes(residual, 3, 1), takes(residual, 4, 2)]).toEqual([true, false]);
  residual.settle(true, null);
  expect(takes(residual, 5, 2)).toBe(true);
});

describe('a swapped filter', () => {
  const rows: [string, number, number, boolean][] = [
    ['queued before, matches the old one', 9, 1, true],
    ['queued before, matches the new one', 9, 2, true],
    ['queued before, matches neither', 9, 3, false],
    ['the last one queued before', 10, 1, true],
    ['queued after, matches the new one', 11, 2, true],
    ['queued after, matches the old one', 11, 1, false],
    ['queued after, matches neither', 11, 3, false],
  ];
  test.each(rows)('%s', (_name, id, port, expected) => {
    expect(takes(swapped(false), id, port)).toBe(expected);
  });

  test('of programs that decide for sure, only packets queued before are looked at', () => {
    expect(takes(swapped(), 10, 3)).toBe(false);
    expect(takes(swapped(), 11, 3)).toBe(true);
  });

  test('ids go on behind 2^32', () => {
    const residual = new Residual(to(1));
    residual.expect(to(2));
    residual.settle(false, 0xffffffff);
    expect(takes(residual, 0xffffffff, 1)).toBe(true);
    expect(takes(residual, 0, 1)).toBe(false);
  });

  test('where the kernel does not count, the old one counts until everything was read', () => {
    const residual = new Residual(to(1));
    residual.expect(to(2));
    residual.noteEmpty();
    expect(takes(residual, 1, 1)).toBe(true);
    residual.settle(false, null);
    expect(takes(residual, 2, 1)).toBe(true);
    residual.noteEmpty();
    expect(takes(residual, 3, 1)).toBe(false);
  });

  test('that was not installed is forgotten', () => {
    const residual = new Residual(to(1));
    residual.settle(true, null);
    residual.expect(to(2));
    residual.cancel();
    expect([takes(residual, 1, 3), residual.isExact]).toEqual([true, true]);
  });
});
