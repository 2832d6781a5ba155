import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compileFilter, FilterError, FilterSet, type Layer } from '../../../src/filter/index.ts';

const sets = { blocked: new FilterSet(['10.0.0.1']), 'a-b_2': new FilterSet() };
const compile = (source: string, layer: Layer = 'network') =>
  compileFilter(source, layer, { dialect: 'extended', sets });

interface Vector {
  readonly filter: string;
  readonly layer: Layer;
  readonly object?: string;
}

test("WinDivert's filters compile to the same objects", () => {
  const file = new URL('../../vectors/compile.json', import.meta.url);
  const vectors: readonly Vector[] = JSON.parse(readFileSync(file, 'utf8'));
  const valid = vectors.filter(({ filter, object }) => object !== undefined && filter[0] !== '@');
  const different = valid.filter(({ filter, layer, object }) => {
    return compileFilter(filter, layer, { dialect: 'extended' }).object !== object;
  });
  expect(valid.length).toBeGreaterThan(5000);
  expect(different).toEqual([]);
});

describe('text', () => {
  test.each<[source: string, text: string, layer?: Layer]>([
    ['not (tcp.DstPort == 80)', 'not (tcp.DstPort = 80)'],
    ['not tcp.DstPort == 80', 'tcp.DstPort != 80'],
    ['!(tcp or udp)', 'not (tcp or udp)'],
    ['!(tcp or udp) and ip', 'not (tcp) and not (udp) and ip'],
    ['not (tcp and not (udp or ip))', 'not (tcp) or udp or ip'],
    ['ip.SrcAddr not in @blocked and not (udp)', 'ip.SrcAddr not in @blocked and not (udp)'],
    ['ip.DstAddr in @a-b_2', 'ip.DstAddr in @a-b_2'],
    ['ip.DstAddr == 10.0.0.0/8', 'ip.DstAddr >= 10.0.0.0 and ip.DstAddr <= 10.255.255.255'],
    ['ip.DstAddr != 0.0.0.0/1', 'ip.DstAddr > 127.255.255.255'],
    ['ip.DstAddr == 10.0.0.7/32', 'ip.DstAddr = 10.0.0.7'],
    ['localAddr == 10.0.0.0/8', 'localAddr >= 10.0.0.0 and localAddr <= 10.255.255.255'],
    ['tcp.DstPort in {443,80,}', 'tcp.DstPort = 80 or tcp.DstPort = 443'],
    ['tcp.DstPort in { 80, 81, 82..90 }', 'tcp.DstPort >= 80 and tcp.DstPort <= 90'],
    ['tcp.DstPort not in { 80 }', 'tcp.DstPort != 80'],
    ['tcp.DstPort in { 0..65535 }', 'tcp'],
    ['packet[0] in { 0..255 }', 'packet[0b] in { 0x0..0xff }'],
    ['priority in { -5..5 }', 'priority >= -5 and priority <= 5', 'reflect'],
    [
      'tcp.DstPort in { 1, 3, 5, 7, 9, 11, 13, 15, 0x11..20 }',
      'tcp.DstPort in { 1, 3, 5, 7, 9, 11, 13, 15, 17..20 }',
    ],
    [
      `ip.SrcAddr in { ${[1, 3, 5, 7, 9, 11, 13, 15].map((n) => `10.${n}.0.0/16`)}, 1.1.1.1..1.1.1.3 }`,
      `ip.SrcAddr in { 1.1.1.1..1.1.1.3, ${[1, 3, 5, 7, 9, 11, 13, 15].map((n) => `10.${n}.0.0/16`).join(', ')} }`,
    ],
    ['tcp.Window & 0xff00 == 0x1200', 'tcp.Window & 0xff00 = 0x1200'],
    ['(tcp.Window & 255) and tcp', 'tcp.Window & 0xff != 0x0 and tcp'],
    ['ip.SrcAddr & 255.0.0.255 == 10.0.0.1', 'ip.SrcAddr & 255.0.0.255 = 10.0.0.1'],
    ['localAddr & 255.0.0.0 == 10.0.0.0', 'localAddr & 255.0.0.0 = 10.0.0.0'],
    ['localAddr & 0xffff01020304 == ::', 'localAddr & 0xffff01020304 = ::'],
    ['processName == "a\\"b"', 'processName = "a\\"b"'],
    ['processName in { "curl" }', 'processName = "curl"'],
    ['processId == 1 and userId == 2', 'processId = 1 and userId = 2'],
    ['processId == 1 and userId == 2', 'processId = 1 and userId = 2', 'flow'],
    ['(tcp? ipv6.SrcAddr == fe80:: : udp)', '(tcp? ipv6.SrcAddr = fe80:: : udp)'],
    ['impostor == -1', 'impostor = -1'],
  ])('%s', (source, text, layer) => {
    const filter = compile(source, layer);
    expect(filter.format()).toBe(text);
    expect(compile(text, layer).format()).toBe(text);
  });
});

describe('objects', () => {
  test('are real where WinDivert can say the same', () => {
    const { object } = compile('not (tcp.DstPort in { 80, 443 }) and ip.DstAddr == 10.0.0.0/8');
    const strict = compileFilter(object);
    expect(strict.dialect).toBe('windivert');
    expect(strict.object).toBe(object);
  });

  test.each([
    'tcp.Window & 1',
    'ip.SrcAddr in @blocked',
    'processId == 1',
    'packet[0] in { 0..255 }',
  ])('are empty for %s', (source) => {
    expect(compile(source).object).toBe('');
  });
});

test('a filter says what it needs', () => {
  const filter = compile('processName == "curl" and ip.SrcAddr in @blocked');
  expect(filter).toMatchObject({ dialect: 'extended', usesProcess: true });
  expect(filter.kernelSets).toEqual([sets.blocked]);
  expect(compile('tcp')).toMatchObject({ usesProcess: false, kernelSets: [] });
  expect(compileFilter('tcp')).toMatchObject({ dialect: 'windivert', usesProcess: false });
});

test('a large set between braces needs a map as a named one does', () => {
  const members = Array.from({ length: 300 }, (_, index) => index * 2);
  const { kernelSets } = compile(`tcp.DstPort in { ${members} }`);
  expect(kernelSets.map(({ size }) => size)).toEqual([300]);
});

test('changes of a set are seen at once', () => {
  const blocked = new FilterSet();
  const filter = compileFilter('remoteAddr in @blocked', 'flow', {
    dialect: 'extended',
    sets: { blocked },
  });
  const matches = (): boolean => filter.matches(null, { remoteAddress: '192.0.2.7' });
  expect(matches()).toBe(false);
  blocked.add('192.0.2.0/24');
  expect(matches()).toBe(true);
  blocked.clear();
  expect(matches()).toBe(false);
});

describe('errors', () => {
  test.each<
    [source: string, code: string, position: number, says: string, hint: string, layer?: Layer]
  >([
    ['ip.DstAddr == 10.0.0.1/8', 'unexpected-token', 14, 'bits after', 'Write: 10.0.0.0/8'],
    ['ip.DstAddr == 10.0.0.0/33', 'unexpected-token', 14, 'at most 32 bits', 'leading bits'],
    ['ip.DstAddr == ::/8', 'unexpected-token', 14, 'is an IPv4 address', '10.0.0.1'],
    ['ip.DstAddr == 10.0.0.0/255.0.0.0', 'unexpected-token', 23, 'prefix length', '10.0.0.0/8'],
    ['ip.DstAddr < 10.0.0.0/8', 'unexpected-token', 21, 'in a prefix or not', '=='],
    ['tcp.DstPort == 80/2', 'unexpected-token', 17, 'is no address', 'no division'],
    ['tcp.DstPort in {}', 'unexpected-token', 16, 'a number or an address', ''],
    ['tcp.DstPort in {80 443}', 'unexpected-token', 19, '"," or "}"', 'commas'],
    ['tcp.DstPort in {80', 'unexpected-token', 18, '"," or "}"', 'commas'],
    ['tcp.DstPort in 80', 'unexpected-token', 15, '"{" or "@name"', 'in { … }'],
    ['tcp.DstPort in {70000}', 'unexpected-token', 16, '0 to 65535', 'that range'],
    ['tcp.DstPort in {-1..5}', 'unexpected-token', 16, '0 to 65535', 'that range'],
    ['tcp.DstPort in {90..80}', 'unexpected-token', 16, 'ends before', 'smaller'],
    ['tcp.DstPort not 80', 'unexpected-token', 16, '"in" expected', 'not in'],
    ['ip.SrcAddr in @nope', 'unexpected-token', 14, 'no set nope', 'new FilterSet'],
    ['ip.SrcAddr in @1', 'bad-token', 14, '@', 'letter first'],
    ['tcp in @blocked', 'unexpected-token', 7, 'named set', 'braces'],
    ['true in {1}', 'unexpected-token', 8, 'in no set', 'Leave'],
    ['tcp & udp', 'unexpected-token', 6, 'number expected', 'Between tests write: and'],
    ['tcp.Window & 0x100000000', 'unexpected-token', 13, 'more bits', 'Leave'],
    ['tcp.Window & 1 == -1', 'unexpected-token', 18, 'never has', 'same size'],
    ['localAddr & 255.0.0.0', 'unexpected-token', 12, 'alone', 'localAddr & 255.0.0.0 =='],
    ['timestamp & 1', 'unexpected-token', 10, 'no bits', 'without'],
    ['tcp.Window & 1 in {1}', 'unexpected-token', 18, 'masked', '=='],
    ['processName', 'unexpected-token', 11, 'a name expected', 'processName == "curl"'],
    ['processName == curl', 'bad-token', 15, '"curl"', ''],
    ['processName < "a"', 'unexpected-token', 12, 'a name expected', 'processName =='],
    [
      'processName == "chromium-browser"',
      'unexpected-token',
      15,
      'keeps 15 bytes',
      '"chromium-browse"',
    ],
    ['processName == ""', 'unexpected-token', 15, 'no process', 'curl'],
    ['processName == "curl', 'bad-token', 15, '"', 'ends with a quotation mark'],
    ['processId == 1', 'bad-token-for-layer', 0, 'forward layer', 'no process', 'forward'],
    ['processName == "a"', 'bad-token-for-layer', 0, 'reflect layer', 'processId', 'reflect'],
    ['ip.DstAddr == 1.2.3.4', 'bad-token-for-layer', 0, 'flow layer', 'remoteAddr', 'flow'],
    ['(not (tcp.DstPort in {80 443}))', 'unexpected-token', 25, '"," or "}"', 'commas'],
    ['not (tcp', 'unexpected-token', 8, '")"', 'missing'],
    ['tcp.DstPort == 80,443', 'unexpected-token', 17, 'end', 'in { 80'],
    ['tcp and', 'unexpected-token', 7, 'a field', ''],
    ['tcp # web', 'bad-token', 4, '"#"', 'no comments'],
  ])('%s', (source, code, position, says, hint, layer) => {
    const error = refusal(source, layer);
    expect({ code: error.code, position: error.position }).toEqual({ code, position });
    expect(error.message.split('\n')[0]).toContain(says);
    expect(error.hint ?? '').toContain(hint);
    expect(error.hint ?? '').not.toMatch(
      /There (?:is|are) no (?:"in"|CIDR|bit|lists|ranges|strings)|dialect/,
    );
  });

  function refusal(source: string, layer?: Layer): FilterError {
    try {
      compile(source, layer);
    } catch (error) {
      if (error instanceof FilterError) return error;
      throw error;
    }
    throw new Error('the filter compiled');
  }

  test('too many members between braces', () => {
    const filter = `tcp.DstPort in { ${'1,'.repeat(140_000)} }`;
    expect(refusal(filter)).toMatchObject({
      code: 'too-long',
      hint: expect.stringContaining('FilterSet'),
    });
  });
});

describe('advice to use this dialect', () => {
  test.each([
    'not (tcp or udp)',
    'ip.DstAddr == 10.0.0.0/8',
    'tcp.DstPort in { 80, 443 }',
    'ip.SrcAddr & 255.0.0.0 == 10.0.0.0',
    'processName == "curl"',
    'processId == 4',
  ])('%s', (source) => {
    expect(() => compileFilter(source)).toThrow(/[Uu]se dialect 'extended'/);
  });

  test.each(['ip.DstAddr == 10.0.0.0/8 and foo', 'tcp.DstPort in (80, 443)'])(
    'not for %s',
    (source) => {
      expect(() => compileFilter(source)).not.toThrow(/extended/);
    },
  );
});

describe('warnings', () => {
  const warn = (source: string): string[] => compile(source).warnings.map(({ message }) => message);

  test('a mask that leaves bits of the number out', () => {
    expect(warn('tcp.Window & 0xff00 == 0x1234')).toEqual([
      expect.stringContaining('bits that the mask leaves out'),
    ]);
  });

  test('a mask of bits that the field has not', () => {
    expect(warn('tcp.DstPort & 0x10000')).toEqual([expect.stringContaining('none of these bits')]);
  });

  test('the signs that only this text keeps', () => {
    expect(warn('impostor == -1').join()).not.toContain('loses');
  });

  test.each([
    'tcp.DstPort in { 1..5, 80, 443 } and ip.SrcAddr in @blocked',
    'localAddr == 10.0.0.0/8 and tcp.Window & 0xff == 1',
    'ip.SrcAddr & 0.0.0.255 == 0.0.0.1',
    'ipv6.SrcAddr in { 1:2:3:4:5:6:7:8..1:2:3:4:5:6:7:9, fe80::/10 }',
    'processName in { "a", "b" } and not (tcp or udp)',
  ])('none for %s', (source) => {
    expect(warn(source)).toEqual([]);
  });
});
