/**
 * Filter text to tokens. The whole text is read before any parsing, so a bad token wins over an
 * earlier syntax error.
 *
 * @module
 */

import type { FilterErrorCode } from '../errors.ts';
import type { Layer } from '../packet/address.ts';
import { parseIPv4Address, parseIPv6Address } from '../packet/ip-text.ts';
import { LAYER_BIT } from './fields.ts';
import { KEYWORDS, type Keyword } from './keywords.ts';
import type { FilterProblem, ProblemReason } from './problem.ts';
import { bigintOf } from './words.ts';

/** Kinds of tokens; operators are named as they are written. */
export type TokenKind =
  | 'field'
  | 'number'
  | 'byte'
  | 'macro'
  | 'true'
  | 'false'
  | 'and'
  | 'or'
  | 'not'
  | '('
  | ')'
  | '['
  | ']'
  | '?'
  | ':'
  | '-'
  | '='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'end'
  // Of the extended dialect only:
  | 'in'
  | '&'
  | '{'
  | '}'
  | ','
  | '/'
  | '..'
  | 'set'
  | 'string';

/** One token with its place in the source. */
export interface Token {
  readonly kind: TokenKind;
  readonly start: number;
  readonly end: number;
  /** Field id of a `field`, otherwise 0. */
  readonly field: number;
  /** Value of a `number`, otherwise 0. */
  readonly value: bigint;
}

/** What the lexer found: tokens with an `end`, or a problem. */
export interface TokenList {
  readonly tokens: readonly Token[];
  /** Offsets of stand-alone `b` words, which have no effect. */
  readonly dropped: readonly number[];
  readonly problem: FilterProblem | null;
}

const MAX_TOKENS = 1277;
/** Characters of a word, at most. */
export const MAX_WORD_LENGTH = 39;
const LIMIT_128_BITS = 1n << 128n;
/** `::ffff:0:0`, where IPv4 addresses live. */
const IPV4_MAPPED = 0xffff_0000_0000n;

const COLON = 0x3a;
const LETTER_B = 0x62;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;

/** Classes of characters. */
export const CLASS = { OTHER: 0, SPACE: 1, WORD: 2 } as const;
const WORD_CHARACTERS = '0123456789._:ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

function characterClasses(): Uint8Array {
  const classes = new Uint8Array(128);
  for (const space of ' \t\n\r\f\v') classes[space.charCodeAt(0)] = CLASS.SPACE;
  for (const letter of WORD_CHARACTERS) classes[letter.charCodeAt(0)] = CLASS.WORD;
  return classes;
}

const CLASSES: Uint8Array = characterClasses();

/** The class of a character. */
export function classOf(code: number): number {
  return CLASSES[code] ?? CLASS.OTHER;
}

/** Signs and what they mean, longer ones before those they start with. */
export const SIGNS: readonly (readonly [text: string, kind: TokenKind])[] = [
  ['(', '('],
  [')', ')'],
  ['[', '['],
  [']', ']'],
  ['?', '?'],
  ['-', '-'],
  ['==', '='],
  ['=', '='],
  ['!=', '!='],
  ['!', 'not'],
  ['<=', '<='],
  ['<', '<'],
  ['>=', '>='],
  ['>', '>'],
  ['&&', 'and'],
  ['||', 'or'],
];

function isDecimal(word: string, end: number): boolean {
  for (let at = 0; at < end; at++) {
    const code = word.charCodeAt(at);
    if (code < DIGIT_0 || code > DIGIT_9) return false;
  }
  return end > 0;
}

const HEX_NUMBER = /^0x[0-9A-Fa-f]*$/;

/** The value of a number or address without suffix, `null` when the word is neither. */
function numberOf(word: string): bigint | null {
  if (isDecimal(word, word.length)) return BigInt(word);
  if (HEX_NUMBER.test(word)) return word.length === 2 ? 0n : BigInt(word);
  const ipv4 = parseIPv4Address(word);
  if (ipv4 !== null) return IPV4_MAPPED | BigInt(ipv4);
  const ipv6 = parseIPv6Address(word);
  return ipv6 === null ? null : bigintOf(ipv6);
}

/** A word as a number. */
export interface NumberWord {
  /** `null` when it is none or has more than 128 bits. */
  readonly value: bigint | null;
  /** How many characters the number has, its suffix left out. */
  readonly digits: number;
  /** Whether `b` follows. */
  readonly suffixed: boolean;
}

/** Reads a number or address, and the suffix `b` of a decimal number. */
export function readNumber(word: string): NumberWord {
  const last = word.length - 1;
  const suffixed = word.charCodeAt(last) === LETTER_B && isDecimal(word, last);
  const value = suffixed ? BigInt(word.slice(0, last)) : numberOf(word);
  const isSmall = value !== null && value < LIMIT_128_BITS;
  return { value: isSmall ? value : null, digits: suffixed ? last : word.length, suffixed };
}

class Lexer {
  readonly tokens: Token[] = [];
  readonly dropped: number[] = [];
  problem: FilterProblem | null = null;
  private readonly source: string;
  private readonly layerBit: number;
  private at = 0;

  constructor(source: string, layer: Layer) {
    this.source = source;
    this.layerBit = LAYER_BIT[layer];
  }

  run(): void {
    const { source } = this;
    while (this.at < source.length && this.problem === null) {
      const code = source.charCodeAt(this.at);
      const kind = classOf(code);
      if (kind === CLASS.SPACE) this.at++;
      else if (kind === CLASS.OTHER) this.readSign();
      else if (code === COLON && source.charCodeAt(this.at + 1) !== COLON) this.push(':', 1);
      else this.readWord();
    }
    this.tokens.push({
      kind: 'end',
      start: source.length,
      end: source.length,
      field: 0,
      value: 0n,
    });
  }

  private push(kind: TokenKind, length: number, field = 0, value = 0n): void {
    const start = this.at;
    this.at += length;
    this.tokens.push({ kind, start, end: this.at, field, value });
    if (this.tokens.length > MAX_TOKENS) {
      this.fail('too-long', this.at, 0, { kind: 'token-limit' });
    }
  }

  private fail(
    code: FilterErrorCode,
    position: number,
    length: number,
    reason: ProblemReason,
  ): void {
    this.problem ??= { code, position, length, reason };
  }

  private readSign(): void {
    const sign = SIGNS.find(([text]) => this.source.startsWith(text, this.at));
    if (sign) this.push(sign[1], sign[0].length);
    else this.fail('bad-token', this.at, 1, { kind: 'character' });
  }

  private readWord(): void {
    const { source, at } = this;
    let end = at + 1;
    while (classOf(source.charCodeAt(end)) === CLASS.WORD) end++;
    if (end - at > MAX_WORD_LENGTH) {
      this.fail('bad-token', at, end - at, { kind: 'long-word' });
      return;
    }
    if (source.charCodeAt(end - 1) === COLON && source.charCodeAt(end - 2) !== COLON) end--;
    const word = source.slice(at, end);
    const keyword = KEYWORDS.get(word);
    if (keyword) this.pushKeyword(keyword, word.length);
    else if (word === 'b') this.drop();
    else this.pushNumber(word);
  }

  private drop(): void {
    this.dropped.push(this.at);
    this.at++;
  }

  private pushKeyword(keyword: Keyword, length: number): void {
    switch (keyword.kind) {
      case 'field':
        if ((keyword.layers & this.layerBit) === 0) {
          const reason = { kind: 'layer', field: keyword.field } as const;
          this.fail('bad-token-for-layer', this.at, length, reason);
        } else this.push('field', length, keyword.field);
        return;
      case 'number':
        this.push('number', length, 0, keyword.value);
        return;
      case 'event': {
        const found = keyword.values.find(({ layers }) => (layers & this.layerBit) !== 0);
        if (found) this.push('number', length, 0, found.value);
        else this.push('macro', length);
        return;
      }
      default:
        this.push(keyword.kind, length);
    }
  }

  private pushNumber(word: string): void {
    const { digits, value, suffixed } = readNumber(word);
    if (value === null) {
      this.fail('bad-token', this.at, word.length, { kind: 'word' });
      return;
    }
    this.push('number', digits, 0, value);
    if (suffixed) this.push('byte', 1);
  }
}

/**
 * Splits a filter into tokens.
 *
 * @param source - filter text, not an object string
 * @param layer - the layer whose fields and events are valid
 */
export function tokenize(source: string, layer: Layer): TokenList {
  const lexer = new Lexer(source, layer);
  lexer.run();
  return lexer;
}
