import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatIPv4Address,
  formatIPv6Address,
  parseIPv4Address,
  parseIPv6Address,
} from '../../src/packet/ip-text.ts';
import { loadVectors } from './vectors.ts';

type Vector =
  | { kind: 'parseIPv4'; text: string; addr: number | null }
  | { kind: 'parseIPv6'; text: string; addr: number[] | null }
  | { kind: 'formatIPv4'; text: string; addr: number }
  | { kind: 'formatIPv6'; text: string; addr: number[] };

const vectors = loadVectors<Vector>('addresses');

describe('addresses.json', () => {
  test.each(vectors)('$kind $text $addr', (vector) => {
    switch (vector.kind) {
      case 'parseIPv4':
        return expect(parseIPv4Address(vector.text)).toEqual(vector.addr);
      case 'parseIPv6':
        return expect(parseIPv6Address(vector.text)).toEqual(vector.addr);
      case 'formatIPv4':
        return expect(formatIPv4Address(vector.addr)).toBe(vector.text);
      case 'formatIPv6':
        return expect(formatIPv6Address(vector.addr)).toBe(vector.text);
    }
  });
});

test.each([
  ['seven groups after :: leave no room for a tail', '::0:0:0:0:0:0:0:1.2.3.4', null],
  ['a tail after five groups and ::', '0:0:0:0:0::1.2.3.4', [0x01020304, 0, 0, 0]],
  ['ffff before the tail only as the last group', '0:ffff:1.2.3.4', null],
  ['not a digit of another script', '١.2.3.4', null],
] as const)('%s', (_name, text, words) => {
  expect(parseIPv6Address(text)).toEqual(words);
});

const word = fc.oneof(fc.constantFrom(0, 1, 0xffff, 0x10000), fc.nat({ max: 0xffff_ffff }));

test('what the formatters write reads back', () => {
  fc.assert(
    fc.property(word, (address) => {
      expect(parseIPv4Address(formatIPv4Address(address))).toBe(address);
    }),
  );
  fc.assert(
    fc.property(fc.tuple(word, word, word, word), (words) => {
      const text = formatIPv6Address(words);
      const mapped = words[1] === 0xffff && words[2] === 0 && words[3] === 0;
      expect(parseIPv6Address(text)).toEqual(mapped ? [words[0], 0, 0, 0] : words);
      expect(isIPv6(text)).toBe(!mapped);
    }),
  );
});

test('any text is an address or null, never an exception', () => {
  const text = fc.oneof(
    fc.string(),
    fc
      .array(fc.constantFrom(':', '::', '.', '0', 'ffff', '12', '1.2.3.4', 'g', ' '))
      .map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (sample) => {
      const words = parseIPv6Address(sample);
      if (words) expect(words.every((value) => value >= 0 && value <= 0xffff_ffff)).toBe(true);
      expect(parseIPv4Address(sample) ?? 0).toBeGreaterThanOrEqual(0);
    }),
    { numRuns: 2000 },
  );
});
