/**
 * What stands between braces, and the prefixes and masks of addresses, as numbers.
 *
 * @module
 */

import type { Field } from '../fields.ts';
import { wordsOf } from '../words.ts';
import type { ValueRange } from './range-set.ts';
import { hostMask, IPV4_PREFIX_BITS, prefixText, VALUE_BITS } from './set-entry.ts';

/** What is wrong, in words. */
export interface Complaint {
  readonly sentence: string;
  readonly hint: string;
}

const IPV4_MAPPED = 0xffff_0000_0000n;
const WORD = 0xffff_ffffn;
const UPPER_WORDS = ((1n << 128n) - 1n) ^ WORD;

/** Whether a number was written as an IPv4 address. */
export function isDotted(written: string): boolean {
  return written.includes('.') && !written.includes(':');
}

/** Whether a field holds addresses. */
export function isAddressField({ format }: Field): boolean {
  return format === 'ipv4' || format === 'ipv6';
}

/**
 * The addresses of a prefix.
 *
 * @param value - of the address in front of the slash
 * @param written - its text: a dotted one counts its bits from the IPv4 address's first
 * @param bits - the number behind the slash
 */
export function prefixRange(value: bigint, written: string, bits: bigint): ValueRange | Complaint {
  const base = isDotted(written) ? IPV4_PREFIX_BITS : 0;
  if (bits > BigInt(VALUE_BITS - base)) {
    const sentence = `a prefix of ${written} has at most ${VALUE_BITS - base} bits`;
    return { sentence, hint: 'Write the number of leading bits that count, as in 10.0.0.0/8' };
  }
  const length = base + Number(bits);
  const host = hostMask(length);
  if ((value & host) === 0n) return { low: value, high: value | host };
  const sentence = `${written}/${bits} has bits after its prefix`;
  return { sentence, hint: `Write: ${prefixText(wordsOf(value & ~host), length)}` };
}

/** Complains about a range that leaves the range of its field. */
export function checkRange(range: ValueRange, field: Field): Complaint | null {
  if (range.low > range.high) {
    return { sentence: 'the range ends before it begins', hint: 'Write the smaller number first' };
  }
  if (range.low >= field.low && range.high <= field.high) return null;
  if (field.format === 'ipv4') {
    return {
      sentence: `${field.name} is an IPv4 address`,
      hint: 'Write IPv4 addresses, as in 10.0.0.1',
    };
  }
  const sentence = `${field.name} is ${field.low} to ${field.high}`;
  return { sentence, hint: 'Write numbers of that range' };
}

/**
 * The mask of a field as all its words have it. A dotted mask is one of an IPv4 address: of the bits in front of it
 * all count.
 */
export function maskOf(value: bigint, written: string, field: Field): bigint {
  if (field.format === 'ipv4') return (value & WORD) | IPV4_MAPPED;
  return field.format === 'ipv6' && isDotted(written) ? (value & WORD) | UPPER_WORDS : value;
}

/** The number a masked field is compared with, as all its words have it. */
export function maskedValue(value: bigint, field: Field): bigint {
  return field.format === 'ipv4' && value <= WORD ? value | IPV4_MAPPED : value;
}

/** Most bits that a mask and its number may have. */
export function maskLimit(field: Field): bigint {
  if (field.format === 'ipv4') return IPV4_MAPPED | WORD;
  return (1n << BigInt(field.words * 32)) - 1n;
}
