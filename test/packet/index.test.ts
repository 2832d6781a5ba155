import { expect, test } from 'vitest';
import * as packet from '../../src/packet/index.ts';

test('the public names', () => {
  expect(Object.keys(packet).sort()).toEqual([
    'CHECKSUM_FLAGS',
    'IPv4View',
    'IPv6View',
    'IcmpView',
    'Icmpv6View',
    'Packet',
    'StreamHead',
    'TcpView',
    'UdpView',
    'calcChecksums',
    'decrementTtl',
    'dnsMessage',
    'dnsQuestions',
    'formatIPv4Address',
    'formatIPv6Address',
    'hashPacket',
    'httpRequest',
    'parseIPv4Address',
    'parseIPv6Address',
    'parsePacket',
    'tlsServerName',
  ]);
});
