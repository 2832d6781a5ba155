/**
 * Text of the extended dialect to tokens. Everything that WinDivert's lexer takes becomes the same tokens here;
 * besides there are braces, commas, ranges, prefixes, masks, names of sets and strings.
 *
 * @module
 */

import type { FilterErrorCode } from '../../errors.ts';
import type { Layer } from '../../packet/address.ts';
import { LAYER_BIT } from '../fields.ts';
import { KEYWORDS, type Keyword } from '../keywords.ts';
import {
  CLASS,
  classOf,
  MAX_WORD_LENGTH,
  readNumber,
  SIGNS,
  type Token,
  type TokenKind,
  type TokenList,
} from '../lexer.ts';
import type { FilterProblem, ProblemReason } from '../problem.ts';
import { EXTENDED_FIELD, findExtendedField, isExtendedName } from './fields.ts';

/** Enough for 100,000 members between braces. */
const MAX_TOKENS = 1 << 18;

const EXTENDED_SIGNS: readonly (readonly [text: string, kind: TokenKind])[] = [
  ...SIGNS,
  ['&', '&'],
  ['{', '{'],
  ['}', '}'],
  [',', ','],
  ['/', '/'],
];

const COLON = 0x3a;
const RANGE = '..';
const SET_NAME = /@[A-Za-z_][A-Za-z0-9_-]*/y;
/** A string with its quotes; `\"` and `\\` are the only escapes. */
const STRING = /"(?:[^"\\]|\\["\\])*"/y;

class ExtendedLexer {
  readonly tokens: Token[] = [];
  readonly dropped: number[] = [];
  problem: FilterProblem | null = null;
  private readonly source: string;
  private readonly layer: Layer;
  private at = 0;

  constructor(source: string, layer: Layer) {
    this.source = source;
    this.layer = layer;
  }

  run(): void {
    const { source } = this;
    while (this.at < source.length && this.problem === null) {
      const code = source.charCodeAt(this.at);
      const kind = classOf(code);
      if (kind === CLASS.SPACE) this.at++;
      else if (kind === CLASS.OTHER) this.readSign();
      else if (code === COLON && source.charCodeAt(this.at + 1) !== COLON) this.push(':', 1);
      else this.readWords();
    }
    const { length } = source;
    this.tokens.push({ kind: 'end', start: length, end: length, field: 0, value: 0n });
  }

  private push(kind: TokenKind, length: number, field = 0, value = 0n): void {
    const start = this.at;
    this.at += length;
    this.tokens.push({ kind, start, end: this.at, field, value });
    if (this.tokens.length > MAX_TOKENS) {
      const sentence = `the filter has more than ${MAX_TOKENS} tokens`;
      const hint = 'Put the members of a large set into a FilterSet, and write: field in @name';
      this.fail('too-long', this.at, 0, { kind: 'stated', sentence, hint });
    }
  }

  private fail(code: FilterErrorCode, position: number, length: number, reason: ProblemReason) {
    this.problem ??= { code, position, length, reason };
  }

  private match(pattern: RegExp): number {
    pattern.lastIndex = this.at;
    return pattern.exec(this.source)?.[0].length ?? 0;
  }

  private readSign(): void {
    const sign = EXTENDED_SIGNS.find(([text]) => this.source.startsWith(text, this.at));
    if (sign) {
      this.push(sign[1], sign[0].length);
      return;
    }
    const [kind, length] = this.source.startsWith('@', this.at)
      ? (['set', this.match(SET_NAME)] as const)
      : (['string', this.match(STRING)] as const);
    if (length > 0) this.push(kind, length);
    else this.failCharacter();
  }

  private failCharacter(): void {
    const character = this.source.charAt(this.at);
    const hint =
      character === '@'
        ? 'A set is named with a letter first, then letters, digits, _ and -: @blocked'
        : 'A string ends with a quotation mark; \\" and \\\\ stand for a quotation mark and a backslash in it';
    const reason: ProblemReason =
      character === '@' || character === '"'
        ? { kind: 'stated', sentence: `${character} begins no name here`, hint }
        : { kind: 'character' };
    this.fail('bad-token', this.at, 1, reason);
  }

  /** A run of word characters: one word, or two with `..` between them. */
  private readWords(): void {
    const { source, at } = this;
    let end = at + 1;
    while (classOf(source.charCodeAt(end)) === CLASS.WORD) end++;
    if (source.charCodeAt(end - 1) === COLON && source.charCodeAt(end - 2) !== COLON) end--;
    const run = source.slice(at, end);
    const range = run.indexOf(RANGE);
    // What WinDivert takes for an address is one here, even with dots behind it.
    if (range < 0 || readNumber(run).value !== null) {
      this.readWord(run);
      return;
    }
    if (range > 0) this.readWord(run.slice(0, range));
    this.push('..', RANGE.length);
    const rest = run.slice(range + RANGE.length);
    if (rest !== '' && this.problem === null) this.readWord(rest);
  }

  private readWord(word: string): void {
    const keyword = KEYWORDS.get(word);
    const field = findExtendedField(word, this.layer);
    if (word.length > MAX_WORD_LENGTH) {
      this.fail('bad-token', this.at, word.length, { kind: 'long-word' });
    } else if (field !== null) this.push('field', word.length, field);
    else if (keyword) this.pushKeyword(keyword, word.length);
    else if (isExtendedName(word)) this.failLayer(word);
    else if (word === 'in') this.push('in', word.length);
    else if (word === 'b') this.dropped.push(this.at++);
    else this.pushNumber(word);
  }

  private failLayer(word: string): void {
    const field = EXTENDED_FIELD[word as keyof typeof EXTENDED_FIELD];
    this.fail('bad-token-for-layer', this.at, word.length, { kind: 'layer', field });
  }

  private pushKeyword(keyword: Keyword, length: number): void {
    const bit = LAYER_BIT[this.layer];
    switch (keyword.kind) {
      case 'field':
        if ((keyword.layers & bit) === 0) {
          const reason = { kind: 'layer', field: keyword.field } as const;
          this.fail('bad-token-for-layer', this.at, length, reason);
        } else this.push('field', length, keyword.field);
        return;
      case 'number':
        this.push('number', length, 0, keyword.value);
        return;
      case 'event': {
        const found = keyword.values.find(({ layers }) => (layers & bit) !== 0);
        if (found) this.push('number', length, 0, found.value);
        else this.push('macro', length);
        return;
      }
      default:
        this.push(keyword.kind, length);
    }
  }

  private pushNumber(word: string): void {
    const { value, digits, suffixed } = readNumber(word);
    if (value === null) {
      this.fail('bad-token', this.at, word.length, { kind: 'word' });
      return;
    }
    this.push('number', digits, 0, value);
    if (suffixed) this.push('byte', 1);
  }
}

/**
 * Splits a filter of the extended dialect into tokens.
 *
 * @param source - filter text
 * @param layer - the layer whose fields and events are valid
 */
export function tokenizeExtended(source: string, layer: Layer): TokenList {
  const lexer = new ExtendedLexer(source, layer);
  lexer.run();
  return lexer;
}
