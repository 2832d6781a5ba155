import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { testText } from '../../src/filter/format.ts';
import {
  compileFilter,
  DivertError,
  FIELD,
  FIELDS,
  FilterError,
  type FilterTest,
  LAYERS,
  type Layer,
} from '../../src/filter/index.ts';

/** A filter as a tree, for a second opinion on what it means. */
type Tree =
  | { kind: 'test'; negated: boolean; field: string; operator: string; value: string }
  | { kind: 'constant'; value: boolean }
  | { kind: 'and' | 'or'; left: Tree; right: Tree }
  | { kind: 'ternary'; condition: Tree; success: Tree; failure: Tree };

/** Values inside the fields' ranges, so that nothing folds. */
const OPERANDS: readonly (readonly [field: string, value: string])[] = [
  ['tcp.DstPort', '80'],
  ['udp.SrcPort', '53'],
  ['ip.TTL', '64'],
  ['ip.SrcAddr', '10.0.0.1'],
  ['ipv6.DstAddr', 'fe80::1'],
  ['packet16[6b]', '0x86dd'],
  ['tcp.Payload32[-4b]', '0x1'],
  ['tcp.SeqNum', '7'],
  ['length', '100'],
  ['timestamp', '-5'],
];

const testTree = fc
  .record({
    operand: fc.constantFrom(...OPERANDS),
    operator: fc.constantFrom('=', '!=', '<', '<=', '>', '>='),
    negated: fc.boolean(),
  })
  .map(
    ({ operand: [field, value], operator, negated }): Tree => ({
      kind: 'test',
      negated,
      field,
      operator,
      value,
    }),
  );

const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    testTree,
    fc.boolean().map((value): Tree => ({ kind: 'constant', value })),
    fc.record({ kind: fc.constantFrom('and', 'or'), left: tie('tree'), right: tie('tree') }),
    fc.record({
      kind: fc.constant('ternary' as const),
      condition: tie('tree'),
      success: tie('tree'),
      failure: tie('tree'),
    }),
  ),
}));

function textOf(node: Tree): string {
  switch (node.kind) {
    case 'constant':
      return String(node.value);
    case 'test':
      return `${node.negated ? 'not ' : ''}${node.field} ${node.operator} ${node.value}`;
    case 'ternary':
      return `(${textOf(node.condition)} ? ${textOf(node.success)} : ${textOf(node.failure)})`;
    default:
      return `(${textOf(node.left)} ${node.kind} ${textOf(node.right)})`;
  }
}

const NEGATED: Record<string, string> = {
  '=': '!=',
  '!=': '=',
  '<': '>=',
  '<=': '>',
  '>': '<=',
  '>=': '<',
};

/** A truth value for every test, by its text. */
type Truth = (text: string) => boolean;

function truthOf(seed: number): Truth {
  return (text) => {
    let hash = seed;
    for (let at = 0; at < text.length; at++)
      hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    return ((hash >>> 15) & 1) === 1;
  };
}

function meaning(node: Tree, truth: Truth): boolean {
  switch (node.kind) {
    case 'constant':
      return node.value;
    case 'test':
      return truth(
        `${node.field} ${node.negated ? NEGATED[node.operator] : node.operator} ${node.value}`,
      );
    case 'and':
      return meaning(node.left, truth) && meaning(node.right, truth);
    case 'or':
      return meaning(node.left, truth) || meaning(node.right, truth);
    case 'ternary':
      return meaning(node.condition, truth)
        ? meaning(node.success, truth)
        : meaning(node.failure, truth);
  }
}

function isTrue(test: FilterTest, truth: Truth): boolean {
  return test.field === FIELD.zero || truth(testText(test, 'network'));
}

function walk(tests: readonly FilterTest[], truth: Truth): boolean {
  let label: FilterTest['success'] = 0;
  while (typeof label === 'number') {
    const at: FilterTest | undefined = tests[label];
    if (at === undefined) throw new RangeError(`no test ${label}`);
    label = isTrue(at, truth) ? at.success : at.failure;
  }
  return label === 'accept';
}

const seeds = fc.integer({ min: 1 });

describe('compiling keeps the meaning', () => {
  test('of the tree it was written from, through text and object', () => {
    fc.assert(
      fc.property(tree, fc.array(seeds, { minLength: 5, maxLength: 5 }), (node, assignments) => {
        const filter = compileFilter(textOf(node));
        // Parts that a graph shares stand several times in its text, which can get too long.
        const text = filter.format();
        const again = doesCompile(text) ? compileFilter(text) : filter;
        const object = compileFilter(filter.object);
        for (const seed of assignments) {
          const truth = truthOf(seed);
          const wanted = meaning(node, truth);
          expect(walk(filter.tests, truth)).toBe(wanted);
          expect(walk(again.tests, truth)).toBe(wanted);
          expect(walk(object.tests, truth)).toBe(wanted);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('objects and their text come back as they were', () => {
    fc.assert(
      fc.property(tree, (node) => {
        const filter = compileFilter(textOf(node));
        const object = compileFilter(filter.object);
        expect(object.object).toBe(filter.object);
        expect(object.tests).toEqual(filter.tests);
        expect(object.format()).toBe(filter.format());
        // Parts that a graph shares stand several times in its text, which can get too long.
        const isWarned = filter.warnings.some(({ code }) => code === 'text-does-not-compile');
        expect(isWarned).toBe(!doesCompile(filter.format()));
      }),
      { numRuns: 500 },
    );
  });

  test('labels only point forward and the first test always runs', () => {
    fc.assert(
      fc.property(tree, (node) => {
        const { tests } = compileFilter(textOf(node));
        for (const [index, { success, failure }] of tests.entries()) {
          for (const label of [success, failure]) {
            if (typeof label === 'number') expect(label > index && label < tests.length).toBe(true);
          }
        }
      }),
    );
  });
});

function doesCompile(source: string): boolean {
  try {
    compileFilter(source);
    return true;
  } catch {
    return false;
  }
}

/** Runs everything that a filter offers; refusals must be errors of this package, with a place. */
function exercise(source: string, layer: Layer): void {
  try {
    const filter = compileFilter(source, layer);
    expect(filter.tests.length).toBeGreaterThan(0);
    expect(filter.warnings.length).toBeGreaterThanOrEqual(0);
    expect(filter.object.startsWith('@WinDiv_W')).toBe(true);
    expect(filter.format().length).toBeGreaterThan(0);
  } catch (error) {
    if (error instanceof FilterError) {
      expect(error.position).toBeGreaterThanOrEqual(0);
      expect(error.position).toBeLessThanOrEqual(source.length);
      expect(error.source).toBe(source);
    } else {
      expect(error).toBeInstanceOf(DivertError);
      expect(error).toMatchObject({ code: 'insufficient-buffer' });
    }
  }
}

const PIECES = [
  ...FIELDS.map(({ name }) => name),
  ...'and or not && || ! ( ) [ ] ? : - = == != < <= > >= b 5b 0x 0x10b :: fe80:: ::1.2.3.4 1.2.3.4'.split(
    ' ',
  ),
  ...'0 1 65535 65536 4294967296 -0 true false TRUE CONNECT CLOSE & | { } " / @ , 80-90 in port udp:icmp'.split(
    ' ',
  ),
  '340282366920938463463374607431768211455',
  ' ',
  '\n',
  '\u00e9',
  '\0',
];

const layers = fc.constantFrom(...LAYERS);

describe('nothing crashes', () => {
  test('on any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), layers, exercise), { numRuns: 2000 });
  });

  test('on the language thrown together', () => {
    const pieces = fc.array(fc.constantFrom(...PIECES), { maxLength: 12 });
    const texts = fc.tuple(pieces, fc.constantFrom('', ' ')).map(([list, glue]) => list.join(glue));
    fc.assert(fc.property(texts, layers, exercise), { numRuns: 5000 });
  });

  test('on damaged filters', () => {
    const damaged = fc
      .tuple(tree, fc.nat(), fc.nat({ max: 4 }), fc.constantFrom(...PIECES))
      .map(([node, at, length, piece]) => {
        const text = textOf(node);
        const place = at % (text.length + 1);
        return text.slice(0, place) + piece + text.slice(place + length);
      });
    fc.assert(fc.property(damaged, layers, exercise), { numRuns: 2000 });
  });

  test('on any object', () => {
    const digits = [...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+=_'];
    const body = fc.string({ unit: fc.constantFrom(...digits), maxLength: 60 });
    fc.assert(
      fc.property(body, layers, (text, layer) => exercise(`@WinDiv_WX_${text}`, layer)),
      { numRuns: 2000 },
    );
  });

  test('on damaged objects', () => {
    const damaged = fc
      .tuple(tree, fc.nat(), fc.constantFrom(...'0VWXYZa=_ALX@'))
      .map(([node, at, character]) => {
        const { object } = compileFilter(textOf(node));
        const place = at % object.length;
        return object.slice(0, place) + character + object.slice(place + 1);
      });
    fc.assert(fc.property(damaged, layers, exercise), { numRuns: 2000 });
  });

  test('on a graph that is far larger as text', () => {
    // Each test leads to the next and the third after it: text has to repeat what is shared.
    const number = (value: number): string => {
      const last = 'WXYZabcdefghijklmnopqrstuvwxyz+=';
      const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUV';
      return (value >= 32 ? digits.charAt(value >> 5) : '') + last.charAt(value & 31);
    };
    const count = 120;
    const label = (index: number): string => (index < count ? `L${number(index)}` : 'A');
    const tests = Array.from({ length: count }, (_, index) => {
      return `_eXWW${label(index + 1)}${index + 3 < count ? label(index + 3) : 'X'}`;
    });
    const filter = compileFilter(`@WinDiv_W${number(count)}${tests.join('')}`);
    expect(filter.tests).toHaveLength(count);
    expect(() => filter.format()).toThrow(expect.objectContaining({ code: 'insufficient-buffer' }));
  });
});
