/**
 * Advice on what is compared: masks, strings, lists, ranges, other fields.
 *
 * @module
 */

import { FIELDS } from '../fields.ts';
import { KEYWORDS } from '../keywords.ts';
import { rangeText } from './address.ts';
import { comparisonBefore, FIELD_PATTERN, type HintRule } from './context.ts';

const MASKED = new RegExp(`\\(?\\s*(${FIELD_PATTERN})\\s*$`);
const MASK = /^\s*(0x[0-9a-fA-F]+|\d+)\s*\)?\s*(?:(==?|!=)\s*(0x[0-9a-fA-F]+|\d+))?/;

function widthOf(fieldText: string): bigint | null {
  const name = fieldText.replace(/\s*\[.*$/, '');
  return FIELDS.find((field) => field.name === name)?.high ?? null;
}

/** A mask of leading bits is a range: `(x & 0xc0) == 0x40` is `x >= 0x40 and x <= 0x7f`. */
function maskAsRange(field: string, mask: string, operator: string, value: string): string | null {
  const highest = widthOf(field);
  if (highest === null) return null;
  const rest = highest & ~BigInt(mask);
  const contiguous = (rest & (rest + 1n)) === 0n && (BigInt(mask) & highest) + rest === highest;
  if (!contiguous || (BigInt(value) & rest) !== 0n || BigInt(value) > highest) return null;
  const hex = (bits: bigint): string => `0x${bits.toString(16)}`;
  return rangeText(field, operator, hex(BigInt(value)), hex(BigInt(value) | rest));
}

/** `(udp.Payload[0] & 0xC0) == 0xC0`. */
export const maskHint: HintRule = ({ word, before, after }) => {
  if (word !== '&' && word !== '|' && word !== '^') return null;
  const field = MASKED.exec(before)?.[1];
  const [, mask, operator = '!=', value = '0'] = MASK.exec(after) ?? [];
  if (!field || !mask) return null;
  const range = word === '&' ? maskAsRange(field, mask, operator, value) : null;
  if (range !== null) return `There are no bit operations. Write: ${range}`;
  const flags = field.startsWith('tcp.') && !field.includes('[');
  const advice = flags
    ? 'Test the flags by name: tcp.Syn, tcp.Ack, tcp.Fin, tcp.Rst'
    : 'List the values that have those bits';
  return `There are no bit operations. ${advice}`;
};

/** A single `&` or `|` between tests. */
export const singleSignHint: HintRule = ({ word }) => {
  if (word === '&') return 'Write: and';
  return word === '|' ? 'Write: or' : null;
};

const CHARACTER_ADVICE: ReadonlyMap<string, string> = new Map([
  ['/', 'There is no arithmetic and there are no comments'],
  ['#', 'There are no comments in filters'],
  ['+', 'There is no arithmetic: write the result. Numbers have no plus sign'],
  ['*', 'There is no arithmetic and there are no wildcards'],
  ['%', 'There is no arithmetic'],
  ['^', 'There are no bit operations'],
  ['~', 'There are no bit operations'],
  ['{', 'Use parentheses'],
  ['}', 'Use parentheses'],
  [',', 'There are no lists. Join whole tests with or: (f == 1 or f == 2)'],
  [';', 'A filter is one expression. Join tests with and or or'],
  ['$', 'There are no variables'],
  ['@', 'An object string must start at the very first character'],
  ['\\', 'There are no escapes'],
  ['`', 'There are no strings'],
  ['\u00a0', 'This is a no-break space. Replace it with a plain one'],
  ['\u2013', 'This is a dash. A minus sign is -'],
  ['\u2212', 'This is a typographic minus. Write -'],
  ['\u2260', 'Write: !='],
  ['\u2264', 'Write: <='],
  ['\u2265', 'Write: >='],
  ['\ufeff', 'This is a byte order mark. Remove it'],
]);

/** Characters that a filter cannot have. */
export const characterHint: HintRule = ({ reason, word }) =>
  reason.kind === 'character' ? (CHARACTER_ADVICE.get(word) ?? null) : null;

const QUOTES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["'", "'"],
  ['\u201c', '\u201d'],
  ['\u2018', '\u2019'],
]);
const BYTES_PER_TEST = 4;

/** Tests for the bytes of a text at the start of the payload. */
function payloadTests(text: string, header: string): string {
  const bytes = new TextEncoder().encode(text);
  const tests: string[] = [];
  let at = 0;
  const add = (field: string, size: number): void => {
    let value = 0;
    for (const byte of bytes.subarray(at, at + size)) value = value * 256 + byte;
    tests.push(`${header}.${field}[${at}b] == 0x${value.toString(16).padStart(size * 2, '0')}`);
    at += size;
  };
  while (bytes.length - at >= BYTES_PER_TEST) add('Payload32', BYTES_PER_TEST);
  if (bytes.length - at >= 2) add('Payload16', 2);
  if (bytes.length - at >= 1) add('Payload', 1);
  return tests.join(' and ');
}

const MAX_QUOTED_BYTES = 32;
const PLAIN_VALUE = /^(?:\d+|0x[0-9a-fA-F]+|[0-9a-fA-F.:]*[.:][0-9a-fA-F.:]*)$/;

/** `"GET "`: bytes are compared as numbers. */
export const stringHint: HintRule = ({ reason, word, before, after }) => {
  const close = reason.kind === 'character' ? QUOTES.get(word) : undefined;
  if (close === undefined) return null;
  const text = after.slice(0, Math.max(0, after.indexOf(close)));
  if (PLAIN_VALUE.test(text)) return `Write it without quotes: ${text}`;
  if (KEYWORDS.has(text)) return `Write it without quotes: ${text}`;
  const compared = comparisonBefore(before)?.field;
  if (compared && !/^(?:packet|tcp\.Payload|udp\.Payload)\d*(?:\s*\[|$)/.test(compared)) {
    return 'There are no strings. Write a number or an address';
  }
  const header = compared?.startsWith('udp.') ? 'udp' : 'tcp';
  if (text === '' || text.length > MAX_QUOTED_BYTES) {
    return 'There are no strings. Compare payload bytes as numbers, as in tcp.Payload32[0] == 0x47455420';
  }
  return `There are no strings. Compare the bytes: ${payloadTests(text, header)}`;
};

const LIST = /^\s*[({[]?([^)}\]]*)[)}\]]?/;
const LISTED_RANGE = /^(.+?)(?:\.\.|-)(.+)$/;

/** `tcp.DstPort in {80, 443}`. */
export const listHint: HintRule = ({ word, before, after }) => {
  if (word !== 'in') return null;
  const field = new RegExp(`(${FIELD_PATTERN})\\s*$`).exec(before)?.[1];
  const items = (LIST.exec(after)?.[1] ?? '').split(/[\s,]+/).filter((item) => item !== '');
  if (!field || items.length === 0) return 'There is no "in". Write: (f == 1 or f == 2)';
  const tests = items.map((item) => {
    const [, low, high] = LISTED_RANGE.exec(item) ?? [];
    return low && high ? rangeText(field, '==', low, high) : `${field} == ${item}`;
  });
  const joined = tests.join(' or ');
  return `There is no "in". Write: ${tests.length > 1 ? `(${joined})` : joined}`;
};

const NUMBER_BEFORE = new RegExp(`(${FIELD_PATTERN})\\s*(==?|!=)\\s*([0-9][0-9A-Fa-fx.:]*)\\s*$`);
const NUMBER_AFTER = /^\s*([0-9][0-9A-Fa-fx.:]*)/;
const LIST_AFTER = /^\s*[0-9][0-9A-Fa-fx.:]*(?:\s*,\s*[0-9][0-9A-Fa-fx.:]*)*/;

/** `tcp.DstPort == 80,443`. */
export const commaHint: HintRule = ({ word, before, after }) => {
  const [, field, operator, first] = NUMBER_BEFORE.exec(before) ?? [];
  const rest = LIST_AFTER.exec(after)?.[0].split(',');
  if (word !== ',' || !field || !operator || !first || !rest) return null;
  const tests = [first, ...rest].map((value) => `${field} ${operator} ${value.trim()}`);
  const joined = tests.join(operator === '!=' ? ' and ' : ' or ');
  return `There are no lists. Write: (${joined})`;
};

const WORD_RANGE = /^(\d+)(?:\.\.+|:)(\d+)$/;

/** `tcp.DstPort == 80-90`, `80..90`, `80:90`. */
export const rangeHint: HintRule = ({ word, before, after }) => {
  const [, low, high] = WORD_RANGE.exec(word) ?? [];
  const comparison = comparisonBefore(before);
  if (low && high && comparison) {
    return `There are no ranges. Write: ${rangeText(comparison.field, comparison.operator, low, high)}`;
  }
  const [, field, operator, first] = NUMBER_BEFORE.exec(before) ?? [];
  const last = NUMBER_AFTER.exec(after)?.[1];
  if (word !== '-' || !field || !operator || !first || !last) return null;
  return `There are no ranges. Write: ${rangeText(field, operator, first, last)}`;
};

const FIELD_BEFORE_INDEX = /([A-Za-z.]+)\d*\s*\[\s*$/;

/** `tcp.Payload[0:4]`: elements of two and four bytes have fields of their own. */
export const sliceHint: HintRule = ({ word, before }) => {
  const field = FIELD_BEFORE_INDEX.exec(before)?.[1];
  const [, start] = /^(\d+):\d+$/.exec(word) ?? [];
  if (!field || !start) return null;
  const whole = KEYWORDS.has(`${field}32`) ? field : 'tcp.Payload';
  return `There are no slices. ${whole}16[${start}b] has two bytes, ${whole}32[${start}b] four`;
};

/** `0X1F`, `1f`, `1_000`, `1.2.3`. */
export const numberHint: HintRule = ({ reason, word, before }) => {
  if (reason.kind !== 'word') return null;
  if (/^0X[0-9A-Fa-f]*$/.test(word)) return `Write the prefix in lower case: 0x${word.slice(2)}`;
  if (/^\d[\d_]*_[\d_]*$/.test(word))
    return `Write it without separators: ${word.replaceAll('_', '')}`;
  if (/^[0-9A-Fa-f]*\d[0-9A-Fa-f]*$/.test(word) && comparisonBefore(before)) {
    return word.length > 30
      ? 'Numbers end at 2^128 - 1'
      : `Hexadecimal numbers start with 0x: 0x${word}`;
  }
  if (/^\d+(?:\.\d+)+$/.test(word)) return 'An IPv4 address has four parts of 0 to 255';
  if (/^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/.test(word)) return 'This is not a complete IPv6 address';
  return null;
};
