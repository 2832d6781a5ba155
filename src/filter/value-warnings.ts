/**
 * Warnings about the constants that fields are compared with.
 *
 * @module
 */

import { formatIPv4Address } from '../packet/ip-text.ts';
import type { TestNode } from './ast.ts';
import { ALL_FIELDS } from './extended/fields.ts';
import { FIELD, type Field, type FieldHeader } from './fields.ts';
import { foldedOutcome } from './fold.ts';
import type { FilterWarning } from './warning.ts';

const HEADER_NAMES: Record<FieldHeader, string> = {
  ip: 'IPv4',
  ipv6: 'IPv6',
  icmp: 'ICMP',
  icmpv6: 'ICMPv6',
  tcp: 'TCP',
  udp: 'UDP',
};

const WORD_LIMIT = 1n << 32n;

/** The field of a test. */
export function fieldOf(test: TestNode): Field {
  const field = ALL_FIELDS[test.field];
  if (field === undefined) throw new RangeError(`no field has id ${test.field}`);
  return field;
}

/** Whether a test is one of the words `true`, `false` and `zero`. */
export function isConstant(test: TestNode): boolean {
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
function unfoldedWarning(test: TestNode): FilterWarning | null {
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

/**
 * The warnings about one test's constant.
 *
 * @param source - the filter the test stands in
 */
export function valueWarnings(test: TestNode, source: string): FilterWarning[] {
  const found = [foldingWarning(test, source), unfoldedWarning(test), addressWarning(test, source)];
  return found.filter((warning) => warning !== null);
}
