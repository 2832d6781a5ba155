/**
 * The right sides of tests of the extended dialect: numbers, prefixes, names and members of sets.
 *
 * @module
 */

import type { Token } from '../lexer.ts';
import { Parser, type Subject } from '../parser.ts';
import { bigintOf } from '../words.ts';
import { type Complaint, checkRange, isAddressField, isDotted, prefixRange } from './members.ts';
import { fieldOfSubject, type Place } from './membership.ts';
import { encodeProcessName, MAX_NAME_BYTES, nameBytes, truncatedName } from './process-name.ts';
import type { ValueRange } from './range-set.ts';

function isComplaint(found: ValueRange | Complaint): found is Complaint {
  return 'sentence' in found;
}

/** Parses values. */
export class ValueParser extends Parser {
  protected readonly source: string;

  constructor(tokens: readonly Token[], source: string) {
    super(tokens);
    this.source = source;
  }

  protected take(kind: Token['kind']): boolean {
    if (!this.is(kind)) return false;
    this.at++;
    return true;
  }

  protected written({ start, end }: Token): string {
    return this.source.slice(start, end);
  }

  /** Refuses the current token. */
  protected complain(sentence: string, hint: string): null {
    return this.fail('unexpected-token', { kind: 'stated', sentence, hint });
  }

  /** Refuses what stands from a place up to the current token. */
  protected complainAt(start: number, { sentence, hint }: Complaint): null {
    const end = this.tokens[this.at - 1]?.end ?? start;
    this.problem = {
      code: 'unexpected-token',
      position: start,
      length: end - start,
      reason: { kind: 'stated', sentence, hint },
    };
    return null;
  }

  protected place(subject: Subject): Place {
    return { subject, end: this.tokens[this.at - 1]?.end ?? subject.start };
  }

  /** What follows the address, from the slash on. */
  protected parsePrefix(value: bigint, address: string): ValueRange | null {
    const written = address.trim();
    const slash = this.current.start;
    this.at++;
    const { kind, value: bits } = this.current;
    if (kind !== 'number' || isDotted(this.written(this.current))) {
      return this.complain(
        'a prefix length expected',
        'Write the number of leading bits that count, as in 10.0.0.0/8',
      );
    }
    this.at++;
    const range = prefixRange(value, written, bits);
    return isComplaint(range) ? this.complainAt(slash - address.length, range) : range;
  }

  protected isWithin(range: ValueRange, subject: Subject, start: number): boolean {
    const complaint = checkRange(range, fieldOfSubject(subject));
    if (complaint !== null) this.complainAt(start, complaint);
    return complaint === null;
  }

  /** The words of a process name as a number. */
  protected parseString(): bigint | null {
    if (!this.is('string')) {
      return this.complain('a name in quotation marks expected', 'Write: processName == "curl"');
    }
    const written = this.written(this.current);
    const name = written.slice(1, -1).replace(/\\(["\\])/g, '$1');
    const shown = JSON.stringify(truncatedName(name));
    if (name === '' || name.includes('\0')) {
      return this.complain('no process has this name', 'Write: processName == "curl"');
    }
    if (nameBytes(name) > MAX_NAME_BYTES) {
      const sentence = `the kernel keeps ${MAX_NAME_BYTES} bytes of a process name`;
      return this.complain(`${sentence}, ${written} has ${nameBytes(name)}`, `Write: ${shown}`);
    }
    this.at++;
    return bigintOf(encodeProcessName(name));
  }

  /** A value, a range or a prefix. */
  protected parseMember(subject: Subject): ValueRange | null {
    const field = fieldOfSubject(subject);
    if (field.format === 'name') {
      const name = this.parseString();
      return name === null ? null : { low: name, high: name };
    }
    const { start } = this.current;
    const low = this.parseNumber();
    if (low === null) return null;
    let range: ValueRange | null = { low, high: low };
    if (this.is('/') && isAddressField(field)) {
      range = this.parsePrefix(low, this.source.slice(start, this.current.start));
    } else if (this.take('..')) {
      const high = this.parseNumber();
      range = high === null ? null : { low, high };
    }
    return range !== null && this.isWithin(range, subject, start) ? range : null;
  }

  protected parseNumber(): bigint | null {
    const negative = this.take('-');
    const { kind, value } = this.current;
    if (kind !== 'number') {
      return this.fail('unexpected-token', { kind: 'expected', what: 'number' });
    }
    this.at++;
    return negative ? -value : value;
  }
}
