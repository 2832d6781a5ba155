import { expect, test } from 'vitest';
import { applicationLine } from '../../src/cli/application-line.ts';
import { hexDump, parseHex } from '../../src/cli/hex-dump.ts';
import { formatPacketLine } from '../../src/cli/packet-line.ts';

const CONTEXT = { timestampNs: 1_767_225_600_123_456_789n, direction: 'inbound' } as const;
const ENDS4 = '0a000001 0a000002';
const ENDS6 = `fd00${'00'.repeat(13)}01 fd00${'00'.repeat(13)}02`;

function line(hex: string): string {
  const text = formatPacketLine(parseHex(hex) ?? new Uint8Array(0), CONTEXT, (_name, part) => part);
  return text.replace(/^\S+ in {2}/, '');
}

test.each([
  [
    'TCP with payload',
    `4500002d 0000 4000 4006 0000 ${ENDS4} 9c40 0050 00000064 000000c8 5018 0200 0000 0000 68656c6c6f`,
    'IP  10.0.0.1:40000 > 10.0.0.2:80: TCP [P.], seq 100:105, ack 200, win 512, length 5',
  ],
  [
    'TCP, sequence numbers wrap around',
    `4500002d 0000 4000 4006 0000 ${ENDS4} 9c40 0050 ffffffff 00000000 5002 0200 0000 0000 68656c6c6f`,
    'IP  10.0.0.1:40000 > 10.0.0.2:80: TCP [S], seq 4294967295:4, win 512, length 5',
  ],
  [
    'TCP without flags',
    `45000028 0000 4000 4006 0000 ${ENDS4} 9c40 0050 00000001 00000000 5000 0200 0000 0000`,
    'IP  10.0.0.1:40000 > 10.0.0.2:80: TCP [none], seq 1, win 512, length 0',
  ],
  [
    'all TCP flags',
    `45000028 0000 4000 4006 0000 ${ENDS4} 9c40 0050 00000001 00000002 50ff 0200 0000 0000`,
    'IP  10.0.0.1:40000 > 10.0.0.2:80: TCP [FSRP.UEW], seq 1, ack 2, win 512, length 0',
  ],
  [
    'HTTP over IPv6',
    `60000000 0032 06 40 ${ENDS6} 9c40 0050 00000001 00000002 5018 0200 0000 0000
     474554202f20485454502f312e310d0a486f73743a20620d0a0d0a000000`,
    'IP6 [fd00::1]:40000 > [fd00::2]:80: TCP [P.], seq 1:31, ack 2, win 512, length 30: GET / HTTP/1.1 (b)',
  ],
  [
    'UDP cut by the snap length',
    `45000400 0000 0000 4011 0000 ${ENDS4} 1000 2000 03ec 0000 00`,
    'IP  10.0.0.1:4096 > 10.0.0.2:8192: UDP, length 996',
  ],
  [
    'ICMP unreachable',
    `4500001c 0000 0000 4001 0000 ${ENDS4} 0303 0000 00000000`,
    'IP  10.0.0.1 > 10.0.0.2: ICMP destination unreachable, code 3, length 0',
  ],
  [
    'ICMPv6 neighbor solicitation',
    `60000000 0008 3a ff ${ENDS6} 8700 0000 00000000`,
    'IP6 fd00::1 > fd00::2: ICMPv6 neighbor solicitation, code 0, length 0',
  ],
  [
    'ICMP of an unknown type',
    `4500001c 0000 0000 4001 0000 ${ENDS4} 2a01 0000 00000000`,
    'IP  10.0.0.1 > 10.0.0.2: ICMP type 42, code 1, length 0',
  ],
  [
    'first fragment',
    `45000024 0000 2000 4011 0000 ${ENDS4} 1000 2000 0400 0000 0102030405060708`,
    'IP  10.0.0.1:4096 > 10.0.0.2:8192: first fragment, UDP, length 8',
  ],
  [
    'later fragment',
    `4500001c 0000 0001 4011 0000 ${ENDS4} 0102030405060708`,
    'IP  10.0.0.1 > 10.0.0.2: fragment at 8, UDP, length 8',
  ],
  [
    'another protocol',
    `45000018 0000 0000 402f 0000 ${ENDS4} 00000800`,
    'IP  10.0.0.1 > 10.0.0.2: GRE, length 4',
  ],
  [
    'a protocol without a name',
    `45000018 0000 0000 40fd 0000 ${ENDS4} 00000800`,
    'IP  10.0.0.1 > 10.0.0.2: protocol 253, length 4',
  ],
  ['no IP packet', '0001020304', 'no valid IP header, length 5'],
])('%s', (_name, hex, expected) => {
  expect(line(hex)).toBe(expected);
});

test.each([
  ['outbound', { direction: 'outbound' }, / out IP /],
  ['unknown', { direction: null }, / - {3}IP /],
  ['loopback', { direction: 'outbound', loopback: true }, / lo {2}IP /],
] as const)('direction %s', (_name, context, expected) => {
  const bytes = parseHex(`4500001c 0000 0000 4001 0000 ${ENDS4} 0800 0000 00000000`);
  const text = formatPacketLine(
    bytes ?? new Uint8Array(0),
    { ...CONTEXT, ...context },
    (_style, part) => part,
  );
  expect(text).toMatch(expected);
  expect(text).toMatch(/^\d\d:\d\d:\d\d\.123456 /);
});

const DNS_NAME = '03777777 07 6578616d706c65 00';

test.each([
  ['a request', 'tcp', 'GET /a HTTP/1.1\r\nHost: b.example\r\n\r\n', 'GET /a HTTP/1.1 (b.example)'],
  ['a request without host', 'tcp', 'POST / HTTP/1.0\r\n\r\n', 'POST / HTTP/1.0'],
  ['a status line', 'tcp', 'HTTP/1.1 404 Not Found\r\n\r\n', 'HTTP/1.1 404 Not Found'],
  ['terminal escapes', 'tcp', 'HTTP/1.1 200 \x1b[2J\r\n', 'HTTP/1.1 200 ?[2J'],
  ['something else', 'tcp', 'SSH-2.0-OpenSSH\r\n', null],
  ['HTTP in UDP', 'udp', 'GET / HTTP/1.1\r\n', null],
] as const)('HTTP: %s', (_name, transport, payload, expected) => {
  expect(applicationLine(new TextEncoder().encode(payload), transport, [1, 2])).toBe(expected);
});

test.each([
  ['a question', `1234 0100 0001 0000 0000 0000 ${DNS_NAME} 001c 0001`, 'DNS AAAA? www.example'],
  [
    'an unknown type',
    `1234 0100 0001 0000 0000 0000 ${DNS_NAME} 0100 0001`,
    'DNS URI? www.example',
  ],
  ['the root', '1234 0100 0001 0000 0000 0000 00 0002 0001', 'DNS NS? .'],
  [
    'two answers',
    `1234 8180 0001 0002 0000 0000 ${DNS_NAME} 0001 0001`,
    'DNS A? www.example 2 answers',
  ],
  [
    'no such name',
    `1234 8183 0001 0000 0000 0000 ${DNS_NAME} 0001 0001`,
    'DNS A? www.example NXDomain',
  ],
  [
    'another error',
    `1234 8189 0001 0000 0000 0000 ${DNS_NAME} 0001 0001`,
    'DNS A? www.example error 9',
  ],
  ['no question', '1234 8180 0000 0000 0000 0000', null],
  ['a name that is cut', '1234 0100 0001 0000 0000 0000 03777777 07 6578', null],
  ['a pointer for a name', '1234 0100 0001 0000 0000 0000 c00c 0001 0001', null],
  ['a header that is cut', '1234 0100', null],
])('DNS: %s', (_name, hex, expected) => {
  expect(applicationLine(parseHex(hex) ?? new Uint8Array(0), 'udp', [40000, 53])).toBe(expected);
});

test('other ports are no DNS', () => {
  const payload = parseHex(`1234 0100 0001 0000 0000 0000 ${DNS_NAME} 001c 0001`);
  expect(applicationLine(payload ?? new Uint8Array(0), 'udp', [40000, 54])).toBeNull();
});

test.each([
  ['plain', '0a0B', [10, 11]],
  ['with a prefix', '0x0a0b', [10, 11]],
  ['with colons and blanks', '0a:0b 0c\n0d', [10, 11, 12, 13]],
  ['empty', '', []],
  ['an odd number of digits', '0a0', null],
  ['something else', '0g', null],
])('hexadecimal text: %s', (_name, text, bytes) => {
  expect(parseHex(text)).toEqual(bytes === null ? null : Uint8Array.from(bytes));
});

test('hex dump: 16 bytes a line, dots for what cannot be shown', () => {
  const bytes = Uint8Array.from(
    [...'ABCDEFGHIJKLMNOP'].map((c) => c.charCodeAt(0)).concat(0, 127, 32),
  );
  expect(hexDump(bytes, true)).toEqual([
    '\t0x0000:  4142 4344 4546 4748 494a 4b4c 4d4e 4f50  ABCDEFGHIJKLMNOP',
    `\t0x0010:  ${'007f 20'.padEnd(40)} .. `,
  ]);
});
