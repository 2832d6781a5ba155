import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileFilter } from '../../src/filter/index.ts';
import { interfaceRanges } from '../../src/linux/output-interfaces.ts';

const MAXIMUM = 0xffff_ffff;
const rangesOf = (filter: string): [number, number][] =>
  interfaceRanges(compileFilter(filter).tests).map(({ first, last }) => [first, last]);

test.each([
  [
    'tcp',
    [
      [1, 1],
      [2, MAXIMUM],
    ],
  ],
  [
    'ifIdx == 1',
    [
      [1, 1],
      [2, MAXIMUM],
    ],
  ],
  [
    'ifIdx == 0',
    [
      [1, 1],
      [2, MAXIMUM],
    ],
  ],
  [
    'ifIdx == 4',
    [
      [1, 1],
      [2, 3],
      [4, 4],
      [5, MAXIMUM],
    ],
  ],
  [
    'ifIdx > 2 and ifIdx != 3',
    [
      [1, 1],
      [2, 2],
      [3, 3],
      [4, MAXIMUM],
    ],
  ],
  [
    'ifIdx == 4294967295',
    [
      [1, 1],
      [2, MAXIMUM - 1],
      [MAXIMUM, MAXIMUM],
    ],
  ],
])('%s', (filter, expected) => {
  expect(rangesOf(filter)).toEqual(expected);
});

test('no test tells two indexes of one range apart, and none is left out', () => {
  const condition = fc.tuple(
    fc.constantFrom('==', '!=', '<', '<=', '>', '>='),
    fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: MAXIMUM })),
  );
  fc.assert(
    fc.property(fc.array(condition, { minLength: 1, maxLength: 5 }), (conditions) => {
      const filter = compileFilter(
        conditions.map(([op, value]) => `ifIdx ${op} ${value}`).join(' or '),
      );
      const packet = Uint8Array.of(0x45, 0, 0, 20, ...new Array(16).fill(0));
      let next = 1;
      for (const { first, last } of interfaceRanges(filter.tests)) {
        expect(first).toBe(next);
        next = last + 1;
        const matches = (interfaceIndex: number): boolean =>
          filter.matches(packet, { interfaceIndex });
        const middle = first + Math.floor((last - first) / 2);
        expect([matches(middle), matches(last)]).toEqual([matches(first), matches(first)]);
      }
      expect(next).toBe(MAXIMUM + 1);
    }),
  );
});
