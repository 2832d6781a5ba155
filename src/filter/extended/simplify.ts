/**
 * Negations in expressions: a decision graph has none, and what was one comes back from it as `(a? false: b)`.
 *
 * @module
 */

import type { Expression } from '../decompile.ts';

/** Parts of an expression may be shared: each is done once. */
class Simplifier {
  readonly #done = new Map<Expression, Expression>();

  simplify(expression: Expression): Expression {
    const known = this.#done.get(expression);
    if (known !== undefined) return known;
    const result = this.#simplifyAnew(expression);
    this.#done.set(expression, result);
    return result;
  }

  #simplifyAnew(expression: Expression): Expression {
    switch (expression.kind) {
      case 'and':
      case 'or':
        return {
          kind: expression.kind,
          left: this.simplify(expression.left),
          right: this.simplify(expression.right),
        };
      case 'ternary':
        return this.#ternary(expression);
      default:
        return expression;
    }
  }

  #ternary(expression: Expression & { kind: 'ternary' }): Expression {
    const [condition, success, failure] = [
      this.simplify(expression.condition),
      this.simplify(expression.success),
      this.simplify(expression.failure),
    ] as const;
    const isDenied = success.kind === 'constant' && !success.value;
    const isGranted = failure.kind === 'constant' && failure.value;
    if (isDenied && isGranted) return negated(condition);
    if (isDenied) return { kind: 'and', left: negated(condition), right: failure };
    if (isGranted) return { kind: 'or', left: negated(condition), right: success };
    return { kind: 'ternary', condition, success, failure };
  }
}

/** The negation, moved inwards where it meets another one. */
function negated(expression: Expression): Expression {
  switch (expression.kind) {
    case 'not':
      return expression.operand;
    case 'constant':
      return { kind: 'constant', value: !expression.value };
    case 'and':
    case 'or': {
      const { left, right } = expression;
      if (left.kind !== 'not' && right.kind !== 'not') break;
      return {
        kind: expression.kind === 'and' ? 'or' : 'and',
        left: negated(left),
        right: negated(right),
      };
    }
    default:
  }
  return { kind: 'not', operand: expression };
}

/**
 * An equivalent expression with negations in place of ternaries.
 *
 * @param expression - recovered from a graph
 */
export function simplify(expression: Expression): Expression {
  return new Simplifier().simplify(expression);
}
