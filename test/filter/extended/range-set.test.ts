import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { joinRanges, prefixesOf, RangeSet } from '../../../src/filter/extended/range-set.ts';
import { wordsOf } from '../../../src/filter/words.ts';

const range = fc
  .tuple(fc.nat({ max: 60 }), fc.nat({ max: 12 }), fc.constantFrom(0n, 0xffff_ffe0n, 1n << 96n))
  .map(([low, length, base]) => ({ low: base + BigInt(low), high: base + BigInt(low + length) }));

const inside = (ranges: readonly { low: bigint; high: bigint }[], value: bigint): boolean =>
  ranges.some(({ low, high }) => low <= value && value <= high);

function probes(): bigint[] {
  const near = Array.from({ length: 80 }, (_, offset) => BigInt(offset));
  return [0n, 0xffff_ffe0n, 1n << 96n].flatMap((base) => near.map((offset) => base + offset));
}

test('joined ranges are disjoint, ascending and hold the same values', () => {
  fc.assert(
    fc.property(fc.array(range, { minLength: 1, maxLength: 20 }), (ranges) => {
      const joined = joinRanges(ranges);
      joined.slice(1).forEach(({ low }, index) => {
        expect(low).toBeGreaterThan(joined[index]!.high + 1n);
      });
      const set = new RangeSet(joined);
      for (const value of probes()) {
        const expected = inside(ranges, value);
        expect(inside(joined, value)).toBe(expected);
        expect(set.hasWords(...wordsOf(value))).toBe(expected);
        expect(set.mirror.covers(value)).toBe(expected);
      }
    }),
  );
});

describe('prefixes of a range', () => {
  const of = (low: bigint, high: bigint): string[] => prefixesOf({ low, high });
  const all = (1n << 128n) - 1n;

  test.each<[name: string, low: bigint, high: bigint, prefixes: string[]]>([
    ['one value', 5n, 5n, ['::5/128']],
    ['aligned', 8n, 15n, ['::8/125']],
    ['not aligned', 1n, 6n, ['::1/128', '::2/127', '::4/127', '::6/128']],
    ['everything', 0n, all, ['::/0']],
    ['IPv4', 0xffff_0a00_0000n, 0xffff_0a00_01ffn, ['10.0.0.0/23']],
  ])('%s', (_name, low, high, prefixes) => {
    expect(of(low, high)).toEqual(prefixes);
  });
});
