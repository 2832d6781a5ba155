/**
 * Decision graph back to an expression of `and`, `or` and `(c? a: b)`.
 *
 * Goes through the tests from the last to the first and joins a test with the one it leads to as long
 * as nothing else leads there and their exits fit together; what does not fit becomes a ternary with
 * copies of what is shared.
 *
 * @module
 */

import type { FilterTest, Label } from './graph.ts';

/** An expression recovered from a graph. */
export type Expression =
  | { readonly kind: 'constant'; readonly value: boolean }
  | { readonly kind: 'test'; readonly test: FilterTest }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  /** Only text of the extended dialect has these. */
  | { readonly kind: 'not'; readonly operand: Expression }
  | {
      readonly kind: 'ternary';
      readonly condition: Expression;
      readonly success: Expression;
      readonly failure: Expression;
    };

const TRUE: Expression = { kind: 'constant', value: true };
const FALSE: Expression = { kind: 'constant', value: false };

/** A stretch of the graph with one entry and two exits. */
interface Block {
  expression: Expression;
  success: Label;
  failure: Label;
}

class Decompiler {
  /** Block by the index of its first test. */
  private readonly blocks: readonly Block[];
  /** How many exits of tests, dead ones included, lead to a test and are not joined yet. */
  private readonly entries: Uint32Array;
  private readonly finished = new Map<number, Expression>();

  constructor(tests: readonly FilterTest[]) {
    this.blocks = tests.map((test) => ({
      expression: { kind: 'test', test },
      success: test.success,
      failure: test.failure,
    }));
    this.entries = new Uint32Array(tests.length);
    for (const { success, failure } of tests) {
      this.countEntry(success, 1);
      this.countEntry(failure, 1);
    }
    for (const block of this.blocks.toReversed()) {
      while (this.joinSuccess(block) || this.joinFailure(block) || this.joinBoth(block));
    }
  }

  private countEntry(label: Label, change: 1 | -1): void {
    if (typeof label === 'number') this.entries[label] = (this.entries[label] ?? 0) + change;
  }

  /** The block at a label if nothing else leads there. */
  private sole(label: Label): Block | undefined {
    return typeof label === 'number' && this.entries[label] === 1 ? this.blocks[label] : undefined;
  }

  /** Takes in the next block; an exit that both had is then led to once less. */
  private absorb(block: Block, next: Block, expression: Expression, shared: Label): true {
    block.expression = expression;
    block.success = next.success;
    block.failure = next.failure;
    this.countEntry(shared, -1);
    return true;
  }

  private joinSuccess(block: Block): boolean {
    const next = this.sole(block.success);
    if (next === undefined) return false;
    const { expression: left, failure } = block;
    const { expression: right } = next;
    if (next.failure === failure) {
      return this.absorb(block, next, { kind: 'and', left, right }, failure);
    }
    if (next.success !== failure) return false;
    const ternary = { kind: 'ternary', condition: left, success: right, failure: TRUE } as const;
    return this.absorb(block, next, ternary, failure);
  }

  private joinFailure(block: Block): boolean {
    const next = this.sole(block.failure);
    if (next === undefined) return false;
    const { expression: left, success } = block;
    const { expression: right } = next;
    if (next.success === success) {
      return this.absorb(block, next, { kind: 'or', left, right }, success);
    }
    if (next.failure !== success) return false;
    const ternary = { kind: 'ternary', condition: left, success: FALSE, failure: right } as const;
    return this.absorb(block, next, ternary, success);
  }

  private joinBoth(block: Block): boolean {
    const onSuccess = this.sole(block.success);
    const onFailure = this.sole(block.failure);
    if (onSuccess === undefined || onFailure === undefined) return false;
    const { success, failure } = onSuccess;
    if (onFailure.success !== success || onFailure.failure !== failure) return false;
    const ternary: Expression = {
      kind: 'ternary',
      condition: block.expression,
      success: onSuccess.expression,
      failure: onFailure.expression,
    };
    this.countEntry(failure, -1);
    return this.absorb(block, onSuccess, ternary, success);
  }

  /** The expression that starts at a label. */
  expressionAt(label: Label): Expression {
    if (typeof label !== 'number') return label === 'accept' ? TRUE : FALSE;
    const known = this.finished.get(label);
    const block = this.blocks[label];
    if (known !== undefined) return known;
    if (block === undefined) throw new RangeError(`no test has index ${label}`);
    const expression = this.finish(block);
    this.finished.set(label, expression);
    return expression;
  }

  private finish(block: Block): Expression {
    if (block.success === block.failure) return this.expressionAt(block.success);
    const success = this.expressionAt(block.success);
    const failure = this.expressionAt(block.failure);
    if (success === TRUE && failure === FALSE) return block.expression;
    return { kind: 'ternary', condition: block.expression, success, failure };
  }
}

/**
 * Recovers an expression from a graph. Parts may be shared: the tree can be far larger than the graph.
 *
 * @param tests - 1 to 256 tests
 */
export function decompile(tests: readonly FilterTest[]): Expression {
  return new Decompiler(tests).expressionAt(0);
}
