/**
 * Warnings: filters that compile, exactly as in WinDivert, but hardly mean what they look like.
 *
 * @module
 */

import { DivertError } from '../errors.ts';
import type { Layer } from '../packet/address.ts';
import { formatIPv4Address } from '../packet/ip-text.ts';
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

/** How an address that was written as a number should look. */
function asAddress(test: TestNode, { format }: Field): string {
  const number = format === 'ipv4' && !test.negative && test.value < WORD_LIMIT;
  return number ? `; ${test.value} as an address is ${formatIPv4Address(Number(test.value))}` : '';
}

/** Tests that folding decides: `tcp.DstPort == 70000` matches all that is not TCP. */
function foldingWarning(test: TestNode, source: string): FilterWarning | null {
  const field = fieldOf(test);
  const outcome = isConstant(test) ? null : foldedOutcome(test, field);
  if (outcome === null) return null;
  const position = test.valueStart;
  const written = source.slice(position, test.end);
  const result = consequence(outcome, field);
  if (test.negative && test.value === 0n) {
    return { code: 'negative-zero', position, message: `${written} is less than 0: ${result}` };
  }
  const signed = test.negative ? -test.value : test.value;
  if (signed < field.low || signed > field.high) {
    const lead = `${written} is outside the range of ${field.name} (${rangeOf(field)})`;
    return {
      code: 'out-of-range',
      position,
      message: `${lead}: ${result}${asAddress(test, field)}`,
    };
  }
  // At the end of the range, "always true" is what was meant, and a header's guard is right.
  if (outcome) return null;
  return {
    code: 'constant-test',
    position,
    message: `${field.name} is ${rangeOf(field)}: ${result}`,
  };
}

/** Signs and bits that fields which are never folded cannot have. */
function valueWarning(test: TestNode): FilterWarning | null {
  const field = fieldOf(test);
  const position = test.valueStart;
  if (isConstant(test) || foldedOutcome(test, field) !== null) return null;
  if (test.negative && test.value === 0n) {
    return { code: 'negative-zero', position, message: '-0 is less than 0 and equal to nothing' };
  }
  if (field.folds) return null;
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

/** Whether a part of a dotted address is larger than it looks: it counts modulo 2^32. */
function hasLargePart(dotted: string): boolean {
  return dotted.split('.').some((part) => Number(part) > 0xff);
}

/** Addresses that no other program would read like this. */
function addressWarning(test: TestNode, source: string): FilterWarning | null {
  const written = source.slice(test.valueStart, test.end);
  const colons = written.split(':').length - 1;
  const dotted = colons === 0 && written.includes('.');
  if (dotted && !hasLargePart(written)) return null;
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

/** Whether the filter's text compiles again; no text at all counts as no. */
function textCompiles({ layer, graph, compiles }: WarningInput): boolean {
  try {
    return compiles(formatTests(graph.tests, layer));
  } catch (error) {
    if (error instanceof DivertError) return false;
    throw error;
  }
}

function textWarnings(input: WarningInput): FilterWarning[] {
  const count = input.graph.tests.length;
  if (count > MAX_OBJECT_TESTS) {
    const message = `${count} tests do not fit the object string, whose count is one byte: it is empty and no driver takes it`;
    return [{ code: 'unusable-object', position: 0, message }];
  }
  if (textCompiles(input)) return [];
  const message =
    'format() gives no text that compiles again; keep the filter as it is written here';
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
