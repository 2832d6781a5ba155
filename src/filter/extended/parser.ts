/**
 * Tokens of the extended dialect to syntax tree: WinDivert's grammar with
 *
 *     arg     := … | {not} "(" or ")"
 *     test    := {not} operand [operator value] | {not} operand ["not"] "in" set
 *     operand := subject | subject "&" number | "(" subject "&" number ")"
 *     value   := ["-"] number | number "/" number | string
 *     set     := "@" name | "{" member {"," member} [","] "}"
 *     member  := number | ["-"] number ".." ["-"] number | number "/" number | string
 *
 * @module
 */

import type { FilterNode, TestNode } from '../ast.ts';
import { FIELD } from '../fields.ts';
import type { Token } from '../lexer.ts';
import { type Comparison, operatorOf, type ParseResult, type Subject } from '../parser.ts';
import { EXTENDED_FIELD } from './fields.ts';
import type { FilterSet } from './filter-set.ts';
import { isAddressField, isDotted, maskedValue, maskLimit, maskOf } from './members.ts';
import { fieldOfSubject, rangesNode, setNode } from './membership.ts';
import type { ValueRange } from './range-set.ts';
import { ValueParser } from './value-parser.ts';

/** Sets by the names that filters give them. */
export type FilterSets = Readonly<Record<string, FilterSet>>;

/** A field with the mask in front of its operator. */
interface Operand {
  readonly subject: Subject;
  readonly mask: {
    readonly value: bigint;
    readonly written: string;
    readonly start: number;
  } | null;
}

class ExtendedParser extends ValueParser {
  readonly #sets: FilterSets;

  constructor(tokens: readonly Token[], source: string, sets: FilterSets) {
    super(tokens, source);
    this.#sets = sets;
  }

  /** The innermost problem is the one to report. */
  protected override failAgain(): null {
    return this.problem === null ? super.failAgain() : null;
  }

  protected override parseArgument(depth: number): FilterNode | null {
    if (depth <= 0) return this.fail('too-deep', { kind: 'depth' });
    const start = this.at;
    const negated = this.#takeNots();
    if (this.is('(') && !this.#isMaskGroup()) {
      const operand = super.parseArgument(depth);
      return operand && negated ? { kind: 'not', operand } : operand;
    }
    this.at = start;
    return this.parseTest();
  }

  protected override parseTest(): FilterNode | null {
    const negated = this.#takeNots();
    const operand = this.#parseOperand();
    if (operand === null) return null;
    const inverted = this.is('not');
    if (inverted) this.at++;
    if (this.is('in')) {
      this.at++;
      return this.#parseMembership(operand, negated === inverted);
    }
    if (inverted) return this.complain('"in" expected after "not"', 'Write: field not in { … }');
    if (operand.mask !== null) return this.#parseMasked(operand, negated);
    if (operand.subject.field === EXTENDED_FIELD.processName)
      return this.#parseName(operand, negated);
    return this.#parsePlain(operand.subject, negated);
  }

  /** @returns whether their number is odd */
  #takeNots(): boolean {
    let negated = false;
    for (; this.is('not'); this.at++) negated = !negated;
    return negated;
  }

  /** Whether the parenthesis here is that of `(field & mask)`. */
  #isMaskGroup(): boolean {
    let at = this.at + 1;
    if (this.tokens[at]?.kind !== 'field') return false;
    at++;
    if (this.tokens[at]?.kind === '[') {
      while (at < this.tokens.length && this.tokens[at]?.kind !== ']') at++;
      at++;
    }
    const [sign, number, close] = [at, at + 1, at + 2].map((place) => this.tokens[place]?.kind);
    return sign === '&' && number === 'number' && close === ')';
  }

  #parseOperand(): Operand | null {
    const grouped = this.take('(');
    const subject = this.parseSubject(0);
    if (subject === null) return null;
    if (!this.is('&')) return { subject, mask: null };
    const field = fieldOfSubject(subject);
    if (subject.field === FIELD.zero || field.low < 0n || field.format === 'name') {
      return this.complain(`${field.name} has no bits to be masked`, 'Compare it without a mask');
    }
    this.at++;
    const token = this.current;
    if (token.kind !== 'number') {
      return this.complain(
        'a number expected after "&"',
        'It masks bits. Between tests write: and',
      );
    }
    this.at++;
    const mask = { value: token.value, written: this.written(token), start: token.start };
    if (mask.value > maskLimit(field)) {
      const sentence = `${mask.written} has more bits than ${field.name}`;
      return this.complainAt(token.start, { sentence, hint: 'Leave the bits in front out' });
    }
    // Checked by the one who saw the parenthesis.
    if (grouped) this.at++;
    return { subject, mask };
  }

  /** A comparison as WinDivert has it, or with a prefix. */
  #parsePlain(subject: Subject, negated: boolean): FilterNode | null {
    const comparison = this.parseComparison(subject.start);
    if (comparison === null) return null;
    if (!this.is('/')) return this.testOf(subject, comparison, negated);
    const { operator, negative, valueStart } = comparison;
    const field = fieldOfSubject(subject);
    if (!isAddressField(field)) {
      return this.complain(
        `${field.name} is no address: it has no prefixes`,
        'There is no division',
      );
    }
    if (negative || (operator !== '=' && operator !== '!=')) {
      return this.complain('an address is in a prefix or not', 'Compare prefixes with == or !=');
    }
    const range = this.parsePrefix(
      comparison.value,
      this.source.slice(valueStart, this.current.start),
    );
    if (range === null || !this.isWithin(range, subject, valueStart)) return null;
    return rangesNode(this.place(subject), [range], (operator === '=') !== negated);
  }

  #parseMasked({ subject, mask }: Operand, negated: boolean): TestNode | null {
    const field = fieldOfSubject(subject);
    const comparison = this.parseComparison(subject.start);
    if (comparison === null || mask === null) return null;
    const isBare = comparison.valueStart === subject.start;
    if (comparison.negative || comparison.value > maskLimit(field)) {
      const sentence = `${field.name} never has this number behind a mask`;
      return this.complainAt(comparison.valueStart, {
        sentence,
        hint: 'Write a number of the same size',
      });
    }
    if (isBare && field.format === 'ipv6' && isDotted(mask.written)) {
      const hint = `Compare it with an address: ${field.name} & ${mask.written} == 0.0.0.0`;
      return this.complainAt(mask.start, { sentence: 'an IPv4 mask alone is no test', hint });
    }
    const value = maskedValue(comparison.value, field);
    const test = this.testOf(subject, { ...comparison, value }, negated);
    return { ...test, mask: maskOf(mask.value, mask.written, field) };
  }

  #parseName({ subject }: Operand, negated: boolean): TestNode | null {
    const operator = operatorOf(this.current.kind);
    if (operator !== '=' && operator !== '!=') {
      return this.complain(
        '"==", "!=" or "in" and a name expected',
        'Write: processName == "curl"',
      );
    }
    this.at++;
    const valueStart = this.current.start;
    const value = this.parseString();
    if (value === null) return null;
    const comparison: Comparison = { operator, negative: false, value, valueStart };
    return this.testOf(subject, comparison, negated);
  }

  #parseMembership({ subject, mask }: Operand, isMember: boolean): FilterNode | null {
    if (mask !== null) {
      return this.complain('a masked field is compared, not looked up', 'Use == or != and "or"');
    }
    const field = fieldOfSubject(subject);
    if (subject.field === FIELD.zero)
      return this.complain('a constant is in no set', 'Leave it out');
    if (this.is('set')) return this.#parseNamedSet(subject, isMember);
    if (!this.take('{')) {
      return this.complain('"{" or "@name" expected', `Write: ${field.name} in { … }`);
    }
    const ranges: ValueRange[] = [];
    do {
      if (this.is('}') && ranges.length > 0) break;
      const range = this.parseMember(subject);
      if (range === null) return null;
      ranges.push(range);
    } while (this.take(','));
    if (!this.take('}'))
      return this.complain('"," or "}" expected', 'Members are separated by commas');
    return rangesNode(this.place(subject), ranges, isMember);
  }

  #parseNamedSet(subject: Subject, isMember: boolean): FilterNode | null {
    const name = this.written(this.current).slice(1);
    const members = Object.hasOwn(this.#sets, name) ? this.#sets[name] : undefined;
    const field = fieldOfSubject(subject);
    if (members === undefined) {
      return this.complain(
        `there is no set ${name}`,
        `Give it along: { sets: { ${name}: new FilterSet(…) } }`,
      );
    }
    if (field.low < 0n || field.format === 'name' || field.format === 'flag') {
      return this.complain(
        `${field.name} cannot be looked up in a named set`,
        'Write the members between braces',
      );
    }
    this.at++;
    return setNode(this.place(subject), { name, members }, isMember);
  }
}

/**
 * Parses tokens of the extended dialect.
 *
 * @param tokens - ending with an `end` token
 * @param source - the text they come from
 * @param sets - that the filter may name
 */
export function parseExtended(
  tokens: readonly Token[],
  source: string,
  sets: FilterSets,
): ParseResult {
  const parser = new ExtendedParser(tokens, source, sets);
  const node = parser.parse();
  if (node !== null) return { node, problem: null };
  if (parser.problem === null) throw new RangeError('a failed parse has no problem');
  return { node: null, problem: parser.problem };
}
