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
import type { ParseResult } from '../parser.ts';
import { type Comparison, operatorOf, Parser, type Subject } from '../parser.ts';
import { bigintOf } from '../words.ts';
import { EXTENDED_FIELD } from './fields.ts';
import type { FilterSet } from './filter-set.ts';
import {
  type Complaint,
  checkRange,
  isAddressField,
  isDotted,
  maskedValue,
  maskLimit,
  maskOf,
  prefixRange,
} from './members.ts';
import { fieldOfSubject, type Place, rangesNode, setNode } from './membership.ts';
import { encodeProcessName, MAX_NAME_BYTES, nameBytes, truncatedName } from './process-name.ts';
import type { ValueRange } from './range-set.ts';

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

function isComplaint(found: ValueRange | Complaint): found is Complaint {
  return 'sentence' in found;
}

class ExtendedParser extends Parser {
  readonly #source: string;
  readonly #sets: FilterSets;

  constructor(tokens: readonly Token[], source: string, sets: FilterSets) {
    super(tokens);
    this.#source = source;
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
    if (inverted) return this.#complain('"in" expected after "not"', 'Write: field not in { … }');
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

  #take(kind: Token['kind']): boolean {
    if (!this.is(kind)) return false;
    this.at++;
    return true;
  }

  #written({ start, end }: Token): string {
    return this.#source.slice(start, end);
  }

  /** Refuses the current token. */
  #complain(sentence: string, hint: string): null {
    return this.fail('unexpected-token', { kind: 'stated', sentence, hint });
  }

  /** Refuses what stands from a place up to the current token. */
  #complainAt(start: number, { sentence, hint }: Complaint): null {
    const end = this.tokens[this.at - 1]?.end ?? start;
    this.problem = {
      code: 'unexpected-token',
      position: start,
      length: end - start,
      reason: { kind: 'stated', sentence, hint },
    };
    return null;
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
    const grouped = this.#take('(');
    const subject = this.parseSubject(0);
    if (subject === null) return null;
    if (!this.is('&')) return { subject, mask: null };
    const field = fieldOfSubject(subject);
    if (subject.field === FIELD.zero || field.low < 0n || field.format === 'name') {
      return this.#complain(`${field.name} has no bits to be masked`, 'Compare it without a mask');
    }
    this.at++;
    const token = this.current;
    if (token.kind !== 'number') {
      return this.#complain(
        'a number expected after "&"',
        'It masks bits. Between tests write: and',
      );
    }
    this.at++;
    const mask = { value: token.value, written: this.#written(token), start: token.start };
    if (mask.value > maskLimit(field)) {
      const sentence = `${mask.written} has more bits than ${field.name}`;
      return this.#complainAt(token.start, { sentence, hint: 'Leave the bits in front out' });
    }
    // Checked by the one who saw the parenthesis.
    if (grouped) this.at++;
    return { subject, mask };
  }

  #place(subject: Subject): Place {
    return { subject, end: this.tokens[this.at - 1]?.end ?? subject.start };
  }

  /** A comparison as WinDivert has it, or with a prefix. */
  #parsePlain(subject: Subject, negated: boolean): FilterNode | null {
    const comparison = this.parseComparison(subject.start);
    if (comparison === null) return null;
    if (!this.is('/')) return this.testOf(subject, comparison, negated);
    const { operator, negative, valueStart } = comparison;
    const field = fieldOfSubject(subject);
    if (!isAddressField(field)) {
      return this.#complain(
        `${field.name} is no address: it has no prefixes`,
        'There is no division',
      );
    }
    if (negative || (operator !== '=' && operator !== '!=')) {
      return this.#complain('an address is in a prefix or not', 'Compare prefixes with == or !=');
    }
    const range = this.#parsePrefix(
      comparison.value,
      this.#source.slice(valueStart, this.current.start),
    );
    if (range === null || !this.#isWithin(range, subject, valueStart)) return null;
    return rangesNode(this.#place(subject), [range], (operator === '=') !== negated);
  }

  /** What follows the address, from the slash on. */
  #parsePrefix(value: bigint, address: string): ValueRange | null {
    const written = address.trim();
    const slash = this.current.start;
    this.at++;
    const { kind, value: bits } = this.current;
    if (kind !== 'number' || isDotted(this.#written(this.current))) {
      return this.#complain(
        'a prefix length expected',
        'Write the number of leading bits that count, as in 10.0.0.0/8',
      );
    }
    this.at++;
    const range = prefixRange(value, written, bits);
    return isComplaint(range) ? this.#complainAt(slash - address.length, range) : range;
  }

  #isWithin(range: ValueRange, subject: Subject, start: number): boolean {
    const complaint = checkRange(range, fieldOfSubject(subject));
    if (complaint !== null) this.#complainAt(start, complaint);
    return complaint === null;
  }

  #parseMasked({ subject, mask }: Operand, negated: boolean): TestNode | null {
    const field = fieldOfSubject(subject);
    const comparison = this.parseComparison(subject.start);
    if (comparison === null || mask === null) return null;
    const isBare = comparison.valueStart === subject.start;
    if (comparison.negative || comparison.value > maskLimit(field)) {
      const sentence = `${field.name} never has this number behind a mask`;
      return this.#complainAt(comparison.valueStart, {
        sentence,
        hint: 'Write a number of the same size',
      });
    }
    if (isBare && field.format === 'ipv6' && isDotted(mask.written)) {
      const hint = `Compare it with an address: ${field.name} & ${mask.written} == 0.0.0.0`;
      return this.#complainAt(mask.start, { sentence: 'an IPv4 mask alone is no test', hint });
    }
    const value = maskedValue(comparison.value, field);
    const test = this.testOf(subject, { ...comparison, value }, negated);
    return { ...test, mask: maskOf(mask.value, mask.written, field) };
  }

  #parseName({ subject }: Operand, negated: boolean): TestNode | null {
    const operator = operatorOf(this.current.kind);
    if (operator !== '=' && operator !== '!=') {
      return this.#complain(
        '"==", "!=" or "in" and a name expected',
        'Write: processName == "curl"',
      );
    }
    this.at++;
    const valueStart = this.current.start;
    const value = this.#parseString();
    if (value === null) return null;
    const comparison: Comparison = { operator, negative: false, value, valueStart };
    return this.testOf(subject, comparison, negated);
  }

  /** The words of a process name as a number. */
  #parseString(): bigint | null {
    if (!this.is('string')) {
      return this.#complain('a name in quotation marks expected', 'Write: processName == "curl"');
    }
    const written = this.#written(this.current);
    const name = written.slice(1, -1).replace(/\\(["\\])/g, '$1');
    const shown = JSON.stringify(truncatedName(name));
    if (name === '' || name.includes('\0')) {
      return this.#complain('no process has this name', 'Write: processName == "curl"');
    }
    if (nameBytes(name) > MAX_NAME_BYTES) {
      const sentence = `the kernel keeps ${MAX_NAME_BYTES} bytes of a process name`;
      return this.#complain(`${sentence}, ${written} has ${nameBytes(name)}`, `Write: ${shown}`);
    }
    this.at++;
    return bigintOf(encodeProcessName(name));
  }

  #parseMembership({ subject, mask }: Operand, isMember: boolean): FilterNode | null {
    if (mask !== null) {
      return this.#complain('a masked field is compared, not looked up', 'Use == or != and "or"');
    }
    const field = fieldOfSubject(subject);
    if (subject.field === FIELD.zero)
      return this.#complain('a constant is in no set', 'Leave it out');
    if (this.is('set')) return this.#parseNamedSet(subject, isMember);
    if (!this.#take('{')) {
      return this.#complain('"{" or "@name" expected', `Write: ${field.name} in { … }`);
    }
    const ranges: ValueRange[] = [];
    do {
      if (this.is('}') && ranges.length > 0) break;
      const range = this.#parseMember(subject);
      if (range === null) return null;
      ranges.push(range);
    } while (this.#take(','));
    if (!this.#take('}'))
      return this.#complain('"," or "}" expected', 'Members are separated by commas');
    return rangesNode(this.#place(subject), ranges, isMember);
  }

  #parseNamedSet(subject: Subject, isMember: boolean): FilterNode | null {
    const name = this.#written(this.current).slice(1);
    const members = Object.hasOwn(this.#sets, name) ? this.#sets[name] : undefined;
    const field = fieldOfSubject(subject);
    if (members === undefined) {
      return this.#complain(
        `there is no set ${name}`,
        `Give it along: { sets: { ${name}: new FilterSet(…) } }`,
      );
    }
    if (field.low < 0n || field.format === 'name' || field.format === 'flag') {
      return this.#complain(
        `${field.name} cannot be looked up in a named set`,
        'Write the members between braces',
      );
    }
    this.at++;
    return setNode(this.#place(subject), { name, members }, isMember);
  }

  /** A value, a range or a prefix. */
  #parseMember(subject: Subject): ValueRange | null {
    const field = fieldOfSubject(subject);
    if (field.format === 'name') {
      const name = this.#parseString();
      return name === null ? null : { low: name, high: name };
    }
    const { start } = this.current;
    const low = this.#parseNumber();
    if (low === null) return null;
    let range: ValueRange | null = { low, high: low };
    if (this.is('/') && isAddressField(field)) {
      range = this.#parsePrefix(low, this.#source.slice(start, this.current.start));
    } else if (this.#take('..')) {
      const high = this.#parseNumber();
      range = high === null ? null : { low, high };
    }
    return range !== null && this.#isWithin(range, subject, start) ? range : null;
  }

  #parseNumber(): bigint | null {
    const negative = this.#take('-');
    const { kind, value } = this.current;
    if (kind !== 'number') {
      return this.fail('unexpected-token', { kind: 'expected', what: 'number' });
    }
    this.at++;
    return negative ? -value : value;
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
