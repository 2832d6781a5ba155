/**
 * Advice on how a filter is put together.
 *
 * @module
 */

import { KEYWORDS } from '../keywords.ts';
import { comparisonBefore, FIELD_PATTERN, type HintRule } from './context.ts';

/** The text up to the parenthesis that closes the one just opened, `null` if none does. */
function groupText(after: string): string | null {
  let depth = 1;
  for (let at = 0; at < after.length; at++) {
    const character = after.charAt(at);
    if (character === '(') depth++;
    if (character === ')' && --depth === 0) return after.slice(0, at).trim();
  }
  return null;
}

const MAX_REWRITE = 120;
const SINGLE_TEST = new RegExp(`^${FIELD_PATTERN}(?:\\s*(?:==?|!=|<=?|>=?)\\s*-?\\s*[\\w.:]+)?$`);

/** `not (a or b)`: a ternary says it. */
export const notGroupHint: HintRule = ({ reason, after }) => {
  if (reason.kind !== 'not-group') return null;
  const group = groupText(after);
  if (group === null || group === '' || group.length > MAX_REWRITE) {
    return 'Write (…? false: true) around what is negated';
  }
  if (SINGLE_TEST.test(group)) return `Write: not ${group}`;
  return `Write: (${group}? false: true)`;
};

/** `===`, `=>`, `<>` and the like: the second sign stands where a number should. */
const SIGN_ADVICE: readonly (readonly [before: RegExp, sign: RegExp, write: string])[] = [
  [/[^!<>]=$/, /^=/, '=='],
  [/!=$/, /^=/, '!='],
  [/=$/, /^>/, '>='],
  [/=$/, /^</, '<='],
  [/<$/, /^>/, '!='],
  [/=$/, /^(?:!|not)/, '!='],
];

export const signHint: HintRule = ({ reason, word, before }) => {
  if (reason.kind !== 'expected' || reason.what !== 'number') return null;
  const left = before.trimEnd();
  const advice = SIGN_ADVICE.find(([first, second]) => first.test(left) && second.test(word));
  return advice ? `Write: ${advice[2]}` : null;
};

const NUMBER_MACRO_OF: ReadonlyMap<string, string> = new Map([
  ['tcp', 'TCP'],
  ['udp', 'UDP'],
  ['icmp', 'ICMP'],
  ['icmpv6', 'ICMPV6'],
]);

/** A word where a number belongs. */
export const comparisonHint: HintRule = ({ reason, word, before }) => {
  if (reason.kind !== 'expected' || reason.what !== 'number') return null;
  const field = comparisonBefore(before)?.field;
  if (field && (word === 'true' || word === 'false')) {
    const positive = (word === 'true') !== /!=\s*$/.test(before);
    return `Compare with 1 or 0, or write: ${positive ? field : `not ${field}`}`;
  }
  const macro = NUMBER_MACRO_OF.get(word);
  if (macro) return `Protocol numbers have upper-case names: ${macro}`;
  if (KEYWORDS.get(word)?.kind === 'field')
    return 'Two fields cannot be compared, only a field and a number';
  return word === '' ? 'Write a number or an address after the operator' : null;
};

const FLIPPED: ReadonlyMap<string, string> = new Map([
  ['<', '>'],
  ['<=', '>='],
  ['>', '<'],
  ['>=', '<='],
]);
const COMPARISON_AFTER = new RegExp(`^\\s*(==?|!=|<=?|>=?)\\s*(${FIELD_PATTERN})`);
const TEST_BEFORE_OR = new RegExp(
  `(${FIELD_PATTERN})\\s*(==?|!=|<=?|>=?)\\s*-?\\s*[\\w.:]+\\s*(or|and|\\|\\||&&)\\s*$`,
);

/** A number where a test belongs. */
export const numberAsTestHint: HintRule = ({ reason, word, before, after }) => {
  if (reason.kind !== 'expected' || reason.what !== 'test') return null;
  if (word === 'TRUE' || word === 'FALSE') {
    return `${word} is a number to compare with. Write: ${word.toLowerCase()}`;
  }
  const keyword = KEYWORDS.get(word)?.kind;
  if (keyword ? keyword !== 'number' : !/^[0-9A-Fa-f:]/.test(word)) return null;
  const [, sign, field] = COMPARISON_AFTER.exec(after) ?? [];
  if (sign && field)
    return `Numbers stand on the right: ${field} ${FLIPPED.get(sign) ?? sign} ${word}`;
  const [, repeated, operator, joint] = TEST_BEFORE_OR.exec(before) ?? [];
  if (repeated) return `Each side needs a whole test: … ${joint} ${repeated} ${operator} ${word}`;
  return 'A number alone is no test. Compare a field with it';
};

function unclosed(text: string): number {
  let depth = 0;
  for (const character of text) {
    if (character === '(') depth++;
    if (character === ')') depth--;
  }
  return depth;
}

/** Parentheses that do not pair, and ternaries without their own. */
export const parenthesisHint: HintRule = ({ source, reason, word, position }) => {
  if (reason.kind !== 'expected') return null;
  const open = unclosed(source.slice(0, position));
  if (word === '?') {
    const whole = source.trim();
    const inside = open === 0 && whole.length <= MAX_REWRITE;
    return `A ternary needs its own parentheses: ${inside ? `(${whole})` : '(a? b: c)'}`;
  }
  if (word === '' && open > 0) {
    return open === 1 ? 'A ")" is missing at the end' : `${open} ")" are missing at the end`;
  }
  if (word === ')' && open <= 0) return 'There is no "(" to this ")"';
  if (reason.what === 'colon') return 'A ternary has three parts: (a? b: c)';
  return null;
};

/** An index, or a whole filter, that is missing. */
export const missingHint: HintRule = ({ source, reason, before }) => {
  if (source.trim() === '') return 'Write true to match everything and false to match nothing';
  if (reason.kind !== 'expected' || reason.what !== 'bracket') return null;
  return `An index is needed: ${before
    .trimEnd()
    .split(/[^\w.]/)
    .at(-1)}[0]`;
};

/** What may be missing between two tests. */
export const joinHint: HintRule = ({ reason, word, before }) => {
  if (reason.kind !== 'expected' || (reason.what !== 'end' && reason.what !== 'close')) return null;
  if (word === '[') return 'This field has no index. Only packet and Payload fields have one';
  const keyword = KEYWORDS.get(word)?.kind;
  if (word === '(' || word === 'not' || word === '!' || keyword === 'field') {
    return 'Join tests with "and" or "or"';
  }
  if (keyword === 'number') return 'Compare with an operator, as in protocol == TCP';
  if (/^[0-9]/.test(word)) {
    return `Compare with an operator: ${before.trim().split(/\s+/).at(-1)} == ${word}`;
  }
  if (/^[=!<>]+$/.test(word) && before.trimEnd().endsWith(')')) {
    return 'Parentheses hold tests, not values: compare the field itself';
  }
  return null;
};
