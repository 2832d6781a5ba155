import dgram from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dnsMessage, dnsQuestions } from '../../../src/packet/index.ts';
import { concat } from '../../helpers/build-packet.ts';

const header = (questions: number, { flags = 0x0100, answers = 0 } = {}): Uint8Array =>
  Uint8Array.of(0x12, 0x34, flags >> 8, flags, questions >> 8, questions, 0, answers, 0, 0, 0, 0);

const label = (text: string): Uint8Array => {
  const bytes = Buffer.from(text, 'latin1');
  return Uint8Array.of(bytes.length, ...bytes);
};
const wireName = (...labels: string[]): Uint8Array =>
  concat(...labels.map(label), Uint8Array.of(0));
const kind = (type: number, group = 1): Uint8Array =>
  Uint8Array.of(type >> 8, type, group >> 8, group);

describe('dnsQuestions', () => {
  test('of what a resolver sends', async () => {
    const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const resolver = new Resolver({ timeout: 50, tries: 1 });
    resolver.setServers([`127.0.0.1:${socket.address().port}`]);
    const asked = resolver.resolveMx('mail.example.org').catch(() => {});
    const [payload] = (await once(socket, 'message')) as [Buffer];
    resolver.cancel();
    await asked;
    socket.close();
    expect(dnsQuestions(payload)).toEqual([{ name: 'mail.example.org', type: 'MX', class: 'IN' }]);
  });

  test.each([
    ['the root', wireName(), kind(2), { name: '.', type: 'NS', class: 'IN' }],
    ['a dot and a backslash in a label', wireName('a.b\\c'), kind(1), { name: 'a\\.b\\\\c' }],
    ['other bytes', wireName('\u0000\u001b \u00ff'), kind(1), { name: '\\000\\027\\032\\255' }],
    ['a type without a name', wireName('a'), kind(0x1234), { type: 'TYPE4660' }],
    ['a class without a name', wireName('a'), kind(1, 0x8001), { class: 'CLASS32769' }],
    ['63 bytes', wireName('x'.repeat(63)), kind(28), { name: 'x'.repeat(63), type: 'AAAA' }],
  ])('%s', (_name, name, end, expected) => {
    expect(dnsQuestions(concat(header(1), name, end))).toEqual([expect.objectContaining(expected)]);
  });

  test('several, the second with a pointer to the first', () => {
    const first = concat(wireName('www', 'example', 'org'), kind(1));
    const second = concat(label('ftp'), Uint8Array.of(0xc0, 12 + 4), kind(28));
    expect(dnsQuestions(concat(header(2), first, second))).toEqual([
      { name: 'www.example.org', type: 'A', class: 'IN' },
      { name: 'ftp.example.org', type: 'AAAA', class: 'IN' },
    ]);
  });

  const longest = ['x'.repeat(63), 'x'.repeat(63), 'x'.repeat(63), 'x'.repeat(61)];
  test('a name of 255 bytes, and not one of 256', () => {
    expect(dnsQuestions(concat(header(1), wireName(...longest), kind(1)))).toHaveLength(1);
    const longer = [...longest.slice(0, 3), 'x'.repeat(62)];
    expect(dnsQuestions(concat(header(1), wireName(...longer), kind(1)))).toBeNull();
  });

  test.each([
    ['nothing', []],
    ['half a header', [...header(1)].slice(0, 8)],
    ['no question where there should be one', [...header(1)]],
    ['more questions than bytes', [...header(0xffff), 0, 0, 1, 0, 1]],
    ['a pointer to itself', [...header(1), 0xc0, 12, 0, 1, 0, 1]],
    ['a pointer ahead', [...header(1), 0xc0, 14, 0, 1, 0, 1, 0]],
    ['two pointers to each other', [...header(1), 1, 0x61, 0xc0, 12, 0, 1, 0, 1]],
    ['half a pointer', [...header(1), 0xc0]],
    ['a label that ends outside', [...header(1), 5, 0x61]],
    ['a label of a reserved kind', [...header(1), 0x40, 0, 0, 1, 0, 1]],
    ['no class', [...header(1), 0, 0, 1, 0]],
  ])('%s is none', (_name, bytes) => {
    expect(dnsQuestions(Uint8Array.from(bytes))).toBeNull();
  });

  test('over TCP a length is in front', () => {
    const message = concat(header(1), wireName('a', 'example'), kind(1));
    const framed = concat(Uint8Array.of(0, message.length), message, message);
    expect(dnsQuestions(framed, { tcp: true })).toEqual([
      { name: 'a.example', type: 'A', class: 'IN' },
    ]);
    expect(dnsQuestions(framed.subarray(0, 1), { tcp: true })).toBeNull();
  });

  test('the header of an answer', () => {
    const flags = 0x8000 | 0x0200 | 3;
    const bytes = concat(header(1, { flags, answers: 2 }), wireName('a'), kind(1));
    expect(dnsMessage(bytes)).toEqual({
      id: 0x1234,
      response: true,
      opcode: 0,
      rcode: 3,
      truncated: true,
      questions: [{ name: 'a', type: 'A', class: 'IN' }],
      answers: 2,
    });
  });

  test('never throws, never gives a name that is too long', () => {
    const near = fc
      .tuple(fc.nat(4), fc.uint8Array({ maxLength: 300 }))
      .map(([count, bytes]) => concat(header(count), bytes));
    fc.assert(
      fc.property(fc.oneof(near, fc.uint8Array({ maxLength: 40 })), fc.boolean(), (bytes, tcp) => {
        for (const { name } of dnsQuestions(bytes, { tcp }) ?? []) {
          expect(name.length).toBeLessThanOrEqual(255 * 4);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
