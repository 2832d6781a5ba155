/**
 * Syntax tree to decision graph.
 *
 * Tests are laid out from the last to the first, each with the labels of what follows it. Constants
 * hand their label on and leave no test behind; tests that nothing leads to any more stay where they
 * are unless they come before the first one that runs. This is WinDivert's layout, test for test.
 *
 * @module
 */

import type { FilterNode, TestNode } from './ast.ts';
import { FIELD } from './fields.ts';
import { foldTest } from './fold.ts';
import type { FilterTest, Label } from './graph.ts';
import { wordsOf } from './words.ts';

/** Most tests a filter may have. */
export const MAX_TESTS = 256;

/** A graph, and for each of its tests where it came from. */
export interface FilterGraph {
  readonly tests: readonly FilterTest[];
  /** Same length as `tests`; empty for a filter that folded to a constant. */
  readonly origins: readonly TestNode[];
}

interface Placed {
  readonly test: TestNode;
  readonly success: Label;
  readonly failure: Label;
}

/** Labels are positions counted from the end while building. */
class GraphBuilder {
  readonly placed: Placed[] = [];

  /** Lays out a node and returns where it starts. */
  add(node: FilterNode, success: Label, failure: Label): Label {
    switch (node.kind) {
      case 'and':
        return this.add(node.left, this.add(node.right, success, failure), failure);
      case 'or':
        return this.add(node.left, success, this.add(node.right, success, failure));
      case 'ternary': {
        const otherwise = this.add(node.failure, success, failure);
        return this.add(node.condition, this.add(node.success, success, failure), otherwise);
      }
      case 'not':
        return this.add(node.operand, failure, success);
      case 'test':
        return this.addTest(node, success, failure);
    }
  }

  private addTest(test: TestNode, success: Label, failure: Label): Label {
    const folded = foldTest(test);
    if (typeof folded === 'boolean') return folded ? success : failure;
    this.placed.push({ test: folded, success, failure });
    return this.placed.length - 1;
  }
}

/** What only tests of the extended dialect have. */
function extensionOf({ mask, set }: TestNode): Pick<FilterTest, 'mask' | 'set'> {
  return {
    ...(mask === undefined ? {} : { mask: wordsOf(mask) }),
    ...(set === undefined ? {} : { set }),
  };
}

function constantGraph(label: 'accept' | 'reject'): FilterGraph {
  const test: FilterTest = {
    field: FIELD.zero,
    operator: '=',
    negative: false,
    value: [0, 0, 0, 0],
    index: 0,
    success: label,
    failure: label,
  };
  return { tests: [test], origins: [] };
}

/**
 * Builds the decision graph of a filter.
 *
 * @returns `null` when there are more than {@link MAX_TESTS} tests
 */
export function buildGraph(root: FilterNode): FilterGraph | null {
  const builder = new GraphBuilder();
  const first = builder.add(root, 'accept', 'reject');
  if (builder.placed.length > MAX_TESTS) return null;
  if (typeof first !== 'number') return constantGraph(first);
  const tests: FilterTest[] = [];
  const origins: TestNode[] = [];
  const absolute = (label: Label): Label => (typeof label === 'number' ? first - label : label);
  for (const { test, success, failure } of builder.placed.slice(0, first + 1).reverse()) {
    const { field, operator, negative, index } = test;
    const value = wordsOf(test.value);
    const labels = { success: absolute(success), failure: absolute(failure) };
    tests.push({ field, operator, negative, value, index, ...labels, ...extensionOf(test) });
    origins.push(test);
  }
  return { tests, origins };
}
