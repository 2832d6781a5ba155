import { afterEach, describe, expect, test, vi } from 'vitest';
import { compileFilter } from '../../src/filter/compile.ts';
import { compileMatcher, emitMatcher, generateMatcher } from '../../src/filter/emit-js.ts';
import { FIELDS, fieldOnLayer } from '../../src/filter/fields.ts';
import { type FilterTest, OPERATORS } from '../../src/filter/graph.ts';
import { MATCH, MatchInput } from '../../src/filter/match-input.ts';
import { LAYERS } from '../../src/packet/address.ts';
import { ipv4, tcp } from '../helpers/build-packet.ts';
import { Random } from '../helpers/random.ts';
import { randomTests } from '../helpers/random-filter.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Everything generated code may be made of. No string, no bracket access but to bytes, no other name. */
const TOKEN =
  /(?:const|let|if|else|return|break|true|false|scanPacket|hashPacketWords|L\d+|x\d+[abc]?|[imosfqvhpnew]|\d+|>>>|<<|===|!==|&&|\|\||<=|>=|[-+&|<>!?:;,.(){}[\]=])/y;
const PROPERTY =
  /\.(?:memory|offset|length|flags|event|interfaceIndex|subInterfaceIndex|timestampLow|timestampHigh|endpointIdLow|endpointIdHigh|parentEndpointIdLow|parentEndpointIdHigh|processId|local[0-3]|remote[0-3]|localPort|remotePort|protocol|handleLayer|priority|version|headersEnd|payloadOffset|payloadLength|fragment|tcp|udp|icmp|icmpv6)(?!\w)/y;

/** The first place that is not on the list, null when there is none. */
function findForeignText(code: string): string | null {
  let at = 0;
  while (at < code.length) {
    if (code[at] === ' ') {
      at++;
      continue;
    }
    const pattern = code[at] === '.' ? PROPERTY : TOKEN;
    pattern.lastIndex = at;
    const found = pattern.exec(code);
    if (found === null) return code.slice(at, at + 60);
    // A word must end where the token does: no allowed name may be the start of another one.
    if (/\w$/.test(found[0]) && /^\w/.test(code.slice(pattern.lastIndex)))
      return code.slice(at, at + 60);
    at = pattern.lastIndex;
  }
  return null;
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

  test('of a filter whose text is hostile is never made', () => {
    for (const text of [
      'tcp";process.exit()//',
      'tcp\u2028',
      '__proto__',
      'constructor == 1',
      '`1`',
    ]) {
      expect(() => compileFilter(text)).toThrow();
    }
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
