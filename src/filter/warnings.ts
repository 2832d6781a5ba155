/**
 * Warnings: filters that compile, exactly as in WinDivert, but hardly mean what they look like.
 *
 * @module
 */

import { DivertError } from '../errors.ts';
import type { Layer } from '../packet/address.ts';
import type { FilterNode, TestNode } from './ast.ts';
import type { FilterGraph } from './build-graph.ts';
import { FIELDS, fieldOnLayer } from './fields.ts';
import { foldedOutcome } from './fold.ts';
import { formatTests } from './format.ts';
import type { FilterTest, Label } from './graph.ts';
import { MAX_OBJECT_TESTS } from './object.ts';
import { fieldOf, isConstant, valueWarnings } from './value-warnings.ts';
import type { FilterWarning } from './warning.ts';

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

/** The tests of a syntax tree, in order. */
export function testsIn(node: FilterNode): TestNode[] {
  switch (node.kind) {
    case 'test':
      return [node];
    case 'not':
      return testsIn(node.operand);
    case 'ternary':
      return [node.condition, node.success, node.failure].flatMap(testsIn);
    default:
      return [...testsIn(node.left), ...testsIn(node.right)];
  }
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
function flowWarnings(
  { root, graph }: Pick<WarningInput, 'root' | 'graph'>,
  nodes: readonly TestNode[],
): FilterWarning[] {
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
 * Finds the warnings of an object string, whose fields nobody has held against the layer.
 *
 * @param layer - the layer it was opened for
 */
export function findObjectWarnings(tests: readonly FilterTest[], layer: Layer): FilterWarning[] {
  const strangers = new Set(
    tests.filter(({ field }) => !fieldOnLayer(field, layer)).map(({ field }) => field),
  );
  return [...strangers].map((field) => {
    const name = FIELDS[field]?.name;
    const message = `the ${layer} layer has no field ${name}: evaluation fails where its test is reached`;
    return { code: 'field-of-other-layer', position: 0, message };
  });
}

/**
 * Finds the warnings of a filter that compiled.
 *
 * @returns in the order of their places
 */
export function findWarnings(input: WarningInput): FilterWarning[] {
  return inOrder([...findMeaningWarnings(input), ...textWarnings(input)]);
}

function inOrder(warnings: FilterWarning[]): FilterWarning[] {
  return warnings.sort((one, other) => one.position - other.position);
}

/** The warnings about what a filter means, leaving aside whether its text and object can be used. */
export function findMeaningWarnings(input: Omit<WarningInput, 'compiles'>): FilterWarning[] {
  const { source, root, dropped } = input;
  const nodes = testsIn(root);
  const ignored = dropped.map((position): FilterWarning => {
    const message =
      'a "b" on its own is ignored; a byte index is written without a blank, as in [5b]';
    return { code: 'ignored-word', position, message };
  });
  return inOrder([
    ...nodes.flatMap((test) => valueWarnings(test, source)),
    ...ignored,
    ...flowWarnings(input, nodes),
  ]);
}
