import { expect, test } from 'vitest';
import { verifyChecksums } from '../../src/divert/verify-checksums.ts';
import { ADDRESS_FLAGS } from '../../src/packet/address.ts';
import { calcChecksums } from '../../src/packet/checksum.ts';
import { icmp, ipv4, ipv6, tcp, udp } from '../helpers/build-packet.ts';

const { TCP_CHECKSUM: TCP, UDP_CHECKSUM: UDP } = ADDRESS_FLAGS;
const ADDRESSES = {
  4: { source: '10.0.0.1', destination: '10.0.0.2' },
  6: { source: '2001:db8::1', destination: '2001:db8::2' },
};
const payload = Uint8Array.from({ length: 101 }, (_, index) => index);
const ip = (version: 4 | 6, protocol: number, data: Uint8Array): Uint8Array =>
  version === 4
    ? ipv4({ ...ADDRESSES[4], protocol }, data)
    : ipv6({ ...ADDRESSES[6], nextHeader: protocol }, data);
const final = (packet: Uint8Array): Uint8Array => {
  calcChecksums(packet);
  return packet;
};
const tcpPacket = (version: 4 | 6): Uint8Array =>
  ip(version, 6, tcp({ sourcePort: 1, destinationPort: 2, checksum: 0x1234 }, payload));
const udpPacket = (version: 4 | 6, checksum = 0x1234): Uint8Array =>
  ip(version, 17, udp({ sourcePort: 1, destinationPort: 2, checksum }, payload));
const flipped = (packet: Uint8Array): Uint8Array => {
  packet[packet.length - 1] = (packet.at(-1) ?? 0) ^ 1;
  return packet;
};

test.each([
  ['TCP over IPv4, right', final(tcpPacket(4)), TCP | UDP],
  ['TCP over IPv6, right', final(tcpPacket(6)), TCP | UDP],
  ['TCP over IPv4, not final', tcpPacket(4), UDP],
  ['TCP over IPv6, one bit flipped', flipped(final(tcpPacket(6))), UDP],
  ['UDP over IPv4, right', final(udpPacket(4)), TCP | UDP],
  ['UDP over IPv6, right', final(udpPacket(6)), TCP | UDP],
  ['UDP over IPv6, not final', udpPacket(6), TCP],
  ['UDP over IPv4 without one', udpPacket(4, 0), TCP | UDP],
  ['UDP over IPv6 without one', udpPacket(6, 0), TCP],
  ['UDP, cut', final(udpPacket(4)).subarray(0, 100), TCP],
  ['ICMP', ip(4, 1, icmp({ type: 8 }, payload)), TCP | UDP],
  ['no packet', new Uint8Array(10), 0],
])('%s', (_, packet, expected) => {
  const memory = new Uint8Array(packet.length + 16);
  memory.set(packet, 8);
  expect(verifyChecksums(memory, 8, packet.length)).toBe(expected);
});
