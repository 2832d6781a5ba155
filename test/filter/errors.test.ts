import { describe, expect, test } from 'vitest';
import { compileFilter, FilterError, FilterSet, type Layer } from '../../src/filter/index.ts';
import { ERROR_TABLE, type ErrorRow } from './error-table.ts';

function errorOf(filter: string, layer: Layer = 'network'): FilterError {
  try {
    compileFilter(filter, layer);
  } catch (error) {
    if (error instanceof FilterError) return error;
    throw error;
  }
  throw new Error(`"${filter}" compiled`);
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function rendered(title: string, rows: readonly ErrorRow[]): string {
  const parts = rows.map(({ filter, layer }) => {
    const error = errorOf(filter, layer);
    return `${error.name} ${error.code} at ${error.position}: ${error.message}\n`;
  });
  return `=== ${title}\n\n${parts.join('\n')}`;
}

describe.each(Object.entries(ERROR_TABLE))('%s', (_title, rows) => {
  test.each(rows.map((row) => [shortened(row.filter), row] as const))('%s', (_name, row) => {
    const error = errorOf(row.filter, row.layer);
    expect({ code: error.code, position: error.position }).toEqual({
      code: row.code,
      position: row.position,
    });
    expect(error.message.split('\n')[0]).toContain(row.says);
    if (row.hint === undefined) expect(error.hint).toBeUndefined();
    else expect(error.hint).toContain(row.hint);
  });
});

test('every message as it is read', async () => {
  const texts = Object.entries(ERROR_TABLE).map(([title, rows]) => rendered(title, rows));
  await expect(texts.join('\n')).toMatchFileSnapshot('../golden/filter-errors.txt');
});

const SUGGESTION = /(?:[Ww]rite(?: the range)?|parentheses|right|bytes): (.*)$/;
const suggestions = Object.values(ERROR_TABLE)
  .flat()
  .flatMap(({ filter, layer }) => {
    const text = SUGGESTION.exec(errorOf(filter, layer).hint ?? '')?.[1] ?? '';
    return text.includes('(') || text.includes(' ')
      ? [{ text, layer: layer ?? 'network' } as const]
      : [];
  });

test.each(suggestions)('what a hint suggests compiles itself: $text', ({ text, layer }) => {
  expect(() => compileFilter(text, layer)).not.toThrow();
});

test('an error is a DivertError with all its parts', () => {
  const error = errorOf('tcp and nothing');
  expect(error).toMatchObject({
    name: 'FilterError',
    code: 'bad-token',
    position: 8,
    source: 'tcp and nothing',
    win32: 87,
  });
});

test('messages hold nothing that a terminal obeys', () => {
  const rows = ['tcp \u001b[31m', 'not (tcp\n or \u202eudp)', 'ip.Id in {\u001b, 1}', '\u0007'];
  for (const filter of rows) {
    const lines = errorOf(filter).message.split('\n');
    expect(lines.length).toBeLessThanOrEqual(4);
    for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  }
});

describe('arguments that are none', () => {
  const wrong =
    (...given: unknown[]) =>
    () =>
      Reflect.apply(compileFilter, undefined, given);
  test.each([
    ['a filter that is no string', wrong(5), TypeError, 'the filter must be a string, not number'],
    ['no filter', wrong(), TypeError, 'not undefined'],
    [
      'a layer that is no string',
      wrong('tcp', 1),
      TypeError,
      'the layer must be a name, not number',
    ],
    ['an unknown layer', wrong('tcp', 'ethernet'), RangeError, 'no layer "ethernet"'],
    ['an unknown dialect', wrong('tcp', 'network', { dialect: 'pcap' }), RangeError, 'no dialect'],
  ])('%s', (_name, call, type, message) => {
    expect(call).toThrow(type);
    expect(call).toThrow(message);
  });

  test('sets without the extended dialect', () => {
    const sets = { blocked: new FilterSet() };
    expect(() => compileFilter('tcp', 'network', { sets })).toThrow(TypeError);
  });
});
