/**
 * Lists of constants: `a == 1 or a == 2 or ...` becomes one check for membership, which is searched by halves.
 *
 * @module
 */

import { joinRanges, type ValueRange } from '../extended/range-set.ts';
import type { FilterTest, Label } from '../graph.ts';
import type { Check } from './checks.ts';
import { isWide, valueKey } from './values.ts';

/** From this many constants on, a search is shorter than comparing one after the other. */
const LIST_MIN = 6;

const WORD_BITS = 32n;

/** Tests with their checks, at the same indexes. */
export interface PreparedTests {
  readonly tests: readonly FilterTest[];
  readonly checks: readonly Check[];
}

/** A comparison for equality with one constant. */
interface Member {
  /** What two tests of one list have in common. */
  readonly key: string;
  readonly constant: bigint;
  /** Where the test leads when the value is the constant, and when it is another. */
  readonly found: Label;
  readonly missing: Label;
}

/**
 * Joins the tests of each list in its first one. The others stay where they are, and nothing leads to them.
 *
 * @param prepared tests and their checks
 */
export function joinLists({ tests, checks }: PreparedTests): PreparedTests {
  const members = tests.map((test, index) => memberOf(test, checks[index]));
  const ways = waysTo(tests);
  const joined = { tests: [...tests], checks: [...checks] };
  for (let index = 0; index < tests.length; ) {
    const end = endOfList(members, ways, index);
    if (end - index >= LIST_MIN) join(joined, members.slice(index, end) as Member[], index);
    index = Math.max(end, index + 1);
  }
  return joined;
}

function memberOf(test: FilterTest, check: Check | undefined): Member | null {
  if (check?.kind !== 'compare' || check.comparison.kind !== 'words') return null;
  const { operator, words, mask } = check.comparison;
  const isEquality = operator === '=' || operator === '!=';
  if (!isEquality || operator !== test.operator || mask !== undefined) return null;
  const { success, failure } = test;
  const [found, missing] = operator === '=' ? [success, failure] : [failure, success];
  const compared: readonly number[] = isWide(check.value) ? words : words.slice(0, 1);
  return {
    key: `${operator} ${check.worlds} ${valueKey(check.value)} ${found}`,
    constant: compared.reduceRight<bigint>(
      (upper, word) => (upper << WORD_BITS) | BigInt(word >>> 0),
      0n,
    ),
    found,
    missing,
  };
}

/** How many tests lead to each. */
function waysTo(tests: readonly FilterTest[]): readonly number[] {
  const ways = new Array<number>(tests.length).fill(0);
  for (const { success, failure } of tests) {
    for (const label of new Set([success, failure])) {
      if (typeof label === 'number') ways[label] = (ways[label] ?? 0) + 1;
    }
  }
  return ways;
}

/** Index behind the last test of the list that begins at a test. */
function endOfList(
  members: readonly (Member | null)[],
  ways: readonly number[],
  start: number,
): number {
  const first = members[start];
  let end = start + 1;
  while (first && members[end - 1]?.missing === end && ways[end] === 1) {
    if (members[end]?.key !== first.key) break;
    end++;
  }
  return end;
}

function join(
  { tests, checks }: { readonly tests: FilterTest[]; readonly checks: Check[] },
  list: readonly Member[],
  index: number,
): void {
  const test = tests[index];
  const check = checks[index];
  const { found, missing } = list.at(-1) ?? {};
  if (test === undefined || check?.kind !== 'compare') return;
  if (found === undefined || missing === undefined) return;
  const isMember = test.operator === '=';
  const ranges: ValueRange[] = list.map(({ constant }) => ({ low: constant, high: constant }));
  const [success, failure] = isMember ? [found, missing] : [missing, found];
  tests[index] = { ...test, success, failure };
  const comparison = { kind: 'ranges', ranges: joinRanges(ranges), isMember } as const;
  checks[index] = { ...check, comparison };
}
