/**
 * Decision graph to text of the extended dialect, which compiles to an equivalent filter again.
 *
 * @module
 */

import type { Layer } from '../../packet/address.ts';
import { decompile } from '../decompile.ts';
import type { Field } from '../fields.ts';
import { TextWriter, testText, valueText } from '../format.ts';
import type { FilterTest } from '../graph.ts';
import { type Words, wordsOf } from '../words.ts';
import { ALL_FIELDS } from './fields.ts';
import { decodeProcessName } from './process-name.ts';
import { hasObject } from './properties.ts';
import type { ValueRange } from './range-set.ts';
import { hostMask, IPV4_PREFIX_BITS, isIPv4, prefixText, VALUE_BITS } from './set-entry.ts';
import { simplify } from './simplify.ts';
import type { TestSet } from './test-set.ts';

function fieldOf(test: FilterTest): Field {
  const field = ALL_FIELDS[test.field];
  if (field === undefined) throw new RangeError(`no field has id ${test.field}`);
  return field;
}

function nameText(words: Words): string {
  return `"${decodeProcessName(words).replace(/["\\]/g, '\\$&')}"`;
}

/** Text of one value of a field. */
function memberText(value: bigint, field: Field, layer: Layer): string {
  const words = wordsOf(value);
  return field.format === 'name' ? nameText(words) : valueText(words, field, layer);
}

/** Length of the prefix that a range is, `null` for others. */
function prefixLength({ low, high }: ValueRange): number | null {
  const host = low ^ high;
  const isPrefix = (host & (host + 1n)) === 0n && (low & host) === 0n;
  if (!isPrefix || host === 0n) return null;
  let length = VALUE_BITS;
  while (hostMask(length) < host) length--;
  // A dotted address has no shorter one.
  return isIPv4(wordsOf(low)) && length < IPV4_PREFIX_BITS ? null : length;
}

function rangeText(range: ValueRange, field: Field, layer: Layer): string {
  const { low, high } = range;
  const isAddress = field.format === 'ipv4' || field.format === 'ipv6';
  const length = isAddress ? prefixLength(range) : null;
  if (length !== null) return prefixText(wordsOf(low), length);
  const first = memberText(low, field, layer);
  return low === high ? first : `${first}..${memberText(high, field, layer)}`;
}

function setText({ name, members }: TestSet, field: Field, layer: Layer): string {
  if (name !== null || !('ranges' in members)) return `@${name}`;
  return `{ ${members.ranges.map((range) => rangeText(range, field, layer)).join(', ')} }`;
}

/** Text of one test of the extended dialect. */
export function extendedTestText(test: FilterTest, layer: Layer): string {
  const field = fieldOf(test);
  const { operator, value, mask, set, index } = test;
  const subject = field.indexed === undefined ? field.name : `${field.name}[${index}b]`;
  if (set !== undefined) {
    return `${subject} ${operator === '=' ? 'in' : 'not in'} ${setText(set, field, layer)}`;
  }
  if (mask !== undefined) {
    const bits = maskText(mask, field, layer);
    return `${subject} & ${bits} ${operator} ${valueText(value, inHex(field), layer)}`;
  }
  if (field.format === 'name') return `${subject} ${operator} ${nameText(value)}`;
  // What WinDivert's text loses: signs of bytes and flags, and bits that bytes do not have.
  const isWhole = !test.negative && value[1] === 0 && value[2] === 0 && value[3] === 0;
  if (isWhole || (field.format !== 'flag' && field.indexed === undefined)) {
    return testText(test, layer);
  }
  const decimal = valueText(value, { ...field, format: 'decimal' }, layer);
  return `${subject} ${operator} ${test.negative ? '-' : ''}${decimal}`;
}

/** Bits are read more easily in hexadecimal. */
function inHex(field: Field): Field {
  return field.format === 'ipv4' || field.format === 'ipv6' ? field : { ...field, format: 'hex' };
}

/** A mask with all upper bits stands for an IPv4 mask, and only that is printed dotted. */
function maskText(mask: Words, field: Field, layer: Layer): string {
  const [w0, w1, w2, w3] = mask;
  const ones = 0xffff_ffff;
  if (field.format !== 'ipv6') return valueText(mask, inHex(field), layer);
  const isDotted = w1 === ones && w2 === ones && w3 === ones;
  if (isDotted) return valueText([w0, 0xffff, 0, 0], field, layer);
  // Where it would be printed as an IPv4 address, it would be read as an IPv4 mask.
  return isIPv4(mask)
    ? valueText(mask, { ...field, format: 'hex' }, layer)
    : valueText(mask, field, layer);
}

/** Characters of a remark: sets may be long. */
const MAX_REMARK = 100;

/** Text of a test of any dialect, for listings. */
export function remarkOf(test: FilterTest, layer: Layer): string {
  if (hasObject([test])) return testText(test, layer);
  const text = extendedTestText(test, layer);
  return text.length > MAX_REMARK ? `${text.slice(0, MAX_REMARK)}…` : text;
}

class ExtendedWriter extends TextWriter {
  protected override testText(test: FilterTest): string {
    return extendedTestText(test, this.layer);
  }

  /** A colon right behind an address would be taken for a part of it. */
  protected override writeColon(): void {
    this.text += this.text.endsWith(':') ? ' : ' : ': ';
  }
}

/**
 * Prints a filter of the extended dialect.
 *
 * @throws {@link DivertError} `insufficient-buffer` when the text would be longer than 1 MiB
 */
export function formatExtended(tests: readonly FilterTest[], layer: Layer): string {
  const writer = new ExtendedWriter(layer);
  writer.write(simplify(decompile(tests)), null);
  return writer.text;
}
