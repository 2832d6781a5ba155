import { describe, expect, test } from 'vitest';
import {
  attribute,
  nested,
  parseAttributes,
  readNumber,
  readString,
  string,
  uint16be,
  uint32be,
} from '../../src/linux/netlink/attribute.ts';
import {
  encodeMessage,
  NLM_F,
  parseAcknowledgement,
  parseReplies,
} from '../../src/linux/netlink/message.ts';
import {
  countInto,
  matchOutputInterface,
  matchProgram,
  queueByFlow,
  queueByJump,
  queueNative,
  queueTarget,
  spreadRules,
  verdict,
} from '../../src/linux/nftables/expression.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array =>
  new Uint8Array(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));

/** The four-byte words of a buffer, as `nft --debug=all` prints them. */
const words = (data: Uint8Array): string => hex(data).replaceAll(/(.{8})(?!$)/g, '$1 ');

describe('attributes', () => {
  const rows: [string, Uint8Array, string][] = [
    [
      'length counts the header, not the padding',
      attribute(10, bytes('010203')),
      '07000a00 01020300',
    ],
    ['a string ends with NUL', string(1, 'abc'), '08000100 61626300'],
    ['16 bits in network order', uint16be(2, 40000), '06000200 9c400000'],
    ['32 bits in network order', uint32be(2, 0x01020304), '08000200 01020304'],
    ['negative numbers as two’s complement', uint32be(2, -40000), '08000200 ffff63c0'],
    ['nesting sets the flag', nested(4, uint32be(1, 3)), '0c000480 08000100 00000003'],
    ['an empty nest', nested(4), '04000480'],
  ];
  for (const [name, have, want] of rows) test(name, () => expect(words(have)).toBe(want));

  test('are read back, whatever their length', () => {
    for (let length = 0; length < 70; length++) {
      const payload = Uint8Array.from({ length }, (_, index) => index);
      const data = new Uint8Array([...attribute(3, payload), ...uint32be(9, 77)]);
      const read = parseAttributes(data);
      expect(read.get(3)).toEqual(payload);
      expect(readNumber(read.get(9) ?? new Uint8Array())).toBe(77);
    }
  });

  test('a length that does not fit ends the list', () => {
    expect(parseAttributes(bytes('08000100 00000001 ff000200 00')).size).toBe(1);
    expect(parseAttributes(bytes('03000100 00000001')).size).toBe(0);
    expect(parseAttributes(bytes('0800')).size).toBe(0);
  });

  test('strings stop at NUL', () => {
    expect(readString(bytes('616200 63'))).toBe('ab');
    expect(readString(bytes('6162'))).toBe('ab');
  });
});

describe('messages', () => {
  test('header, nfnetlink header, attributes', () => {
    const message = encodeMessage(
      { type: 0x0302, flags: NLM_F.ACK, family: 2, resource: 7, attributes: [uint32be(1, 5)] },
      0x11223344,
    );
    expect(words(message)).toBe('1c000000 02030500 44332211 00000000 02000007 08000100 00000005');
  });

  test('a datagram is split into messages, a broken length ends it', () => {
    const one = encodeMessage({ type: 1, flags: 0, family: 0, resource: 0, attributes: [] }, 1);
    const two = encodeMessage({ type: 2, flags: 0, family: 0, resource: 0, attributes: [] }, 2);
    const replies = parseReplies(new Uint8Array([...one, ...two, ...bytes('ffffff00')]));
    expect(replies.map((reply) => [reply.type, reply.sequence])).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  test('a refusal carries errno, sentence and offset', () => {
    const [reply] = parseReplies(
      bytes(`3c000000 02000003 05000000 00000000
             feffffff 20000000 02030500 05000000 00000000
             0d000100 6e6f2063 68616900 00000000 08000200 14000000`),
    );
    expect(reply && parseAcknowledgement(reply)).toEqual({
      errno: 2,
      detail: 'no chai',
      offset: 20,
    });
  });
});

test.each<[name: string, payload: string, flags: number]>([
  ['nothing', '', 0],
  ['no errno', 'ffff', 0],
  ['an errno and nothing else', '00000000', 0x300],
  ['half a header', '00000000 20000000 02030500', 0x200],
])('an acknowledgement with %s is a protocol error, no crash', (_, payload, flags) => {
  const reply = { type: 2, flags, sequence: 1, payload: bytes(payload) };
  expect(parseAcknowledgement(reply)).toEqual({ errno: 71, detail: undefined, offset: undefined });
});

describe('expressions', () => {
  const name = (text: string): string => words(string(1, text));
  const only = ([first]: readonly Uint8Array[]): Uint8Array => first ?? new Uint8Array();
  const rows: [string, Uint8Array, string][] = [
    [
      '[ queue 40000 bypass ]',
      only(queueNative(40000, 1)),
      '06000100 9c400000 06000200 00010000 06000300 00010000',
    ],
    [
      '[ immediate reg 0 drop ]',
      verdict(0),
      '08000100 00000000 10000280 0c000280 08000100 00000000',
    ],
    ['[ objref type 1 name h1 ]', countInto('h1'), '08000100 00000001 07000200 68310000'],
  ];
  for (const [mnemonic, have, data] of rows) {
    test(mnemonic, () => {
      const kind = mnemonic.split(' ')[1] ?? '';
      expect(words(have)).toContain(name(kind));
      expect(words(have).endsWith(data)).toBe(true);
    });
  }

  test('[ meta load oif => reg 1 ] [ cmp eq reg 1 0x00000001 ] in host byte order', () => {
    const [meta, compare] = matchOutputInterface(1, true);
    expect(words(meta ?? new Uint8Array())).toContain('08000100 00000001 08000200 00000005');
    expect(words(compare ?? new Uint8Array())).toContain('08000200 00000000');
    expect(words(compare ?? new Uint8Array()).endsWith('01000000')).toBe(true);
  });

  test('[ match name bpf rev 1 ] names the program by descriptor', () => {
    const match = matchProgram(0x1234);
    expect(words(match)).toContain(`${name('bpf')} 08000200 00000001 14020300 02000000 34120000`);
    expect(match.length).toBe(4 + 12 + 4 + 8 + 8 + 532);
  });

  test('[ hash reg 1 = symhash() % mod 4 offset 40000 ] [ queue sreg_qnum reg 1 bypass ]', () => {
    const [hash, queue] = queueByFlow(40000, 4);
    expect(words(hash ?? new Uint8Array())).toContain(
      '08000200 00000001 08000400 00000004 08000600 00009c40 08000700 00000001',
    );
    expect(words(queue ?? new Uint8Array()).endsWith('08000400 00000001 06000300 00010000')).toBe(
      true,
    );
  });

  test('without the native expression, a chain asks for each queue but the last', () => {
    const rules = spreadRules(40000, 3);
    expect(rules.map((rule) => rule.length)).toEqual([3, 3, 1]);
    const [, second] = rules;
    expect(words(second?.[1] ?? new Uint8Array()).endsWith('419c0000')).toBe(true);
    expect(words(second?.[2] ?? new Uint8Array())).toContain('0c000300 419c0100 01000000');
    expect(words(only(queueByJump(40000)))).toContain(name('immediate'));
    expect(words(only(queueByJump(40000)))).toContain('08000100 fffffffd');
  });

  test('[ target name NFQUEUE rev 3 ] bypasses an empty queue', () => {
    expect(words(only(queueTarget(7, 1)))).toContain(
      '08000200 00000003 0c000300 07000100 01000000',
    );
  });
});
