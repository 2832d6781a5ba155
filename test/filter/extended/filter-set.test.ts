import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SetListener } from '../../../src/filter/extended/filter-set.ts';
import type { SetEntry } from '../../../src/filter/extended/set-entry.ts';
import { SET_MAP, writeSetKey } from '../../../src/filter/extended/set-map-layout.ts';
import { FilterSet, type FilterSetEntry } from '../../../src/filter/index.ts';

describe('members', () => {
  test.each<[entry: FilterSetEntry, shown: string | number]>([
    ['10.0.0.1', '10.0.0.1'],
    [' 10.0.0.1 ', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.0.0.1/32', '10.0.0.1'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['::ffff:0:0/96', '0.0.0.0/0'],
    ['2001:db8::/32', '2001:db8::/32'],
    ['2001:DB8::1', '2001:db8::1'],
    ['::/0', '::/0'],
    [80, 80],
    ['80', 80],
    [80n, 80],
    ['::50', 80],
    [0xffff_ffff, 0xffff_ffff],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    [(1n << 128n) - 1n, 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ])('%s is shown as %s', (entry, shown) => {
    const set = new FilterSet([entry]);
    expect([...set]).toEqual([shown]);
    expect(set.has(entry)).toBe(true);
    expect(set.has(shown)).toBe(true);
    expect(new FilterSet(set).has(entry)).toBe(true);
  });

  test.each<[entry: FilterSetEntry, message: string]>([
    ['10.0.0.1/8', 'has bits after its prefix: write 10.0.0.0/8'],
    ['2001:db8::1/32', 'write 2001:db8::/32'],
    ['10.0.0.0/33', 'no prefix length of 0 to 32'],
    ['::/129', 'no prefix length of 0 to 128'],
    ['10.0.0.0/', 'no prefix length'],
    ['10.0.0.0/255.0.0.0', 'no prefix length'],
    ['example.com', 'is no address, no prefix and no number'],
    ['', 'is no address'],
    [-1, 'not in the range'],
    [1.5, 'is no integer'],
    [1n << 128n, 'not in the range'],
  ])('%s is refused', (entry, message) => {
    expect(() => new FilterSet([entry])).toThrow(RangeError);
    expect(() => new FilterSet([entry])).toThrow(message);
  });

  test('other types are refused', () => {
    expect(() => new FilterSet([null as never])).toThrow(TypeError);
  });
});

test('a prefix covers its addresses, and is a member of its own', () => {
  const set = new FilterSet(['10.0.0.0/8', '2001:db8::/32', 443]);
  expect(set.covers('10.255.255.255')).toBe(true);
  expect(set.covers('11.0.0.0')).toBe(false);
  expect(set.covers('2001:db8:1::')).toBe(true);
  expect(set.covers(443)).toBe(true);
  expect(set.has('10.1.2.3')).toBe(false);
  expect(set.delete('10.1.2.3')).toBe(false);
  expect(set.delete('10.0.0.0/8')).toBe(true);
  expect(set.covers('10.255.255.255')).toBe(false);
  expect(() => set.covers('10.0.0.0/8')).toThrow(RangeError);
});

test('a refused replacement changes nothing', () => {
  const set = new FilterSet([1, 2]);
  expect(() => set.replace([3, 'x'])).toThrow(RangeError);
  expect([...set].sort()).toEqual([1, 2]);
  set.replace([3]);
  expect([...set]).toEqual([3]);
  set.clear();
  expect(set.size).toBe(0);
});

test('listeners hear of what really changes', () => {
  const set = new FilterSet(['10.0.0.1']);
  const heard: string[] = [];
  const stop = set.onChange({
    added: ({ length }) => heard.push(`added /${length}`),
    deleted: ({ length }) => heard.push(`deleted /${length}`),
    replaced: () => heard.push('replaced'),
  });
  set.add('10.0.0.1').add('10.0.0.0/8');
  set.delete('10.0.0.2');
  set.delete('10.0.0.1');
  set.replace([5]);
  stop();
  set.add(6);
  expect(heard).toEqual(['added /104', 'deleted /128', 'replaced']);
});

const entry = fc.oneof(
  fc.nat({ max: 40 }),
  fc.nat({ max: 40 }).map((last) => `10.0.0.${last}`),
  fc.nat({ max: 40 }).map((last) => `2001:db8::${last}`),
  fc.constantFrom('10.0.0.0/30', '10.0.0.8/29', '::/123', '2001:db8::/124', '0.0.0.0/0', '::/0'),
);

/** What the tables must agree with: every member on its own. */
function coversSlowly(members: Iterable<SetEntry>, value: SetEntry): boolean {
  const wide = ({ words: [w0, w1, w2, w3] }: SetEntry): bigint =>
    (BigInt(w3) << 96n) | (BigInt(w2) << 64n) | (BigInt(w1) << 32n) | BigInt(w0);
  for (const member of members) {
    const host = BigInt(128 - member.length);
    if (wide(member) >> host === wide(value) >> host) return true;
  }
  return false;
}

test('tables agree with a search through all members', () => {
  const command = fc.tuple(fc.constantFrom('add', 'add', 'delete'), entry);
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const set = new FilterSet();
      const members = new Set<string | number>();
      for (const [what, given] of commands) {
        const [shown] = new FilterSet([given]);
        if (what === 'add') {
          set.add(given);
          members.add(shown!);
        } else {
          expect(set.delete(given)).toBe(members.delete(shown!));
        }
      }
      expect(set.size).toBe(members.size);
      expect(new Set(set)).toEqual(members);
      for (let last = 0; last < 44; last++) {
        for (const value of [last, `10.0.0.${last}`, `2001:db8::${last}`, `9.0.0.${last}`]) {
          const [parsed] = new FilterSet([value]).entries();
          expect(set.covers(value)).toBe(coversSlowly(set.entries(), parsed!));
        }
      }
    }),
  );
});

test('100,000 addresses', () => {
  const address = (index: number): string =>
    `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;
  const set = new FilterSet(Array.from({ length: 100_000 }, (_, index) => address(index * 3)));
  expect(set.size).toBe(100_000);
  for (let index = 0; index < 300_000; index += 7) {
    if (set.covers(address(index)) !== (index % 3 === 0)) expect.fail(address(index));
  }
});

describe('keys of maps', () => {
  const keyOf = (given: FilterSetEntry): string => {
    const bytes = new Uint8Array(SET_MAP.TRIE_KEY);
    const [member] = new FilterSet([given]).entries();
    const length = writeSetKey(new DataView(bytes.buffer), member!);
    return Buffer.from(bytes.subarray(0, length)).toString('hex');
  };

  test.each<[entry: FilterSetEntry, key: string]>([
    ['10.0.0.1', '00000000000000000000ffff0a000001'],
    [443, '000000000000000000000000000001bb'],
    ['2001:db8::1', '20010db8000000000000000000000001'],
    ['10.0.0.0/8', '6800000000000000000000000000ffff0a000000'],
    ['2001:db8::/32', '2000000020010db8000000000000000000000000'],
    ['::/0', '0000000000000000000000000000000000000000'],
  ])('%s', (given, key) => {
    expect(keyOf(given)).toBe(key);
  });
});

describe('a change that a listener cannot follow is taken back everywhere', () => {
  const refusal = new Error('no room');
  const listener = (told: string[], refuses = false): SetListener => {
    const tell = (what: string) => (): void => {
      if (refuses) throw refusal;
      told.push(what);
    };
    return { added: tell('added'), deleted: tell('deleted'), replaced: tell('replaced') };
  };
  const rows: [name: string, change: (set: FilterSet) => unknown, told: string[]][] = [
    ['add', (set) => set.add('10.0.0.2'), ['added', 'deleted']],
    ['delete', (set) => set.delete('10.0.0.1'), ['deleted', 'added']],
    ['replace', (set) => set.replace([7]), ['replaced', 'replaced']],
    ['clear', (set) => set.clear(), ['replaced', 'replaced']],
  ];
  test.each(rows)('%s', (_name, change, expected) => {
    const set = new FilterSet(['10.0.0.1', '192.0.2.0/24']);
    const before = [...set];
    const told: string[] = [];
    const later: string[] = [];
    set.onChange(listener(told));
    const stop = set.onChange(listener([], true));
    set.onChange(listener(later));
    expect(() => change(set)).toThrow(refusal);
    expect([...set]).toEqual(before);
    expect([told, later]).toEqual([expected, []]);
    stop();
    change(set);
    expect([...set]).not.toEqual(before);
  });
});

test('members are counted by kind, whatever changes', () => {
  const set = new FilterSet(['10.0.0.1', '10.0.0.0/8', '::/0', '2001:db8::1', 80]);
  expect(set.counts()).toEqual({ values: 3, prefixes: 2 });
  set.delete('10.0.0.0/8');
  set.delete(80);
  expect(set.counts()).toEqual({ values: 2, prefixes: 1 });
});
