/**
 * One filter and one packet or event that engines disagree about: kept as JSON, shrunk and replayed.
 *
 * @module
 */

import fc from 'fast-check';
import { FilterError } from '../../src/errors.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import type { Dialect } from '../../src/filter/dialect.ts';
import { ALL_FIELDS } from '../../src/filter/extended/fields.ts';
import { FilterSet } from '../../src/filter/extended/filter-set.ts';
import { Filter } from '../../src/filter/filter.ts';
import type { FilterTest, Label } from '../../src/filter/graph.ts';
import type { AddressInit, Layer } from '../../src/packet/address.ts';
import type { FilterEngine, PreparedFilter, Verdict } from '../conformance/filter-engine.ts';

/** What becomes of a test of the graph: its place is taken by where it leads, or it stays. */
const REDUCTION = { SUCCESS: 0, FAILURE: 1, KEEP: 2 } as const;
const SHRINK_MS = 20_000;

/** As it stands in a file. */
export interface ExactnessCase {
  readonly layer: Layer;
  readonly dialect: Dialect;
  readonly source: string;
  readonly sets: Readonly<Record<string, readonly (string | number)[]>>;
  /** Per test of the graph, a {@link REDUCTION}; absent: all of them stay. */
  readonly reduction?: readonly number[];
  /** Hexadecimal. */
  readonly packet: string | null;
  /** 64-bit numbers as text. */
  readonly address: AddressInit;
}

/** What engines said where they differ; null where they agree. */
export type Disagreement = string | null;

/** A form of the same filter that must decide alike. */
export interface Runner {
  readonly name: string;
  readonly prepared: PreparedFilter;
}

/** Engines, and what the filter reads back from its object string and its own text. */
export function runnersOf(
  filter: Filter,
  sets: Readonly<Record<string, FilterSet>>,
  engines: readonly FilterEngine[],
): readonly Runner[] {
  const [reference] = engines;
  const runners = engines
    .filter((engine) => engine.layers.includes(filter.layer))
    .map((engine) => ({ name: engine.name, prepared: engine.prepare(filter) }));
  for (const [name, again] of Object.entries(roundTrips(filter, sets))) {
    if (again && reference) runners.push({ name, prepared: reference.prepare(again) });
  }
  return runners;
}

/** null where the form has no room for the filter. */
function roundTrips(
  filter: Filter,
  sets: Readonly<Record<string, FilterSet>>,
): Readonly<Record<string, Filter | null>> {
  const { layer, dialect, object } = filter;
  const text = filter.source.startsWith('@') ? '' : filter.format();
  const isText = text !== '' && !(dialect === 'windivert' && losesInText(filter.tests, text));
  const options = dialect === 'extended' ? { dialect, sets } : { dialect };
  return {
    'its object string': object === '' ? null : tryCompile(() => compileFilter(object, layer)),
    // Objects can say what no text can.
    'its own text': isText ? tryCompile(() => compileFilter(text, layer, options)) : null,
  };
}

/** An address that ends in `::` or is as long as a word may be, with the colon of a ternary right behind it. */
const ADDRESS_BEFORE_COLON = /:::|(?:[0-9a-f]{4}:){7}[0-9a-f]{4}:/;

/**
 * Whether WinDivert's own text of a filter, which ours is, does not say all that the filter does: it has no signs of
 * flags and elements, one word of elements, and no blank between an address and the colon of a ternary.
 */
function losesInText(tests: readonly FilterTest[], text: string): boolean {
  return (
    ADDRESS_BEFORE_COLON.test(text) ||
    tests.some(({ field, negative, value: [, w1, w2, w3] }) => {
      const { format, indexed } = ALL_FIELDS[field] ?? {};
      if (indexed !== undefined) return negative || w1 !== 0 || w2 !== 0 || w3 !== 0;
      return format === 'flag' && negative;
    })
  );
}

const LIMITS: readonly string[] = ['too-long', 'too-deep', 'object-too-short', 'bad-object'];

function tryCompile(compile: () => Filter): Filter | null {
  try {
    return compile();
  } catch (error) {
    if (error instanceof FilterError && LIMITS.includes(error.code)) return null;
    throw error;
  }
}

/**
 * Holds one input against all runners; the first is the reference, `unknown` of another one is no difference.
 *
 * @param count gets the reference's verdict, and `unknown` for each engine that does not know
 */
export function compare(
  runners: readonly Runner[],
  packet: Uint8Array | null,
  address: AddressInit,
  count: (verdict: Verdict) => void = () => {},
): Disagreement {
  const [reference, ...others] = runners;
  if (!reference) return null;
  const expected = reference.prepared.matches(packet, address);
  count(expected);
  for (const { name, prepared } of others) {
    const actual = prepared.matches(packet, address);
    if (actual === 'unknown') count(actual);
    else if (actual !== expected)
      return `${reference.name} says ${expected}, ${name} says ${actual}`;
  }
  return null;
}

/** Runs a case again. */
export function replay(
  { layer, dialect, source, sets: members, reduction, packet, address }: ExactnessCase,
  engines: readonly FilterEngine[],
): Disagreement {
  const sets = Object.fromEntries(
    Object.entries(members).map(([name, entries]) => [name, new FilterSet(entries)]),
  );
  const options = dialect === 'extended' ? { dialect, sets } : { dialect };
  const whole = compileFilter(source, layer, options);
  const tests = reduction ? reduceTests(whole.tests, reduction) : whole.tests;
  if (tests === null) return null;
  const filter = reduction ? new Filter({ layer, dialect, source, tests }) : whole;
  const runners = runnersOf(filter, sets, engines);
  try {
    const bytes = packet === null ? null : Uint8Array.from(Buffer.from(packet, 'hex'));
    return compare(runners, bytes, address);
  } finally {
    for (const { prepared } of runners) prepared.close?.();
  }
}

/** The graph without some of its tests; null when nothing is left of it. */
function reduceTests(
  tests: readonly FilterTest[],
  reduction: readonly number[],
): readonly FilterTest[] | null {
  const target = (label: Label): Label => {
    let at = label;
    while (typeof at === 'number') {
      const step = reduction[at] ?? REDUCTION.KEEP;
      const test: FilterTest | undefined = tests[at];
      if (step === REDUCTION.KEEP || test === undefined) break;
      at = step === REDUCTION.SUCCESS ? test.success : test.failure;
    }
    return at;
  };
  const start = target(0);
  if (typeof start !== 'number') return null;
  const kept = tests.flatMap((_, at) =>
    at >= start && (reduction[at] ?? REDUCTION.KEEP) === REDUCTION.KEEP ? [at] : [],
  );
  const place = (label: Label): Label => {
    const at = target(label);
    return typeof at === 'number' ? kept.indexOf(at) : at;
  };
  return kept.flatMap((at) => {
    const test = tests[at];
    return test ? [{ ...test, success: place(test.success), failure: place(test.failure) }] : [];
  });
}

/** A smaller case that engines still disagree about. */
export function shrinkCase(whole: ExactnessCase, engines: readonly FilterEngine[]): ExactnessCase {
  const { layer, dialect, source, sets, packet, address } = whole;
  const options =
    dialect === 'extended'
      ? { dialect, sets: Object.fromEntries(Object.keys(sets).map((n) => [n, new FilterSet()])) }
      : { dialect };
  const count = compileFilter(source, layer, options).tests.length;
  const keys = Object.keys(address);
  const bytes = Uint8Array.from(Buffer.from(packet ?? '', 'hex'));
  const all = Array<number>(count).fill(REDUCTION.KEEP);
  const build = (
    reduction: readonly number[],
    smaller: Uint8Array,
    kept: readonly string[],
  ): ExactnessCase => ({
    ...whole,
    reduction,
    packet: packet === null ? null : Buffer.from(smaller).toString('hex'),
    address: Object.fromEntries(Object.entries(address).filter(([key]) => kept.includes(key))),
  });
  const property = fc.property(
    fc.array(fc.nat({ max: REDUCTION.KEEP }), { minLength: count, maxLength: count }),
    fc.uint8Array({ maxLength: bytes.length }),
    fc.subarray(keys),
    (reduction, smaller, kept) => {
      expectAgreement(build(reduction, smaller, kept), engines);
    },
  );
  const { counterexample } = fc.check<[number[], Uint8Array<ArrayBuffer>, string[]]>(property, {
    examples: [[all, bytes, keys]],
    numRuns: 1,
    interruptAfterTimeLimit: SHRINK_MS,
  });
  return counterexample === null ? whole : build(...counterexample);
}

function expectAgreement(exactnessCase: ExactnessCase, engines: readonly FilterEngine[]): void {
  let said: Disagreement;
  try {
    said = replay(exactnessCase, engines);
  } catch {
    // Another failure than the one that is being shrunk.
    return;
  }
  if (said !== null) throw new Error(said);
}
