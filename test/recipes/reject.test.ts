import { describe, expect, test } from 'vitest';
import { Packet, parsePacket } from '../../src/packet/index.ts';
import { rejectAnswers } from '../../src/recipes/reject/answers.ts';
import {
  concat,
  fragmentHeader,
  icmp,
  ipv4,
  ipv6,
  type TcpOptions,
  tcp,
  text,
  udp,
} from '../helpers/build-packet.ts';

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;
const UDP = 17;
const ICMP = 1;
const ICMPV6 = 58;
const NONE = new Uint8Array(0);

const families = {
  ipv4: (protocol: number, data: Uint8Array): Uint8Array => ipv4({ protocol }, data),
  ipv6: (nextHeader: number, data: Uint8Array): Uint8Array => ipv6({ nextHeader }, data),
} as const;
const FAMILIES = ['ipv4', 'ipv6'] as const;

const outbound = (bytes: Uint8Array): Packet => new Packet(bytes, { outbound: true });
const answersTo = (bytes: Uint8Array) => rejectAnswers(outbound(bytes));

function describeReset(bytes: Uint8Array) {
  const packet = new Packet(bytes, {});
  const ip = packet.ip ?? packet.ipv6;
  const header = packet.tcp;
  if (!ip || !header) throw new Error('not TCP');
  return {
    from: `${ip.srcAddr}:${header.srcPort}`,
    to: `${ip.dstAddr}:${header.dstPort}`,
    sequence: header.sequenceNumber,
    acknowledgment: header.acknowledgmentNumber,
    flags: header.flags,
    payload: packet.payload.length,
  };
}

describe.each([
  ['ipv4', '10.0.0.1:51234', '192.0.2.7:443'],
  ['ipv6', '2001:db8::1:51234', '2001:db8:ffff::7:443'],
] as const)('TCP over %s', (family, source, destination) => {
  const segment = (options: TcpOptions, payload: Uint8Array = NONE): Uint8Array =>
    families[family](6, tcp(options, payload));

  test('a SYN: one reset, which acknowledges it', () => {
    const [answer, ...others] = answersTo(segment({ sequence: 1000, flags: SYN }));
    expect(others).toEqual([]);
    expect(answer?.to).toBe('source');
    expect(describeReset(answer?.bytes ?? NONE)).toEqual({
      from: destination,
      to: source,
      sequence: 0,
      acknowledgment: 1001,
      flags: RST | ACK,
      payload: 0,
    });
  });

  test('a SYN with data, FIN and sequence numbers that turn over', () => {
    const syn = segment({ sequence: 0xffff_fffe, flags: SYN | FIN }, text('abc'));
    expect(describeReset(answersTo(syn)[0]?.bytes ?? NONE)).toMatchObject({ acknowledgment: 3 });
  });

  test('data: a reset for each end, where it expects the next byte', () => {
    const bytes = segment({ sequence: 1000, acknowledgment: 77, flags: ACK }, text('data'));
    const [back, on] = answersTo(bytes);
    expect([back?.to, on?.to]).toEqual(['source', 'destination']);
    expect(describeReset(back?.bytes ?? NONE)).toEqual({
      from: destination,
      to: source,
      sequence: 77,
      acknowledgment: 0,
      flags: RST,
      payload: 0,
    });
    expect(describeReset(on?.bytes ?? NONE)).toEqual({
      from: source,
      to: destination,
      sequence: 1000,
      acknowledgment: 77,
      flags: RST | ACK,
      payload: 0,
    });
  });

  test('a reset is not answered', () => {
    expect(answersTo(segment({ flags: RST | ACK }))).toEqual([]);
  });
});

describe.each([
  ['ipv4', ICMP, 3, { network: 0, host: 1, port: 3, prohibited: 13 }, 576],
  ['ipv6', ICMPV6, 1, { network: 0, host: 3, port: 4, prohibited: 1 }, 1280],
] as const)('others over %s', (family, protocol, type, codes, longest) => {
  const datagram = families[family](UDP, udp({}, text('question')));

  test.each(Object.entries(codes))('%s is code %i', (reason, code) => {
    const [answer, ...others] = rejectAnswers(outbound(datagram), {
      reason: reason as keyof typeof codes,
    });
    expect(others).toEqual([]);
    const packet = new Packet(answer?.bytes ?? NONE, {});
    const header = packet.icmp ?? packet.icmpv6;
    expect({ type: header?.type, code: header?.code }).toEqual({ type, code });
    expect([...packet.payload]).toEqual([...datagram]);
    const [ip, asked] = [packet.ip ?? packet.ipv6, outbound(datagram)];
    expect(ip?.srcAddr).toBe((asked.ip ?? asked.ipv6)?.dstAddr);
    expect(ip?.dstAddr).toBe((asked.ip ?? asked.ipv6)?.srcAddr);
    expect(parsePacket(answer?.bytes ?? NONE)?.protocol).toBe(protocol);
  });

  test('a long packet is quoted in part', () => {
    const long = families[family](UDP, udp({}, new Uint8Array(3000)));
    expect(answersTo(long)[0]?.bytes.length).toBe(longest);
  });

  test('an unknown protocol is answered', () => {
    expect(answersTo(families[family](132, new Uint8Array(20)))).toHaveLength(1);
  });
});

test('a wrong reason is refused', () => {
  const bytes = ipv4({ protocol: UDP }, udp({}));
  expect(() => rejectAnswers(outbound(bytes), { reason: 'because' as 'port' })).toThrow(
    "'network', 'host', 'port', 'prohibited'",
  );
});

describe('not answered', () => {
  const question = udp({}, text('question'));
  test.each([
    ['no packet', text('hello, this is no packet at all')],
    ['an ICMP error', ipv4({ protocol: ICMP }, icmp({ type: 3, code: 3 }, new Uint8Array(28)))],
    ['an ICMP redirect', ipv4({ protocol: ICMP }, icmp({ type: 5 }))],
    ['an ICMPv6 error', ipv6({ nextHeader: ICMPV6 }, icmp({ type: 1 }, new Uint8Array(48)))],
    ['an ICMPv6 redirect', ipv6({ nextHeader: ICMPV6 }, icmp({ type: 137 }, new Uint8Array(40)))],
    ['broadcast', ipv4({ protocol: UDP, destination: '255.255.255.255' }, question)],
    ['multicast', ipv4({ protocol: UDP, destination: '239.1.2.3' }, question)],
    ['IPv6 multicast', ipv6({ nextHeader: UDP, destination: 'ff02::fb' }, question)],
    ['from nobody', ipv4({ protocol: UDP, source: '0.0.0.0' }, question)],
    ['from nobody, IPv6', ipv6({ nextHeader: UDP, source: '::' }, question)],
    ['from a group', ipv4({ protocol: UDP, source: '224.0.0.1' }, question)],
    ['from lo on a device', ipv4({ protocol: UDP, source: '127.0.0.1' }, question)],
    ['a later piece', ipv4({ protocol: UDP, fragment: 0x2001 }, question)],
    [
      'a later piece, IPv6',
      ipv6({ nextHeader: 44 }, concat(fragmentHeader(UDP, 8 * 5 + 1), question)),
    ],
    ['TCP that is cut off', ipv4({ protocol: 6 }, new Uint8Array(12))],
    ['ICMP that is cut off', ipv4({ protocol: ICMP }, Uint8Array.of(8, 0, 0))],
  ])('%s', (_name, bytes) => {
    expect(answersTo(bytes)).toEqual([]);
  });
});

describe('answered', () => {
  test.each([
    ['an echo request', ipv4({ protocol: ICMP }, icmp({ type: 8 }))],
    ['an ICMPv6 echo request', ipv6({ nextHeader: ICMPV6 }, icmp({ type: 128 }))],
    ['a first piece', ipv4({ protocol: UDP, fragment: 0x2000 }, udp({}, new Uint8Array(64)))],
  ])('%s', (_name, bytes) => {
    expect(answersTo(bytes)).toHaveLength(1);
  });

  test('lo on lo', () => {
    const bytes = ipv4({ protocol: UDP, source: '127.0.0.1', destination: '127.0.0.1' }, udp({}));
    const packet = new Packet(bytes, { outbound: true, loopback: true });
    expect(rejectAnswers(packet)).toHaveLength(1);
  });
});

test.each(FAMILIES)('checksums of answers over %s are right', (family) => {
  for (const bytes of [
    families[family](6, tcp({ flags: ACK }, text('x'))),
    families[family](UDP, udp({}, text('odd'))),
  ]) {
    for (const answer of answersTo(bytes)) {
      const filled = answer.bytes.slice();
      const packet = new Packet(filled, { outbound: true });
      packet.finish();
      expect(answer.bytes).toEqual(filled);
    }
  }
});
