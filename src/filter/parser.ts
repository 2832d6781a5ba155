/**
 * Tokens to syntax tree.
 *
 *     or      := and ["or" or]
 *     and     := arg {"and" arg}
 *     arg     := "(" or ")" | "(" or "?" or ":" or ")" | test
 *     test    := {not} field ["[" ["-"] number ["b"] "]"] [operator ["-"] number]
 *
 * A failure is `null` with the problem kept aside, not an exception: WinDivert's parser carries on
 * at the enclosing parenthesis and may report another code there, and so does this one.
 *
 * @module
 */

import type { FilterErrorCode } from '../errors.ts';
import type { FilterNode, TestNode } from './ast.ts';
import { FIELD, FIELDS } from './fields.ts';
import type { Operator } from './graph.ts';
import type { Token, TokenKind } from './lexer.ts';
import type { Expectation, FilterProblem, ProblemReason } from './problem.ts';

const MAX_DEPTH = 1024;
const MAX_INDEX = 65_535;
/** Largest number accepted between brackets before its unit is known: 65535 + 40. */
const MAX_RAW_INDEX = 65_575n;

const NEGATED = {
  '=': '!=',
  '!=': '=',
  '<': '>=',
  '<=': '>',
  '>': '<=',
  '>=': '<',
} as const satisfies Record<Operator, Operator>;

/** The operator a token is, `null` for others. */
export function operatorOf(kind: TokenKind): Operator | null {
  return kind in NEGATED ? (kind as Operator) : null;
}

/** What a test begins with. */
export type Subject = Pick<TestNode, 'field' | 'constant' | 'index' | 'start'>;

/** What stands behind a field. */
export interface Comparison {
  readonly operator: Operator;
  readonly negative: boolean;
  readonly value: bigint;
  readonly valueStart: number;
}

/** Parses WinDivert's grammar; what the extended one does otherwise is protected. */
export class Parser {
  /** The problem as reported: its code follows WinDivert, parenthesis rule included. */
  problem: FilterProblem | null = null;
  protected readonly tokens: readonly Token[];
  protected at = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  parse(): FilterNode | null {
    const node = this.parseOr(MAX_DEPTH);
    if (node === null) return null;
    return this.is('end') ? node : this.fail('unexpected-token', expected('end'));
  }

  protected get current(): Token {
    const token = this.tokens[this.at] ?? this.tokens.at(-1);
    if (token === undefined) throw new RangeError('the token list has no end');
    return token;
  }

  protected is(kind: TokenKind): boolean {
    return this.current.kind === kind;
  }

  protected fail(code: FilterErrorCode, given: ProblemReason): null {
    const { start, end } = this.current;
    const reason = this.is('byte') ? ({ kind: 'byte-suffix' } as const) : given;
    // The suffix is a token of its own; what the reader sees is one word, number and suffix.
    const position = this.is('byte') ? (this.tokens[this.at - 1]?.start ?? start) : start;
    this.problem = { code, position, length: end - position, reason };
    return null;
  }

  /** The parenthesis rule: code 6 at the current token. The first reason stays for the reader. */
  protected failAgain(): null {
    return this.fail('unexpected-token', this.problem?.reason ?? expected('close'));
  }

  protected parseOr(depth: number): FilterNode | null {
    if (depth <= 0) return this.fail('too-deep', { kind: 'depth' });
    const left = this.parseAnd(depth - 1);
    if (left === null || !this.is('or')) return left;
    this.at++;
    const right = this.parseOr(depth - 1);
    return right && { kind: 'or', left, right };
  }

  private parseAnd(depth: number): FilterNode | null {
    if (depth <= 0) return this.fail('too-deep', { kind: 'depth' });
    let left = this.parseArgument(depth - 1);
    while (left !== null && this.is('and')) {
      this.at++;
      const right = this.parseArgument(depth - 1);
      left = right && { kind: 'and', left, right };
    }
    return left;
  }

  protected parseArgument(depth: number): FilterNode | null {
    if (depth <= 0) return this.fail('too-deep', { kind: 'depth' });
    if (!this.is('(')) return this.parseTest();
    this.at++;
    const condition = this.parseOr(depth - 1);
    if (this.is(')')) {
      this.at++;
      return condition;
    }
    if (!this.is('?') || condition === null) return this.failAgain();
    this.at++;
    const success = this.parseOr(depth - 1);
    if (success === null) return null;
    if (!this.is(':')) return this.fail('unexpected-token', expected('colon'));
    this.at++;
    const failure = this.parseOr(depth - 1);
    if (failure === null) return null;
    if (!this.is(')')) return this.fail('unexpected-token', expected('close'));
    this.at++;
    return { kind: 'ternary', condition, success, failure };
  }

  protected parseTest(): FilterNode | null {
    let negated = false;
    let nots = 0;
    for (; this.is('not'); nots++) {
      negated = !negated;
      this.at++;
    }
    const subject = this.parseSubject(nots);
    if (subject === null) return null;
    const comparison = this.parseComparison(subject.start);
    return comparison && this.testOf(subject, comparison, negated);
  }

  /** A field with its index. */
  protected parseSubject(nots: number): Subject | null {
    const { kind, start, field } = this.current;
    if (kind !== 'field' && kind !== 'true' && kind !== 'false') return this.failTest(nots);
    this.at++;
    const size = FIELDS[field]?.indexed;
    const index = size === undefined ? 0 : this.parseIndex(size);
    if (index === null) return null;
    const constant = kind === 'field' ? null : kind === 'true' ? 1 : 0;
    return { field: kind === 'field' ? field : FIELD.zero, constant, index, start };
  }

  /** The test of a field, as far as it was read. */
  protected testOf(subject: Subject, comparison: Comparison, negated: boolean): TestNode {
    const { operator, negative, value, valueStart } = comparison;
    return {
      kind: 'test',
      field: subject.field,
      constant: subject.constant,
      operator: negated ? NEGATED[operator] : operator,
      negative,
      value,
      index: subject.index,
      start: subject.start,
      end: this.tokens[this.at - 1]?.end ?? subject.start,
      valueStart,
    };
  }

  private failTest(nots: number): null {
    if (nots > 0 && this.is('(')) {
      return this.fail('unexpected-token', { kind: 'not-group' });
    }
    return this.fail('unexpected-token', expected('test'));
  }

  protected parseComparison(fieldStart: number): Comparison | null {
    const operator = operatorOf(this.current.kind);
    if (operator === null) {
      return { operator: '!=', negative: false, value: 0n, valueStart: fieldStart };
    }
    this.at++;
    const valueStart = this.current.start;
    const negative = this.is('-');
    if (negative) this.at++;
    const { kind, value } = this.current;
    if (kind !== 'number') {
      const reason = kind === 'macro' ? ({ kind: 'macro' } as const) : expected('number');
      return this.fail('unexpected-token', reason);
    }
    this.at++;
    return { operator, negative, value, valueStart };
  }

  /** `[n]` in elements, `[nb]` in bytes, `[-n]` and `[-nb]` from the end. */
  protected parseIndex(size: number): number | null {
    if (!this.is('[')) return this.fail('unexpected-token', expected('bracket'));
    this.at++;
    const backward = this.is('-');
    if (backward) this.at++;
    const { kind, value } = this.current;
    if (kind !== 'number') return this.fail('unexpected-token', expected('index'));
    if (value > MAX_RAW_INDEX) return this.fail('index-out-of-bounds', { kind: 'index' });
    this.at++;
    const inBytes = this.is('byte');
    if (inBytes) this.at++;
    const offset = Number(value) * (inBytes ? 1 : size);
    const outside = backward ? offset > MAX_INDEX || offset < size : offset > MAX_INDEX - size;
    if (outside) return this.fail('index-out-of-bounds', { kind: 'index' });
    if (!this.is(']')) return this.fail('unexpected-token', expected('bracket-end'));
    this.at++;
    return backward ? -offset : offset;
  }
}

function expected(what: Expectation): ProblemReason {
  return { kind: 'expected', what };
}

/** A syntax tree, or what is wrong. */
export type ParseResult =
  | { readonly node: FilterNode; readonly problem: null }
  | { readonly node: null; readonly problem: FilterProblem };

/**
 * Parses tokens.
 *
 * @param tokens - ending with an `end` token
 */
export function parse(tokens: readonly Token[]): ParseResult {
  const parser = new Parser(tokens);
  const node = parser.parse();
  if (node !== null) return { node, problem: null };
  if (parser.problem === null) throw new RangeError('a failed parse has no problem');
  return { node: null, problem: parser.problem };
}
