/**
 * IPv4 and IPv6 addresses as text, exactly as `WinDivertHelperParseIPv4Address`,
 * `WinDivertHelperParseIPv6Address` and their formatters read and write them. Filters use the same
 * parser. The reader differs from RFC 4291 in a few odd places; the comments name them.
 *
 * @module
 */

import { itemAt } from './bytes.ts';

const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const DOT = 0x2e;
const COLON = 0x3a;

const IPV4_PARTS = 4;
const IPV6_GROUPS = 8;
const IPV6_GROUP_DIGITS = 4;
/** An IPv4 tail may follow when fewer groups than this stand before the `::`. */
const IPV4_TAIL_GROUPS = 6;
const IPV4_MAPPED = 0xffff;

/**
 * Reads a dotted IPv4 address.
 *
 * Exactly four decimal parts. Each is taken modulo 2^32 before it is held against 255
 * (`4294967297.0.0.1` is `1.0.0.1`) and may have leading zeros, which do not mean octal.
 *
 * @param text - the address and nothing else
 * @returns the address in host order (`1.2.3.4` is 0x01020304), or null when it is none
 */
export function parseIPv4Address(text: string): number | null {
  let address = 0;
  let at = 0;
  for (let part = 1; part <= IPV4_PARTS; part++) {
    const first = at;
    let value = 0;
    let code = text.charCodeAt(at);
    while (code >= DIGIT_0 && code <= DIGIT_9) {
      value = (value * 10 + code - DIGIT_0) % 0x1_0000_0000;
      code = text.charCodeAt(++at);
    }
    if (at === first || value > 0xff) return null;
    address = address * 0x100 + value;
    if (part === IPV4_PARTS) break;
    if (code !== DOT) return null;
    at++;
  }
  return at === text.length ? address : null;
}

/**
 * Writes an IPv4 address in dotted form.
 *
 * @param address - in host order; only the low 32 bits count
 */
export function formatIPv4Address(address: number): string {
  return `${(address >>> 24) & 0xff}.${(address >>> 16) & 0xff}.${(address >>> 8) & 0xff}.${address & 0xff}`;
}

/**
 * Reads an IPv6 address.
 *
 * Oddities kept from the original: `::` may stand for no group at all; what follows the colon after
 * the eighth group is ignored; with an IPv4 tail all other groups must be zero, but for `ffff` just
 * before it, and a bare IPv4 address is accepted as `::a.b.c.d`. No zone, prefix or brackets.
 *
 * @param text - the address and nothing else
 * @returns four 32-bit words, the least significant first, or null when it is no address
 */
export function parseIPv6Address(text: string): [number, number, number, number] | null {
  const reader: GroupReader = { text, at: 0, left: [], right: [], elided: false, ended: false };
  for (let round = 1; round <= IPV6_GROUPS && !reader.ended; round++) {
    if (!readElision(reader, round)) return null;
    if (reader.ended) break;
    const tail = readTail(reader);
    if (tail !== null) return joinTail(reader, tail);
    if (!readGroup(reader, round)) return null;
  }
  return joinGroups(reader);
}

/** Where the reader is, and the groups before and after the `::`. */
interface GroupReader {
  readonly text: string;
  at: number;
  readonly left: number[];
  readonly right: number[];
  elided: boolean;
  ended: boolean;
}

/** Reads the `::` if there is one. Behind a group its own colon is read already: one more makes it. */
function readElision(reader: GroupReader, round: number): boolean {
  const { text, at } = reader;
  if (text.charCodeAt(at) !== COLON) return true;
  const colons = round === 1 ? 2 : 1;
  if (reader.elided || !text.startsWith('::', at + colons - 2)) return false;
  reader.elided = true;
  reader.at += colons;
  reader.ended = reader.at === text.length;
  return true;
}

function readTail(reader: GroupReader): number | null {
  if (reader.left.length >= IPV4_TAIL_GROUPS) return null;
  return parseIPv4Address(reader.text.slice(reader.at));
}

/** Reads one group and the colon or the end behind it. */
function readGroup(reader: GroupReader, round: number): boolean {
  const { text, at } = reader;
  const digits = countHexDigits(text, at);
  if (digits === 0) return false;
  const groups = reader.elided ? reader.right : reader.left;
  groups.push(Number.parseInt(text.slice(at, at + digits), 16));
  reader.at += digits;
  reader.ended = reader.at === text.length;
  if (reader.ended) return reader.elided || round === IPV6_GROUPS;
  return text.charCodeAt(reader.at++) === COLON;
}

function countHexDigits(text: string, at: number): number {
  let digits = 0;
  while (digits < IPV6_GROUP_DIGITS && isHexDigit(text.charCodeAt(at + digits))) digits++;
  return digits;
}

function isHexDigit(code: number): boolean {
  const lower = code | 0x20;
  return (code >= DIGIT_0 && code <= DIGIT_9) || (lower >= 0x61 && lower <= 0x66);
}

function joinGroups({ left, right }: GroupReader): [number, number, number, number] {
  const groups = new Array<number>(IPV6_GROUPS).fill(0);
  left.forEach((group, index) => {
    groups[index] = group;
  });
  right.forEach((group, index) => {
    groups[IPV6_GROUPS - right.length + index] = group;
  });
  const word = (index: number): number =>
    itemAt(groups, 6 - 2 * index) * 0x1_0000 + itemAt(groups, 7 - 2 * index);
  return [word(0), word(1), word(2), word(3)];
}

function joinTail(
  { left, right }: GroupReader,
  tail: number,
): [number, number, number, number] | null {
  // Seven groups after the `::` leave no room for the tail.
  if (right.length > IPV4_TAIL_GROUPS || left.some((group) => group !== 0)) return null;
  const mapped = right.at(-1) === IPV4_MAPPED;
  const before = mapped ? right.slice(0, -1) : right;
  if (before.some((group) => group !== 0)) return null;
  return [tail, mapped ? IPV4_MAPPED : 0, 0, 0];
}

/**
 * Writes an IPv6 address: lower case, the leftmost longest run of zero groups (even of one) as `::`.
 * An IPv4-mapped address is written as plain dotted IPv4.
 *
 * @param words - four 32-bit words, the least significant first
 */
export function formatIPv6Address(words: ArrayLike<number>): string {
  if (itemAt(words, 1) === IPV4_MAPPED && itemAt(words, 2) === 0 && itemAt(words, 3) === 0) {
    return formatIPv4Address(itemAt(words, 0));
  }
  const groups: number[] = [];
  for (let index = 3; index >= 0; index--) {
    const word = itemAt(words, index);
    groups.push((word >>> 16) & 0xffff, word & 0xffff);
  }
  const [start, length] = longestZeroRun(groups);
  const hex = (part: readonly number[]): string =>
    part.map((group) => group.toString(16)).join(':');
  if (length === 0) return hex(groups);
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

function longestZeroRun(groups: readonly number[]): [start: number, length: number] {
  let bestStart = 0;
  let bestLength = 0;
  let length = 0;
  groups.forEach((group, index) => {
    length = group === 0 ? length + 1 : 0;
    if (length > bestLength) {
      bestLength = length;
      bestStart = index - length + 1;
    }
  });
  return [bestStart, bestLength];
}
