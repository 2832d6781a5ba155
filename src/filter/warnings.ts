/**
 * Warnings: filters that compile, exactly as in WinDivert, but hardly mean what they look like.
 *
 * @module
 */

import type { Layer } from '../packet/address.ts';
import type { FilterNode, TestNode } from './ast.ts';
import type { FilterGraph } from './build-graph.ts';
import { FIELD, FIELDS, type Field, type FieldHeader } from './fields.ts';
import { foldedOutcome } from './fold.ts';
import { formatTests } from './format.ts';
import type { FilterTest, Label } from './graph.ts';
import { MAX_OBJECT_TESTS } from './object.ts';

/** Kinds of warnings. */
export type FilterWarningCode =
  | 'out-of-range'
  | 'constant-test'
  | 'always-true'
  | 'always-false'
  | 'dead-test'
  | 'ignored-word'
  | 'negative-zero'
  | 'negative-value'
  | 'lost-bits'
  | 'odd-address'
  | 'unusable-object'
  | 'text-does-not-compile';

/** One warning with its place. */
export interface FilterWarning {
  readonly code: FilterWarningCode;
  /** 0-based offset in the source. */
  readonly position: number;
  readonly message: string;
}

/** What warnings are found in. */
export interface WarningInput {
  readonly source: string;
  readonly layer: Layer;
  /** Offsets of ignored `b` words. */
  readonly dropped: readonly number[];
  readonly root: FilterNode;
  readonly graph: FilterGraph;
  /** Whether a text compiles on the filter's layer. */
  readonly compiles: (text: string) => boolean;
}

const HEADER_NAMES: Record<FieldHeader, string> = {
  ip: 'IPv4',
  ipv6: 'IPv6',
  icmp: 'ICMP',
  icmpv6: 'ICMPv6',
  tcp: 'TCP',
  udp: 'UDP',
};

const WORD_LIMIT = 1n << 32n;

function testsIn(node: FilterNode): TestNode[] {
  switch (node.kind) {
    case 'test':
      return [node];
    case 'ternary':
      return [node.condition, node.success, node.failure].flatMap(testsIn);
    default:
      return [...testsIn(node.left), ...testsIn(node.right)];
  }
}

function fieldOf(test: TestNode): Field {
  const field = FIELDS[test.field];
  if (field === undefined) throw new RangeError(`no field has id ${test.field}`);
  return field;
}

function isConstant(test: TestNode): boolean {
  return test.constant !== null || test.field === FIELD.zero;
}

function rangeOf({ low, high, format }: Field): string {
  if (format === 'ipv4') return '0.0.0.0 to 255.255.255.255';
  return `${low} to ${high}`;
}

function consequence(outcome: boolean, { header }: Field): string {
  if (header === null) return `the test is always ${outcome}`;
  const name = HEADER_NAMES[header];
  return outcome
    ? `the test becomes "${header}" and matches every packet with ${name}`
    : `the test becomes "not ${header}" and matches every packet without ${name}`;
}

/** Tests that folding decides: `tcp.DstPort == 70000` matches all that is not TCP. */
function foldingWarning(test: TestNode, source: string): FilterWarning | null {
  const field = fieldOf(test);
  const outcome = isConstant(test) ? null : foldedOutcome(test, field);
  if (outcome === null) return null;
  const signed = test.negative ? -test.value : test.value;
  const outside = signed < field.low || signed > field.high || (test.negative && test.value === 0n);
  const written = source.slice(test.valueStart, test.end);
  const lead = outside
    ? `${written} is outside the range of ${field.name} (${rangeOf(field)})`
    : `${field.name} is ${rangeOf(field)}`;
  return {
    code: outside ? 'out-of-range' : 'constant-test',
    position: test.valueStart,
    message: `${lead}: ${consequence(outcome, field)}`,
  };
}

/** Signs and bits that fields which are never folded cannot have. */
function valueWarning(test: TestNode): FilterWarning | null {
  const field = fieldOf(test);
  const position = test.valueStart;
  if (test.negative && test.value === 0n) {
    const message = '-0 is less than 0 and equal to nothing';
    return { code: 'negative-zero', position, message };
  }
  if (field.folds || isConstant(test)) return null;
  if (test.negative) {
    const kept =
      field.format === 'flag' || field.indexed !== undefined
        ? '; the text of this filter loses the sign'
        : '';
    return { code: 'negative-value', position, message: `${field.name} is never negative${kept}` };
  }
  if (test.value < WORD_LIMIT) return null;
  const message = `${field.name} has 32 bits: only the low 32 bits of ${test.value} are compared and kept`;
  return { code: 'lost-bits', position, message };
}

const IPV6_GROUPS = 8;
const LARGE_IPV4_PART = /(?:^|\.)0*(?!(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.|$))\d+(?:\.|$)/;

/** Addresses that no other program would read like this. */
function addressWarning(test: TestNode, source: string): FilterWarning | null {
  const written = source.slice(test.valueStart, test.end);
  const colons = written.split(':').length - 1;
  const dotted = colons === 0 && written.includes('.');
  if (dotted && !LARGE_IPV4_PART.test(written)) return null;
  if (!dotted && (colons < IPV6_GROUPS || (colons === IPV6_GROUPS && written.includes('::'))))
    return null;
  const message = dotted
    ? `each part of ${written} counts modulo 2^32`
    : `${written} has more than eight groups: the rest is ignored`;
  return { code: 'odd-address', position: test.valueStart, message };
}

function reachableTests(tests: readonly FilterTest[]): Set<Label> {
  const seen = new Set<Label>([0]);
  for (const label of seen) {
    const test = typeof label === 'number' ? tests[label] : undefined;
    if (test) seen.add(test.success).add(test.failure);
  }
  return seen;
}

/** Tests that never run or do not matter, and filters with one outcome. */
function flowWarnings({ root, graph }: WarningInput, nodes: readonly TestNode[]): FilterWarning[] {
  const reachable = reachableTests(graph.tests);
  if (!reachable.has('accept') || !reachable.has('reject')) {
    if (root.kind === 'test' && isConstant(root)) return [];
    const matches = reachable.has('accept');
    const message = `this filter matches ${matches ? 'everything' : 'nothing'}, whatever the packet`;
    return [{ code: matches ? 'always-true' : 'always-false', position: 0, message }];
  }
  const deciding = new Set<number>();
  const pointless = new Set<number>();
  graph.origins.forEach((origin, index) => {
    const test = graph.tests[index];
    if (!reachable.has(index)) return;
    (test?.success === test?.failure ? pointless : deciding).add(origin.start);
  });
  return nodes.flatMap((node): FilterWarning[] => {
    const foldsAway =
      isConstant(node) ||
      (fieldOf(node).header === null && foldedOutcome(node, fieldOf(node)) !== null);
    if (foldsAway || deciding.has(node.start)) return [];
    const what = pointless.has(node.start) ? 'its outcome changes nothing' : 'it never runs';
    const message = `this test of ${fieldOf(node).name} has no effect: ${what}`;
    return [{ code: 'dead-test', position: node.start, message }];
  });
}

function textWarnings({ layer, graph, compiles }: WarningInput): FilterWarning[] {
  const count = graph.tests.length;
  if (count > MAX_OBJECT_TESTS) {
    const message = `${count} tests do not fit the object string, whose count is one byte: it is empty and no driver takes it`;
    return [{ code: 'unusable-object', position: 0, message }];
  }
  if (compiles(formatTests(graph.tests, layer))) return [];
  const message =
    'format() gives a text that does not compile again; keep the filter as it is written here';
  return [{ code: 'text-does-not-compile', position: 0, message }];
}

/**
 * Finds the warnings of a filter that compiled.
 *
 * @returns in the order of their places
 */
export function findWarnings(input: WarningInput): FilterWarning[] {
  const { source, root, dropped } = input;
  const nodes = testsIn(root);
  const found = nodes.flatMap((test) => [
    foldingWarning(test, source),
    valueWarning(test),
    addressWarning(test, source),
  ]);
  const ignored = dropped.map((position): FilterWarning => {
    const message =
      'a "b" on its own is ignored; a byte index is written without a blank, as in [5b]';
    return { code: 'ignored-word', position, message };
  });
  return [
    ...found.filter((warning) => warning !== null),
    ...ignored,
    ...flowWarnings(input, nodes),
    ...textWarnings(input),
  ].sort((one, other) => one.position - other.position);
}
