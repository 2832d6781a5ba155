import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compileFilter, FilterError, formatFilter, type Layer } from '../../src/filter/index.ts';

interface Vector {
  readonly filter: string;
  readonly layer: Layer;
  readonly ok?: boolean;
  readonly object?: string;
  readonly formatted?: string;
  readonly formattedObject?: string;
  readonly error?: string;
  readonly position?: number | null;
  readonly cat?: string;
  readonly source?: string;
}

/** WinDivert itself is one off for words with a colon and for illegal characters. */
const POSITION_TOLERANCE = 1;
/** 256 tests: the count does not fit, and the object is empty. */
const EMPTY_OBJECT = '@WinDiv_WW';

function load(name: string): Vector[] {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'));
}

function errorOf(filter: string, layer: Layer): FilterError {
  try {
    compileFilter(filter, layer);
  } catch (error) {
    if (error instanceof FilterError) return error;
    throw error;
  }
  throw new Error('the filter compiled');
}

function differenceOf({ filter, layer, ...expected }: Vector): string[] {
  const differences: string[] = [];
  const compare = (what: string, actual: unknown, wanted: unknown): void => {
    if (actual !== wanted)
      differences.push(`${what}: ${String(actual)} instead of ${String(wanted)}`);
  };
  if (expected.object === undefined) {
    const error = errorOf(filter, layer);
    compare('code', error.code, expected.error);
    const distance = Math.abs(error.position - (expected.position ?? error.position));
    if (distance > POSITION_TOLERANCE) compare('position', error.position, expected.position);
    return differences;
  }
  const compiled = compileFilter(filter, layer);
  compare('object', compiled.object, expected.object);
  compare('text', compiled.format(), expected.formatted);
  if (expected.object === EMPTY_OBJECT) return differences;
  const again = compileFilter(compiled.object, layer);
  compare('object of the object', again.object, expected.object);
  compare('text of the object', again.format(), expected.formattedObject ?? expected.formatted);
  return differences;
}

function failures(vectors: readonly Vector[]): object[] {
  return vectors.flatMap((vector) => {
    const differences = differenceOf(vector);
    return differences.length > 0
      ? [{ filter: vector.filter, layer: vector.layer, differences }]
      : [];
  });
}

const compileVectors = load('compile');
const categories = [...new Set(compileVectors.map(({ cat }) => cat))].toSorted();

describe('what WinDivert makes of a filter', () => {
  test.each(categories)('%s', (category) => {
    const vectors = compileVectors.filter(({ cat }) => cat === category);
    expect(vectors.length).toBeGreaterThan(0);
    expect(failures(vectors)).toEqual([]);
  });

  test('filters of public programs', () => {
    expect(failures(load('real-filters'))).toEqual([]);
  });

  test('true positions where WinDivert is one off', () => {
    const rows: [string, number][] = [
      ['tcp*', 3],
      ['tcp & udp', 4],
      ['(tcp? nothing: udp)', 6],
      ['nothing:', 0],
      ['tcp and \u00e9', 8],
    ];
    for (const [filter, position] of rows)
      expect(errorOf(filter, 'network').position).toBe(position);
  });
});

test('formatFilter prints what format does', () => {
  expect(formatFilter('event==BIND&&localPort<1024', 'socket')).toBe(
    'event = BIND and localPort < 1024',
  );
  expect(formatFilter('!tcp')).toBe('not tcp');
});
