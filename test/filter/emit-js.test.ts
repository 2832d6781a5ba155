import { afterEach, describe, expect, test, vi } from 'vitest';
import { FilterError } from '../../src/errors.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import { compileMatcher, emitMatcher, generateMatcher } from '../../src/filter/emit-js.ts';
import { FIELDS, fieldOnLayer } from '../../src/filter/fields.ts';
import { type FilterTest, OPERATORS } from '../../src/filter/graph.ts';
import { MATCH, MatchInput } from '../../src/filter/match-input.ts';
import { LAYERS } from '../../src/packet/address.ts';
import { ipv4, tcp } from '../helpers/build-packet.ts';
import { findForeignText } from '../helpers/generated-code.ts';
import { Random } from '../helpers/random.ts';
import { randomTests } from '../helpers/random-filter.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

/** What gets out of a string, a comment or a block in JavaScript, and what it would call then. */
const HOSTILE = [
  ...'" \' ` $ { } */ /* // ); }); return process.exit() constructor __proto__ this eval \\ \\u0061 ; => = ,'.split(
    ' ',
  ),
  ...['\n', '\r', '\u2028', '\u2029', '\0', '\u200b', '\ufeff', 'é', '\u{1f600}', '\ud800'],
] as const;
const HARMLESS = [
  ...['tcp', 'udp.DstPort == 53', 'processName == "', '"', 'processName in { "a", "', '" }'],
  ...[
    'ip.SrcAddr in { 10.0.0.0/8 }',
    'and',
    'or',
    'not',
    '(',
    ')',
    '?',
    ':',
    '7',
    'tcp.Payload[0] == 0x',
  ],
] as const;

/** Pieces of filters and of attacks; half the time an attack in quotes, where the extended dialect takes any text. */
function hostileText(random: Random): string {
  const pieces = Array.from({ length: random.between(1, 8) }, () =>
    random.pick(random.chance(50) ? HOSTILE : HARMLESS),
  );
  if (random.chance(50)) return pieces.join(random.pick(['', ' ']));
  const quoted = pieces.slice(0, 3).join('').replaceAll(/["\\]/g, '\\$&');
  return `processName ${random.pick(['==', '!='])} "${quoted}"`;
}

function testsOf(text: string, dialect: 'windivert' | 'extended'): readonly FilterTest[] | null {
  try {
    return compileFilter(text, 'network', { dialect }).tests;
  } catch (error) {
    if (error instanceof FilterError) return null;
    throw error;
  }
}

describe('generated text', () => {
  test.each([
    'process.exit()',
    "'text'",
    '`text`',
    'x0["constructor"]',
    'x0.constructor',
    'iff',
    'x0d',
    '/*',
    '\\u0061',
    '\n',
    '@',
  ])('the list of tokens does not allow %j', (code) => {
    expect(findForeignText(code)).not.toBeNull();
  });

  test('of random filters and graphs of all layers is made of listed tokens', () => {
    const random = new Random();
    for (const layer of LAYERS) {
      for (let count = 0; count < 300; count++) {
        const tests = randomTests(random, layer, () => null);
        expect(findForeignText(emitMatcher(tests, layer)), `SEED=${random.seed}`).toBeNull();
      }
    }
  });

  test('of every field with extreme constants is made of listed tokens', () => {
    const words = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff];
    for (const layer of LAYERS) {
      for (const field of FIELDS.keys()) {
        for (const word of words) {
          for (const index of [-65_535, -1, 0, 65_535]) {
            const tests: FilterTest[] = OPERATORS.map((operator, at) => ({
              field,
              operator,
              negative: at % 2 === 1,
              value: [word, word, word, word],
              index,
              success: 'accept',
              failure: at + 1 < OPERATORS.length ? at + 1 : 'reject',
            }));
            expect(findForeignText(emitMatcher(tests, layer))).toBeNull();
          }
        }
      }
    }
  });

  test('does not change with the spelling of the filter', () => {
    const plain = compileFilter('tcp.DstPort == 443 and ip.SrcAddr == 1.2.3.4');
    const odd = compileFilter('\t( tcp.DstPort=0x1bb)\n&&not ip.SrcAddr!=0000001.2.3.4294967300');
    expect(emitMatcher(odd.tests, 'network')).toBe(emitMatcher(plain.tests, 'network'));
  });

  test('of thousands of hostile texts is never made, or of listed tokens', () => {
    const random = new Random();
    let compiled = 0;
    for (let count = 0; count < 4000; count++) {
      const text = hostileText(random);
      for (const dialect of ['windivert', 'extended'] as const) {
        const tests = testsOf(text, dialect);
        if (tests === null) continue;
        compiled++;
        expect(
          findForeignText(emitMatcher(tests, 'network')),
          `${text} SEED=${random.seed}`,
        ).toBeNull();
      }
    }
    expect(compiled).toBeGreaterThan(100);
  });

  test('loads a value once for a list of constants and searches it', () => {
    const ports = [443, 80, 8080, 22, 25, 53, 993, 8443];
    const { tests } = compileFilter(ports.map((port) => `tcp.DstPort == ${port}`).join(' or '));
    const code = emitMatcher(tests, 'network');
    expect(code.match(/m\[h\+2\]/g)).toHaveLength(1);
    expect(code.match(/x0<\d+/g)).toEqual(['x0<443']);
  });

  test('asks for a header once for tests that follow each other', () => {
    const { tests } = compileFilter('tcp.DstPort > 10 and tcp.DstPort < 20 and tcp.SrcPort > 5');
    expect(emitMatcher(tests, 'network').match(/s\.tcp>=0/g)).toHaveLength(1);
  });
});

test('every field has code on its layers, and on no other', () => {
  for (const layer of LAYERS) {
    for (const field of FIELDS.keys()) {
      const base = { operator: '=', negative: false, value: [1, 0, 0, 0], index: 0 } as const;
      const tests: FilterTest[] = [{ ...base, field, success: 'accept', failure: 'reject' }];
      const isError = emitMatcher(tests, layer).endsWith(`return ${MATCH.INVALID};`);
      expect(isError, `${FIELDS[field]?.name} on ${layer}`).toBe(!fieldOnLayer(field, layer));
    }
  }
});

test('the largest filters generate, nested and flat', () => {
  const input = new MatchInput();
  input.memory = ipv4({}, tcp({ destinationPort: 999, sequence: 255 }));
  input.length = input.memory.length;
  const flat = Array.from({ length: 255 }, (_, at) => `tcp.SeqNum ${at % 2 ? '==' : '<'} ${at}`);
  expect(generateMatcher(compileFilter(flat.join(' or ')).tests, 'network')(input)).toBe(MATCH.NO);
  let nested = 'tcp.DstPort == 999';
  for (let at = 1; at < 120; at++) nested = `(tcp.SeqNum == ${at} ? udp : ${nested})`;
  expect(generateMatcher(compileFilter(nested).tests, 'network')(input)).toBe(MATCH.YES);
});

describe('where code generation is forbidden', () => {
  function forbid(): void {
    vi.stubGlobal('Function', function refuse() {
      throw new EvalError('Code generation from strings disallowed for this context');
    });
  }
  const { tests } = compileFilter('tcp.DstPort == 443');
  const input = new MatchInput();
  input.memory = ipv4({}, tcp({ destinationPort: 443 }));
  input.length = input.memory.length;

  test('a matcher interprets', () => {
    forbid();
    expect(() => generateMatcher(tests, 'network')).toThrow(EvalError);
    expect(compileMatcher(tests, 'network')(input)).toBe(MATCH.YES);
    input.memory = ipv4({}, tcp({ destinationPort: 80 }));
    expect(compileMatcher(tests, 'network')(input)).toBe(MATCH.NO);
  });

  test('a filter still matches', () => {
    forbid();
    expect(compileFilter('outbound and tcp').matches(input.memory, { outbound: true })).toBe(true);
  });

  test('other errors are not hidden', () => {
    vi.stubGlobal('Function', function fail() {
      throw new SyntaxError('unexpected token');
    });
    expect(() => compileMatcher(tests, 'network')).toThrow(SyntaxError);
  });
});
