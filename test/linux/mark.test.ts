import { describe, expect, test } from 'vitest';
import { injectedMark, isInjectedMark } from '../../src/linux/inject/mark.ts';

describe('marks of injected packets', () => {
  test.each([
    [-30000, 0xd17e0ad0],
    [0, 0xd17e8000],
    [30000, 0xd17ef530],
  ])('priority %i', (priority, mark) => {
    expect(injectedMark(priority)).toBe(mark);
    expect(isInjectedMark(mark)).toBe(true);
    expect(isInjectedMark(mark | 0)).toBe(true);
  });

  test.each([
    ['none', 0],
    ['a small number of a user', 0x77],
    ['what an IGMPv3 report of the kernel carries', 0xd4],
    ['an upper half of another', 0xd17f8000],
    ['all ones', 0xffffffff],
  ])('not %s', (_, mark) => {
    expect(isInjectedMark(mark)).toBe(false);
  });
});
