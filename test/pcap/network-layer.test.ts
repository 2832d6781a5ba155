import { expect, test } from 'vitest';
import { captureDirection, captureInterfaceIndex, networkLayer } from '../../src/pcap/index.ts';
import { hex, toHex } from './helpers.ts';

const IPV4 = `45000017 00000000 40110000 0a000001 0a000002 aabbcc`;
const IPV6 = `60000000 0002 3b 40 ${'fd'.repeat(16)} ${'fe'.repeat(16)} abcd`;
const MACS = '020000000001 020000000002';
const PADDING = '00000000';

test.each([
  ['Ethernet, IPv4, padding', 1, `${MACS} 0800`, IPV4, PADDING],
  ['Ethernet, IPv6, padding', 1, `${MACS} 86dd`, IPV6, PADDING],
  ['Ethernet, 802.1Q', 1, `${MACS} 8100 0064 0800`, IPV4, ''],
  ['Ethernet, 802.1ad and 802.1Q', 1, `${MACS} 88a8 0064 8100 0065 86dd`, IPV6, ''],
  ['Ethernet, two old tags', 1, `${MACS} 9100 0064 9100 0065 0800`, IPV4, ''],
  ['Ethernet, PPPoE', 1, `${MACS} 8864 11000001 0015 0021`, IPV4, PADDING],
  ['PPP', 9, '0057', IPV6, ''],
  ['PPP with address and control', 9, 'ff03 0021', IPV4, ''],
  ['raw', 101, '', IPV4, PADDING],
  ['raw, BSD number', 12, '', IPV6, ''],
  ['raw, OpenBSD number', 14, '', IPV4, ''],
  ['IPv4 only', 228, '', IPV4, ''],
  ['IPv6 only', 229, '', IPV6, PADDING],
  ['Linux cooked', 113, '0000 0001 0006 0200000000010000 0800', IPV4, PADDING],
  ['Linux cooked with a VLAN tag', 113, '0000 0001 0006 0200000000010000 8100 0001 86dd', IPV6, ''],
  ['Linux cooked v2', 276, '0800 0000 00000002 0001 04 06 0200000000010000', IPV4, PADDING],
  ['Linux cooked v2, IPv6', 276, '86dd 0000 00000002 0001 04 06 0200000000010000', IPV6, ''],
  ['BSD loopback, little-endian', 0, '02000000', IPV4, ''],
  ['BSD loopback, big-endian, IPv6', 0, '0000001e', IPV6, ''],
  ['OpenBSD loopback', 108, '00000018', IPV6, ''],
])('%s', (_name, linkType, header, packet, padding) => {
  const found = networkLayer({ linkType, bytes: hex(header + packet + padding) });
  expect(toHex(found ?? hex(''))).toBe(toHex(hex(packet)));
});

test('a packet cut by the snap length is what there is of it', () => {
  const bytes = hex(`${MACS} 0800 ${IPV4}`).subarray(0, 14 + 21);
  expect(networkLayer({ linkType: 1, bytes })).toHaveLength(21);
});

test.each([
  ['IPv4', IPV4.replace('45000017', '45000000')],
  ['IPv6', IPV6.replace('0002', '0000')],
])('length 0 (%s, segmentation left to the card) keeps everything', (_name, packet) => {
  const bytes = hex(packet);
  expect(networkLayer({ linkType: 101, bytes })).toHaveLength(bytes.length);
});

test.each([
  ['ARP', 1, `${MACS} 0806 0001`],
  ['an Ethernet header that is cut', 1, '0200'],
  ['a VLAN tag that is cut', 1, `${MACS} 8100 00`],
  ['an IPv4 header that is cut', 1, `${MACS} 0800 4500`],
  ['an IPv6 header that is cut', 101, '60000000'],
  ['another version', 101, `95${IPV4.slice(2)}`],
  ['nothing', 101, ''],
  ['PPP of another protocol', 9, `c021${IPV4}`],
  ['a link type of something else', 105, IPV4],
])('no IP packet: %s', (_name, linkType, bytes) => {
  expect(networkLayer({ linkType, bytes: hex(bytes) })).toBeNull();
});

test.each([
  ['as the file says', 'inbound', 276, '0800 0000 00000002 0001 04 06', 'inbound'],
  ['cooked: outgoing', null, 113, '0004', 'outbound'],
  ['cooked: to us', null, 113, '0000', 'inbound'],
  ['cooked: multicast', null, 113, '0002', 'inbound'],
  ['cooked: between others', null, 113, '0003', null],
  ['cooked v2: outgoing', null, 276, '0800 0000 00000002 0001 04', 'outbound'],
  ['cooked v2: cut', null, 276, '0800', null],
  ['Ethernet', null, 1, MACS, null],
] as const)('direction: %s', (_name, direction, linkType, bytes, expected) => {
  expect(captureDirection({ direction, linkType, bytes: hex(bytes) })).toBe(expected);
});

test.each([
  ['cooked v2', 276, '0800 0000 00010002 0001 04', 65_538],
  ['cooked v2: cut', 276, '0800 0000 0000', null],
  ['Ethernet', 1, `${MACS} 0800`, null],
])('interface index: %s', (_name, linkType, bytes, expected) => {
  expect(captureInterfaceIndex({ linkType, bytes: hex(bytes) })).toBe(expected);
});
