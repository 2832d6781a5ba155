/**
 * Decision graph to text, as `WinDivertHelperFormatFilter` prints it.
 *
 * @module
 */

import { DivertError } from '../errors.ts';
import type { Layer } from '../packet/address.ts';
import { formatIPv4Address, formatIPv6Address } from '../packet/ip-text.ts';
import { decompile, type Expression } from './decompile.ts';
import { ALL_FIELDS } from './extended/fields.ts';
import { EVENT_MACROS, type Field, LAYER_BIT, LAYER_MACROS } from './fields.ts';
import type { FilterTest } from './graph.ts';
import { bigintOf, type Words } from './words.ts';

/** Longest text that is written: graphs with shared parts can grow exponentially as text. */
const MAX_TEXT_LENGTH = 1 << 20;
const IPV4_MAPPED_WORD = 0xffff;

function isSmall([, w1, w2, w3]: Words): boolean {
  return w1 === 0 && w2 === 0 && w3 === 0;
}

function ipv6Text(words: Words): string {
  const [w0, w1, w2, w3] = words;
  const mapped = w3 === 0 && w2 === 0 && w1 === IPV4_MAPPED_WORD;
  return mapped ? formatIPv4Address(w0) : formatIPv6Address(words);
}

function eventText(id: number, layer: Layer): string | undefined {
  const event = EVENT_MACROS[id];
  return event && (event.layers & LAYER_BIT[layer]) !== 0 ? event.name : undefined;
}

/** Text of a constant that a field is compared with, without its sign. */
export function valueText(words: Words, field: Field, layer: Layer): string {
  const number = (): string => bigintOf(words).toString();
  switch (field.format) {
    case 'hex':
      return `0x${bigintOf(words).toString(16)}`;
    case 'ipv4':
      return formatIPv4Address(words[0]);
    case 'ipv6':
      return ipv6Text(words);
    case 'layer':
      return (isSmall(words) ? LAYER_MACROS[words[0]] : undefined) ?? number();
    case 'event':
      return (isSmall(words) ? eventText(words[0], layer) : undefined) ?? number();
    default:
      return number();
  }
}

/** Text of one test, e.g. `tcp.DstPort = 80` or `not udp`. */
export function testText(test: FilterTest, layer: Layer): string {
  const field = ALL_FIELDS[test.field];
  if (field === undefined) throw new RangeError(`no field has id ${test.field}`);
  const { operator, value } = test;
  const equality = operator === '=' || operator === '!=';
  if (field.format === 'flag' && equality && value[0] <= 1 && isSmall(value)) {
    return (value[0] === 1) === (operator === '=') ? field.name : `not ${field.name}`;
  }
  if (field.indexed !== undefined) {
    // One word and no sign, whatever the constant was written as: that is all WinDivert has left of it.
    return `${field.name}[${test.index}b] ${operator} 0x${value[0].toString(16)}`;
  }
  const sign = test.negative ? '-' : '';
  return `${field.name} ${operator} ${sign}${valueText(value, field, layer)}`;
}

/** Writes an expression as text. */
export class TextWriter {
  text = '';
  protected readonly layer: Layer;

  constructor(layer: Layer) {
    this.layer = layer;
  }

  write(expression: Expression, outer: 'and' | 'or' | null): void {
    if (this.text.length > MAX_TEXT_LENGTH) {
      throw new DivertError(
        'insufficient-buffer',
        `the filter is longer than ${MAX_TEXT_LENGTH} characters as text`,
        { hint: 'Its graph shares parts that text has to repeat. Keep it as an object string.' },
      );
    }
    switch (expression.kind) {
      case 'constant':
        this.text += expression.value;
        return;
      case 'test':
        this.text += this.testText(expression.test);
        return;
      case 'not':
        this.text += 'not (';
        this.write(expression.operand, null);
        this.text += ')';
        return;
      case 'ternary':
        this.writeTernary(expression);
        return;
      default:
        this.writeBinary(expression, outer);
    }
  }

  protected testText(test: FilterTest): string {
    return testText(test, this.layer);
  }

  private writeTernary(expression: Expression & { kind: 'ternary' }): void {
    this.text += '(';
    this.write(expression.condition, null);
    this.text += '? ';
    this.write(expression.success, null);
    this.writeColon();
    this.write(expression.failure, null);
    this.text += ')';
  }

  protected writeColon(): void {
    this.text += ': ';
  }

  private writeBinary(expression: Expression & { kind: 'and' | 'or' }, outer: string | null): void {
    const { kind, left, right } = expression;
    const enclosed = outer !== null && outer !== kind;
    if (enclosed) this.text += '(';
    this.write(left, kind);
    this.text += ` ${kind} `;
    this.write(right, kind);
    if (enclosed) this.text += ')';
  }
}

/**
 * Prints a filter.
 *
 * @param tests - 1 to 256 tests
 * @param layer - decides which event names are printed
 * @throws {@link DivertError} `insufficient-buffer` when the text would be longer than 1 MiB
 */
export function formatTests(tests: readonly FilterTest[], layer: Layer): string {
  const writer = new TextWriter(layer);
  writer.write(decompile(tests), null);
  return writer.text;
}
