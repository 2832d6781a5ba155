/**
 * Members of filter sets: values and prefixes in one space of 128 bits. As everywhere in the filter language
 * an IPv4 address is `::ffff:a.b.c.d`, and a number is the address of that value.
 *
 * @module
 */

import {
  formatIPv4Address,
  formatIPv6Address,
  parseIPv4Address,
  parseIPv6Address,
} from '../../packet/ip-text.ts';
import { bigintOf, type Words, wordsOf } from '../words.ts';

/** What can be a member: an address, a prefix (`10.0.0.0/8`) or a number, as text or as itself. */
export type FilterSetEntry = string | number | bigint;

/** A member as numbers. Bits after the prefix are zero. */
export interface SetEntry {
  /** Least significant first. */
  readonly words: Words;
  /** Of the prefix in bits, 128 for a single value. */
  readonly length: number;
}

/** Bits of a value. */
export const VALUE_BITS = 128;
/** Bits in front of the 32 of an IPv4 address. */
export const IPV4_PREFIX_BITS = 96;
const IPV4_MAPPED_WORD = 0xffff;
const LIMIT = 1n << 128n;

/** The words of an address, `null` for other text. */
export function addressWords(text: string): Words | null {
  const ipv4 = parseIPv4Address(text);
  return ipv4 === null ? parseIPv6Address(text) : [ipv4, IPV4_MAPPED_WORD, 0, 0];
}

/** Whether words are those of an IPv4 address. */
export function isIPv4(words: Words): boolean {
  return words[1] === IPV4_MAPPED_WORD && words[2] === 0 && words[3] === 0;
}

/** The bits of a value that are not in a prefix of `length` bits. */
export function hostMask(length: number): bigint {
  return (1n << BigInt(VALUE_BITS - length)) - 1n;
}

/** Text of an address: IPv4 where it is one. */
export function addressText(words: Words): string {
  return isIPv4(words) ? formatIPv4Address(words[0]) : formatIPv6Address(words);
}

/** Text of a prefix, `10.0.0.0/8` or `fe80::/10`. */
export function prefixText(words: Words, length: number): string {
  const ipv4 = isIPv4(words) && length >= IPV4_PREFIX_BITS;
  const address = ipv4 ? formatIPv4Address(words[0]) : formatIPv6Address(words);
  return `${address}/${ipv4 ? length - IPV4_PREFIX_BITS : length}`;
}

function refused(entry: FilterSetEntry, reason: string): RangeError {
  const shown = typeof entry === 'string' ? JSON.stringify(entry) : String(entry);
  return new RangeError(`filter set: ${shown} ${reason}`);
}

function valueEntry(entry: number | bigint): SetEntry {
  if (typeof entry === 'number' && !Number.isSafeInteger(entry)) {
    throw refused(entry, 'is no integer');
  }
  const value = BigInt(entry);
  if (value < 0n || value >= LIMIT) throw refused(entry, 'is not in the range of 0 to 2^128 - 1');
  return { words: wordsOf(value), length: VALUE_BITS };
}

function textEntry(text: string): SetEntry {
  const slash = text.indexOf('/');
  const words = addressWords(slash < 0 ? text : text.slice(0, slash));
  if (words === null) {
    if (/^\d+$/.test(text)) return valueEntry(BigInt(text));
    throw refused(text, 'is no address, no prefix and no number');
  }
  if (slash < 0) return { words, length: VALUE_BITS };
  const base = isIPv4(words) && !text.includes(':') ? IPV4_PREFIX_BITS : 0;
  const digits = text.slice(slash + 1);
  const length = base + Number(digits);
  if (!/^\d{1,3}$/.test(digits) || length > VALUE_BITS) {
    throw refused(text, `has no prefix length of 0 to ${VALUE_BITS - base}`);
  }
  const value = bigintOf(words);
  const network = value & ~hostMask(length);
  if (network === value) return { words, length };
  throw refused(text, `has bits after its prefix: write ${prefixText(wordsOf(network), length)}`);
}

/**
 * Reads a member.
 *
 * @throws RangeError for what is none, and for a prefix with bits behind it
 */
export function parseEntry(entry: FilterSetEntry): SetEntry {
  if (typeof entry === 'string') return textEntry(entry.trim());
  if (typeof entry === 'number' || typeof entry === 'bigint') return valueEntry(entry);
  throw new TypeError(`filter set: a member is a string or a number, not ${typeof entry}`);
}

const WORD_LIMIT = 0x1_0000_0000;

/** A member as callers read it: numbers of up to 53 bits as numbers, the rest as text. */
export function showEntry({ words, length }: SetEntry): string | number {
  if (length < VALUE_BITS) return prefixText(words, length);
  const [w0, w1, w2, w3] = words;
  const isNumber = w3 === 0 && w2 === 0 && w1 < 2 ** 21 && !isIPv4(words);
  return isNumber ? w1 * WORD_LIMIT + w0 : addressText(words);
}
