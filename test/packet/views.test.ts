import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IcmpView, Icmpv6View } from '../../src/packet/icmp.ts';
import { formatIPv6Address } from '../../src/packet/ip-text.ts';
import { IPv4View } from '../../src/packet/ipv4.ts';
import { IPv6View } from '../../src/packet/ipv6.ts';
import { TcpView } from '../../src/packet/tcp.ts';
import { UdpView } from '../../src/packet/udp.ts';
import { fromHex, toHex } from './vectors.ts';

const IPV4 = '4600002c123460050806abcdc0a8010a5db8d82201010101';
const IPV6 = '6ab1234500181140fe800000000000000000000000001234ff0200000000000000000000000000fb';
const TCP = 'c82201bb1122334455667788605b4000abcd0102020405b4';
const UDP = '14e90035000fd024';
const ICMP = '0804f7ff12340001';

type View = IPv4View | IPv6View | TcpView | UdpView | IcmpView | Icmpv6View;

/** Reads fields of any view by name. */
function field(view: View, name: string): unknown {
  return Reflect.get(view, name);
}

describe('deconstruct', () => {
  test.each<[string, View, Record<string, unknown>]>([
    [
      'ipv4',
      new IPv4View(fromHex(IPV4)),
      {
        version: 4,
        headerLength: 24,
        tos: 0,
        dscp: 0,
        ecn: 0,
        totalLength: 44,
        identification: 0x1234,
        id: 0x1234,
        dontFragment: true,
        moreFragments: true,
        fragmentOffset: 5,
        ttl: 8,
        protocol: 6,
        checksum: 0xabcd,
        sourceAddress: '192.168.1.10',
        srcAddr: '192.168.1.10',
        sourceAddressNumber: 0xc0a8010a,
        destinationAddress: '93.184.216.34',
        dstAddr: '93.184.216.34',
        destinationAddressNumber: 0x5db8d822,
        options: fromHex('01010101'),
      },
    ],
    [
      'ipv6',
      new IPv6View(fromHex(IPV6)),
      {
        version: 6,
        trafficClass: 0xab,
        flowLabel: 0x12345,
        payloadLength: 24,
        nextHeader: 17,
        hopLimit: 64,
        sourceAddress: 'fe80::1234',
        srcAddr: 'fe80::1234',
        sourceAddressWords: [0x1234, 0, 0, 0xfe800000],
        destinationAddress: 'ff02::fb',
        dstAddr: 'ff02::fb',
        destinationAddressWords: [0xfb, 0, 0, 0xff020000],
      },
    ],
    [
      'tcp',
      new TcpView(fromHex(TCP)),
      {
        sourcePort: 51234,
        srcPort: 51234,
        destinationPort: 443,
        dstPort: 443,
        sequenceNumber: 0x11223344,
        acknowledgmentNumber: 0x55667788,
        dataOffset: 6,
        headerLength: 24,
        flags: 0x5b,
        cwr: false,
        ece: true,
        urg: false,
        ack: true,
        psh: true,
        rst: false,
        syn: true,
        fin: true,
        window: 0x4000,
        checksum: 0xabcd,
        urgentPointer: 0x0102,
        options: fromHex('020405b4'),
        payloadLength: 0,
      },
    ],
    [
      'udp',
      new UdpView(fromHex(`${UDP}616263`)),
      { srcPort: 5353, dstPort: 53, length: 15, checksum: 0xd024, payloadLength: 3 },
    ],
    ['icmp', new IcmpView(fromHex(ICMP)), { type: 8, code: 4, checksum: 0xf7ff, body: 0x12340001 }],
    ['icmpv6', new Icmpv6View(fromHex(ICMP)), { type: 8, code: 4, body: 0x12340001 }],
  ])('%s', (_name, view, expected) => {
    const read = Object.fromEntries(Object.keys(expected).map((name) => [name, field(view, name)]));
    expect(read).toEqual(expected);
  });
});

const integer = (maximum: number): fc.Arbitrary<number> => fc.nat({ max: maximum });
const word = integer(0xffff_ffff);
const ipv4Text = word.map(
  (value) => `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`,
);
const words = fc.tuple(word, word, word, word);
const multipleOf4 = fc.constantFrom(20, 24, 40, 60);

type Make = () => View;
const ipv4: Make = () => new IPv4View(fromHex(IPV4));
const ipv6: Make = () => new IPv6View(fromHex(IPV6));
const tcp: Make = () => new TcpView(fromHex(TCP));
const udp: Make = () => new UdpView(fromHex(UDP));
const icmp: Make = () => new IcmpView(fromHex(ICMP));
const icmpv6: Make = () => new Icmpv6View(fromHex(ICMP));

/** Every settable field: what it takes, and the bits of the header it owns. */
const FIELDS: [string, string, Make, fc.Arbitrary<unknown>, string][] = [
  ['ipv4', 'headerLength', ipv4, multipleOf4, '0f'],
  ['ipv4', 'tos', ipv4, integer(255), '00ff'],
  ['ipv4', 'dscp', ipv4, integer(63), '00fc'],
  ['ipv4', 'ecn', ipv4, integer(3), '0003'],
  ['ipv4', 'totalLength', ipv4, integer(0xffff), '0000ffff'],
  ['ipv4', 'identification', ipv4, integer(0xffff), '00000000ffff'],
  ['ipv4', 'id', ipv4, integer(0xffff), '00000000ffff'],
  ['ipv4', 'dontFragment', ipv4, fc.boolean(), '00000000000040'],
  ['ipv4', 'moreFragments', ipv4, fc.boolean(), '00000000000020'],
  ['ipv4', 'fragmentOffset', ipv4, integer(0x1fff), '0000000000001fff'],
  ['ipv4', 'ttl', ipv4, integer(255), `${'00'.repeat(8)}ff`],
  ['ipv4', 'protocol', ipv4, integer(255), `${'00'.repeat(9)}ff`],
  ['ipv4', 'checksum', ipv4, integer(0xffff), `${'00'.repeat(10)}ffff`],
  ['ipv4', 'sourceAddress', ipv4, ipv4Text, `${'00'.repeat(12)}ffffffff`],
  ['ipv4', 'srcAddr', ipv4, ipv4Text, `${'00'.repeat(12)}ffffffff`],
  ['ipv4', 'sourceAddressNumber', ipv4, word, `${'00'.repeat(12)}ffffffff`],
  ['ipv4', 'destinationAddress', ipv4, ipv4Text, `${'00'.repeat(16)}ffffffff`],
  ['ipv4', 'dstAddr', ipv4, ipv4Text, `${'00'.repeat(16)}ffffffff`],
  ['ipv4', 'destinationAddressNumber', ipv4, word, `${'00'.repeat(16)}ffffffff`],
  ['ipv4', 'options', ipv4, bytesOf(4), `${'00'.repeat(20)}ffffffff`],
  ['ipv6', 'trafficClass', ipv6, integer(255), '0ff0'],
  ['ipv6', 'flowLabel', ipv6, integer(0xfffff), '000fffff'],
  ['ipv6', 'payloadLength', ipv6, integer(0xffff), '00000000ffff'],
  ['ipv6', 'nextHeader', ipv6, integer(255), '000000000000ff'],
  ['ipv6', 'hopLimit', ipv6, integer(255), '00000000000000ff'],
  ['ipv6', 'sourceAddressWords', ipv6, words, `${'00'.repeat(8)}${'ff'.repeat(16)}`],
  ['ipv6', 'destinationAddressWords', ipv6, words, `${'00'.repeat(24)}${'ff'.repeat(16)}`],
  ['ipv6', 'srcAddr', ipv6, words.map(formatIPv6Address), `${'00'.repeat(8)}${'ff'.repeat(16)}`],
  ['ipv6', 'dstAddr', ipv6, ipv4Text, `${'00'.repeat(24)}${'ff'.repeat(16)}`],
  ['tcp', 'sourcePort', tcp, integer(0xffff), 'ffff'],
  ['tcp', 'srcPort', tcp, integer(0xffff), 'ffff'],
  ['tcp', 'destinationPort', tcp, integer(0xffff), '0000ffff'],
  ['tcp', 'dstPort', tcp, integer(0xffff), '0000ffff'],
  ['tcp', 'sequenceNumber', tcp, word, '00000000ffffffff'],
  ['tcp', 'acknowledgmentNumber', tcp, word, `${'00'.repeat(8)}ffffffff`],
  ['tcp', 'dataOffset', tcp, fc.integer({ min: 5, max: 15 }), `${'00'.repeat(12)}f0`],
  ['tcp', 'headerLength', tcp, multipleOf4, `${'00'.repeat(12)}f0`],
  ['tcp', 'flags', tcp, integer(255), `${'00'.repeat(13)}ff`],
  ['tcp', 'cwr', tcp, fc.boolean(), `${'00'.repeat(13)}80`],
  ['tcp', 'ece', tcp, fc.boolean(), `${'00'.repeat(13)}40`],
  ['tcp', 'urg', tcp, fc.boolean(), `${'00'.repeat(13)}20`],
  ['tcp', 'ack', tcp, fc.boolean(), `${'00'.repeat(13)}10`],
  ['tcp', 'psh', tcp, fc.boolean(), `${'00'.repeat(13)}08`],
  ['tcp', 'rst', tcp, fc.boolean(), `${'00'.repeat(13)}04`],
  ['tcp', 'syn', tcp, fc.boolean(), `${'00'.repeat(13)}02`],
  ['tcp', 'fin', tcp, fc.boolean(), `${'00'.repeat(13)}01`],
  ['tcp', 'window', tcp, integer(0xffff), `${'00'.repeat(14)}ffff`],
  ['tcp', 'checksum', tcp, integer(0xffff), `${'00'.repeat(16)}ffff`],
  ['tcp', 'urgentPointer', tcp, integer(0xffff), `${'00'.repeat(18)}ffff`],
  ['tcp', 'options', tcp, bytesOf(4), `${'00'.repeat(20)}ffffffff`],
  ['udp', 'sourcePort', udp, integer(0xffff), 'ffff'],
  ['udp', 'srcPort', udp, integer(0xffff), 'ffff'],
  ['udp', 'destinationPort', udp, integer(0xffff), '0000ffff'],
  ['udp', 'dstPort', udp, integer(0xffff), '0000ffff'],
  ['udp', 'length', udp, integer(0xffff), '00000000ffff'],
  ['udp', 'checksum', udp, integer(0xffff), '000000000000ffff'],
  ['icmp', 'type', icmp, integer(255), 'ff'],
  ['icmp', 'code', icmp, integer(255), '00ff'],
  ['icmp', 'checksum', icmp, integer(0xffff), '0000ffff'],
  ['icmp', 'body', icmp, word, '00000000ffffffff'],
  ['icmpv6', 'type', icmpv6, integer(255), 'ff'],
  ['icmpv6', 'code', icmpv6, integer(255), '00ff'],
  ['icmpv6', 'checksum', icmpv6, integer(0xffff), '0000ffff'],
  ['icmpv6', 'body', icmpv6, word, '00000000ffffffff'],
];

function bytesOf(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length });
}

test.each(FIELDS)(
  '%s.%s: what is set is read, and no other bit changes',
  (_kind, name, make, values, mask) => {
    fc.assert(
      fc.property(values, (value) => {
        const view = make();
        const before = view.memory.slice();
        Reflect.set(view, name, value);
        expect(field(view, name)).toEqual(value);
        view.memory.forEach((byte, index) => {
          const owned = Number.parseInt(mask.slice(index * 2, index * 2 + 2) || '00', 16);
          expect((byte ^ before[index]!) & ~owned, `byte ${index}`).toBe(0);
        });
      }),
      { numRuns: 50 },
    );
  },
);

test.each<[string, Make, string, unknown, string]>([
  [
    'a port too large',
    tcp,
    'dstPort',
    65536,
    'RangeError: tcp.destinationPort: expected an integer 0..65535, got 65536',
  ],
  [
    'a negative port',
    udp,
    'srcPort',
    -1,
    'RangeError: udp.sourcePort: expected an integer 0..65535, got -1',
  ],
  ['half a hop', ipv4, 'ttl', 1.5, 'RangeError: ip.ttl: expected an integer 0..255, got 1.5'],
  ['no number', ipv4, 'ttl', '64', 'TypeError: ip.ttl: expected a number, got string'],
  [
    'NaN',
    ipv6,
    'hopLimit',
    Number.NaN,
    'RangeError: ipv6.hopLimit: expected an integer 0..255, got NaN',
  ],
  ['null', icmp, 'type', null, 'TypeError: icmp.type: expected a number, got null'],
  [
    'its own name',
    icmpv6,
    'code',
    256,
    'RangeError: icmpv6.code: expected an integer 0..255, got 256',
  ],
  ['a number as flag', tcp, 'syn', 1, 'TypeError: tcp.syn: expected true or false, got number'],
  [
    'a name as address',
    ipv4,
    'dstAddr',
    'localhost',
    'RangeError: ip.destinationAddress: "localhost" is not an IPv4 address',
  ],
  [
    'the other family',
    ipv4,
    'srcAddr',
    '::1',
    'RangeError: ip.sourceAddress: "::1" is not an IPv4 address',
  ],
  [
    'no address',
    ipv4,
    'srcAddr',
    undefined,
    'TypeError: ip.sourceAddress: expected an IPv4 address, got undefined',
  ],
  [
    'IPv6 with zone',
    ipv6,
    'srcAddr',
    'fe80::1%eth0',
    'RangeError: ipv6.sourceAddress: "fe80::1%eth0" is not an IPv6 address',
  ],
  [
    'three words',
    ipv6,
    'dstAddr',
    [1, 2, 3],
    'RangeError: ipv6.destinationAddress: expected four words, got 3',
  ],
  [
    'a word too large',
    ipv6,
    'dstAddr',
    [1, 2, 3, 2 ** 32],
    'RangeError: ipv6.destinationAddress: expected an integer 0..4294967295, got 4294967296',
  ],
  [
    'no words',
    ipv6,
    'dstAddr',
    7,
    'TypeError: ipv6.destinationAddress: expected text or four words, got number',
  ],
  [
    'a header too short',
    ipv4,
    'headerLength',
    16,
    'RangeError: ip.headerLength: expected a multiple of 4 from 20 to 60, got 16',
  ],
  [
    'an odd header',
    tcp,
    'headerLength',
    22,
    'RangeError: tcp.headerLength: expected a multiple of 4 from 20 to 60, got 22',
  ],
  [
    'a data offset too small',
    tcp,
    'dataOffset',
    4,
    'RangeError: tcp.dataOffset: expected 5..15, got 4',
  ],
  [
    'longer options',
    tcp,
    'options',
    new Uint8Array(8),
    'RangeError: tcp.options: expected the present length, 4 bytes, got 8',
  ],
  [
    'options that are no bytes',
    ipv4,
    'options',
    [1, 1, 1, 1],
    'TypeError: ip.options: expected a Uint8Array',
  ],
])('refused, unchanged: %s', (_name, make, name, value, message) => {
  const view = make();
  const before = toHex(view.memory);
  let thrown: unknown;
  try {
    Reflect.set(view, name, value);
  } catch (error) {
    thrown = error;
  }
  expect(String(thrown)).toBe(message);
  expect(toHex(view.memory)).toBe(before);
});

test.each<[string, new (bytes: Uint8Array, offset?: number) => View, number]>([
  ['IPv4View', IPv4View, 20],
  ['IPv6View', IPv6View, 40],
  ['TcpView', TcpView, 20],
  ['UdpView', UdpView, 8],
  ['IcmpView', IcmpView, 8],
  ['Icmpv6View', Icmpv6View, 8],
])('%s refuses what is too short', (name, Constructor, minimum) => {
  for (let length = 0; length < minimum; length++) {
    expect(() => new Constructor(new Uint8Array(length))).toThrow(RangeError);
  }
  expect(() => new Constructor(new Uint8Array(minimum), 1)).toThrow(
    `${name}: a header of ${minimum} bytes does not fit at 1 of ${minimum}`,
  );
  expect(() => new Constructor(new Uint8Array(minimum), -1)).toThrow(RangeError);
  expect(new Constructor(new Uint8Array(minimum + 3), 3).start).toBe(3);
});
