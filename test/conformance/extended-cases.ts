/**
 * What every filter engine must answer to filters of the extended dialect, by rule.
 *
 * @module
 */

import { FilterSet } from '../../src/filter/extended/filter-set.ts';
import type { AddressInit, Layer } from '../../src/packet/address.ts';
import { icmp, ipv4, ipv6, tcp, text, udp } from '../helpers/build-packet.ts';
import type { FilterCase } from './filter-cases.ts';

const UDP = 17;
const ICMP = 1;

/** From 10.0.0.1 to 192.0.2.7, and from 2001:db8::1 to 2001:db8:ffff::7. */
const PACKETS = {
  tcp: ipv4({}, tcp({ sourcePort: 51234, destinationPort: 443, window: 0x1234 }, text('GET /'))),
  udp: ipv4({ protocol: UDP }, udp({ sourcePort: 5353, destinationPort: 53 }, text('query'))),
  icmp: ipv4({ protocol: ICMP }, icmp({})),
  fragment: ipv4({ fragment: 0x0001 }, tcp({ destinationPort: 443 })),
  tcp6: ipv6({}, tcp({ sourcePort: 51234, destinationPort: 443 })),
} as const;

const SETS: Readonly<Record<string, FilterSet>> = {
  hosts: new FilterSet(['10.0.0.1', '192.0.2.8', '2001:db8::1', 443]),
  blocks: new FilterSet(['192.0.2.0/29', '2001:db8:ffff::/48', '::/127']),
  ports: new FilterSet([53, '443', 8080]),
  everything: new FilterSet(['::/0']),
  ipv4: new FilterSet(['0.0.0.0/0']),
  empty: new FilterSet(),
  top: new FilterSet([0xffff_ffff, 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']),
};

type Row = readonly [
  filter: string,
  packet: keyof typeof PACKETS,
  expected: boolean,
  address?: AddressInit,
];

const CURL: AddressInit = { processId: 4711, userId: 1000, processName: 'curl' };

const NEGATION: readonly Row[] = [
  ['not (tcp.DstPort == 443)', 'tcp', false],
  ['not (tcp.DstPort == 443)', 'udp', true],
  ['not tcp.DstPort == 443', 'udp', false],
  ['!(tcp.DstPort != 443)', 'tcp', true],
  ['!(tcp.DstPort != 443)', 'udp', true],
  ['not (tcp or udp)', 'icmp', true],
  ['not (tcp or udp)', 'udp', false],
  ['not (tcp and tcp.DstPort == 443)', 'fragment', true],
  ['not not (udp.DstPort == 53)', 'udp', true],
  ['not not (udp.DstPort == 53)', 'tcp', false],
  ['not (not (udp))', 'udp', true],
  ['not (tcp? tcp.DstPort == 443: udp)', 'tcp', false],
  ['not (tcp? tcp.DstPort == 443: udp)', 'icmp', true],
  ['ip and not (udp) and not (tcp)', 'icmp', true],
  ['not (true)', 'tcp', false],
  ['not (tcp.DstPort == 70000)', 'udp', false],
];

const BLOCKS: readonly Row[] = [
  ['ip.SrcAddr == 10.0.0.0/8', 'tcp', true],
  ['ip.DstAddr == 10.0.0.0/8', 'tcp', false],
  ['ip.DstAddr != 10.0.0.0/8', 'tcp', true],
  ['ip.DstAddr != 10.0.0.0/8', 'tcp6', false],
  ['not ip.DstAddr == 10.0.0.0/8', 'tcp6', false],
  ['not (ip.DstAddr == 10.0.0.0/8)', 'tcp6', true],
  ['ip.SrcAddr == 10.0.0.1/32', 'tcp', true],
  ['ip.SrcAddr == 10.0.0.2/31', 'tcp', false],
  ['ip.SrcAddr == 0.0.0.0/0', 'tcp', true],
  ['ip.SrcAddr == 0.0.0.0/0', 'tcp6', false],
  ['ip.SrcAddr != 0.0.0.0/0', 'tcp6', false],
  ['ip.SrcAddr == 0.0.0.0/5', 'tcp', false],
  ['ip.SrcAddr == 0.0.0.0/4', 'tcp', true],
  ['ip.DstAddr == 128.0.0.0/1', 'tcp', true],
  ['ipv6.SrcAddr == 2001:db8::/32', 'tcp6', true],
  ['ipv6.DstAddr == 2001:db8::/33', 'tcp6', false],
  ['ipv6.DstAddr == 2001:db8:8000::/33', 'tcp6', true],
  ['ipv6.SrcAddr == ::/0', 'tcp6', true],
  ['ipv6.SrcAddr == ::/0', 'tcp', false],
  ['localAddr == 10.0.0.0/8', 'tcp', true, { outbound: true }],
  ['remoteAddr == 10.0.0.0/8', 'tcp', true],
  ['localAddr == 192.0.2.0/24', 'tcp', true],
  ['localAddr == 0.0.0.0/0', 'tcp6', false],
  ['remoteAddr == 2001:db8::/32', 'tcp6', true],
  ['remoteAddr == ::ffff:0:0/96', 'tcp', true],
  ['localAddr == ::/0', 'tcp', true],
];

const many = (from: number, count: number): string =>
  Array.from({ length: count }, (_, index) => from + 2 * index).join(', ');

const MEMBERS: readonly Row[] = [
  ['tcp.DstPort in { 80, 443 }', 'tcp', true],
  ['tcp.DstPort in {80,8000..8100,}', 'tcp', false],
  ['tcp.DstPort not in { 80, 443 }', 'tcp', false],
  ['tcp.DstPort not in { 80 }', 'tcp', true],
  ['tcp.DstPort not in { 80 }', 'udp', false],
  ['not tcp.DstPort in { 80 }', 'udp', false],
  ['not tcp.DstPort not in { 443 }', 'tcp', true],
  ['not (tcp.DstPort in { 443 })', 'udp', true],
  ['tcp.DstPort in { 0..442, 444..65535 }', 'tcp', false],
  ['tcp.DstPort in { 0 .. 443 }', 'tcp', true],
  ['tcp.DstPort in { 0..65535 }', 'tcp', true],
  ['tcp.DstPort in { 0..65535 }', 'udp', false],
  ['tcp.DstPort not in { 0..65535 }', 'udp', false],
  ['packet[0] in { 0..255 }', 'tcp', true],
  ['tcp.Payload[5] in { 0..255 }', 'tcp', false],
  ['tcp.Payload[4] in { 0..255 }', 'tcp', true],
  [`tcp.DstPort in { ${many(401, 30)} }`, 'tcp', true],
  [`tcp.DstPort in { ${many(402, 30)} }`, 'tcp', false],
  [`tcp.DstPort not in { ${many(402, 30)} }`, 'tcp', true],
  [`tcp.DstPort not in { ${many(402, 30)} }`, 'udp', false],
  [`not (tcp.DstPort in { ${many(401, 30)} })`, 'udp', true],
  [`tcp.DstPort in { ${many(1, 400)} }`, 'tcp', true],
  [`tcp.DstPort in { ${many(0, 400)} }`, 'tcp', false],
  [`remotePort in { ${many(51_200, 40)} } and localPort in { ${many(401, 40)} }`, 'tcp', true],
  ['ip.SrcAddr in { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 }', 'tcp', true],
  ['ip.DstAddr in { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 }', 'tcp', false],
  ['ip.DstAddr in { 192.0.2.0..192.0.2.7 }', 'tcp', true],
  [`ip.SrcAddr in { ${many(1, 20).replaceAll(/\d+/g, '10.0.0.$&')} }`, 'tcp', true],
  [`ip.DstAddr in { ${many(1, 20).replaceAll(/\d+/g, '10.0.0.$&')} }`, 'tcp', false],
  [`ipv6.SrcAddr in { ${many(1, 20).replaceAll(/\d+/g, '2001:db8::$&')} }`, 'tcp6', true],
  [`ipv6.SrcAddr in { ${many(2, 20).replaceAll(/\d+/g, '2001:db8::$&')} }`, 'tcp6', false],
  [`localAddr in { ${many(1, 40).replaceAll(/\d+/g, '192.0.2.$&')} }`, 'tcp', true],
  [`localAddr in { ${many(1, 100).replaceAll(/\d+/g, '192.0.2.$&')} }`, 'tcp', true],
  [`localAddr in { ${many(1, 100).replaceAll(/\d+/g, '192.0.3.$&')} }`, 'tcp', false],
  ['protocol in { TCP, UDP }', 'udp', true],
  ['ip.Protocol in { TCP, UDP }', 'icmp', false],
  ['udp in { 1 }', 'udp', true],
];

const NAMED: readonly Row[] = [
  ['ip.SrcAddr in @hosts', 'tcp', true],
  ['ip.DstAddr in @hosts', 'tcp', false],
  ['ip.SrcAddr in @hosts', 'tcp6', false],
  ['ip.SrcAddr not in @hosts', 'tcp6', false],
  ['not (ip.SrcAddr in @hosts)', 'tcp6', true],
  ['ipv6.SrcAddr in @hosts', 'tcp6', true],
  ['remoteAddr in @hosts', 'tcp', true],
  ['remoteAddr in @hosts', 'tcp6', true],
  ['tcp.DstPort in @hosts', 'tcp', true],
  ['ip.DstAddr in @blocks', 'tcp', true],
  ['ip.SrcAddr in @blocks', 'tcp', false],
  ['ipv6.DstAddr in @blocks', 'tcp6', true],
  ['tcp.DstPort in @ports', 'tcp', true],
  ['udp.DstPort in @ports or tcp.DstPort in @ports', 'udp', true],
  ['tcp.SrcPort in @ports', 'tcp', false],
  ['tcp.SrcPort in @everything', 'tcp', true],
  ['ip.SrcAddr in @everything', 'tcp', true],
  ['ip.SrcAddr in @ipv4', 'tcp', true],
  ['tcp.DstPort in @ipv4', 'tcp', false],
  ['remoteAddr in @ipv4', 'tcp6', false],
  ['tcp.DstPort in @empty', 'tcp', false],
  ['tcp.DstPort not in @empty', 'tcp', true],
  ['icmp.Type in @blocks', 'icmp', false],
  ['icmp.Code in @blocks', 'icmp', true],
  ['event in @blocks', 'tcp', true],
  ['subIfIdx in @blocks and ifIdx not in @blocks', 'tcp', true, { interfaceIndex: 3 }],
  ['processId in @ports', 'tcp', true, { processId: 8080 }],
  ['processId in @ports', 'tcp', false],
  ['userId in @top', 'tcp', true, { processId: 1, userId: 0xffff_ffff }],
];

const MASKS: readonly Row[] = [
  ['tcp.Window & 0xff00 == 0x1200', 'tcp', true],
  ['tcp.Window & 0xff00 == 0x1234', 'tcp', false],
  ['tcp.Window & 0xff00 != 0x1200', 'udp', false],
  ['(tcp.Window & 0x00ff) == 0x34 and ip', 'tcp', true],
  ['not tcp.Window & 0xff == 0x34', 'tcp', false],
  ['not (tcp.Window & 0xff) == 0x34', 'udp', false],
  ['not (tcp.Window & 0xff == 0x34)', 'udp', true],
  ['tcp.Window & 0x10', 'tcp', true],
  ['tcp.Window & 0x40', 'tcp', false],
  ['not tcp.Window & 0x40', 'tcp', true],
  ['not tcp.Window & 0x40', 'udp', false],
  ['tcp.Window & 0 == 0', 'tcp', true],
  ['tcp.Window & 0 == 0', 'udp', false],
  ['tcp.Window & 0xf0 < 0x40', 'tcp', true],
  ['tcp.Window & 0xf0 >= 0x40', 'tcp', false],
  ['packet32[0] & 0xf0000000 == 0x40000000', 'tcp', true],
  ['packet32[0] & 0xf0000000 > 0x50000000', 'tcp6', true],
  ['tcp.Payload32[0] & 0xffffff00 == 0x47455400', 'tcp', true],
  ['tcp.SeqNum & 0x80000000 == 0', 'tcp', true],
  ['tcp.Ack & 1 == 1', 'tcp', true],
  ['tcp & 1', 'udp', false],
  ['not tcp & 1', 'udp', true],
  ['ip.SrcAddr & 255.0.0.255 == 10.0.0.1', 'tcp', true],
  ['ip.DstAddr & 0.0.0.15 == 0.0.0.7', 'tcp', true],
  ['ip.SrcAddr & 0xff', 'tcp', true],
  ['ip.SrcAddr & 0xff == 1', 'tcp', true],
  ['ip.SrcAddr & 255.0.0.0 == 10.0.0.0', 'tcp6', false],
  ['ipv6.DstAddr & ffff:ffff:ffff::f == 2001:db8:ffff::7', 'tcp6', true],
  ['ipv6.DstAddr & ::f == ::8', 'tcp6', false],
  ['remoteAddr & 255.0.0.0 == 10.0.0.0', 'tcp', true],
  ['remoteAddr & 0.0.0.0 == 0.0.0.0', 'tcp6', false],
  ['remoteAddr & ::ff == ::1', 'tcp6', true],
  ['tcp.DstPort & 0x1 == 1 && tcp.SrcPort & 0x1 == 0', 'tcp', true],
];

const PROCESS: readonly Row[] = [
  ['processName == "curl"', 'tcp', true, CURL],
  ['processName == "cur"', 'tcp', false, CURL],
  ['processName != "nc"', 'tcp', true, CURL],
  ['processName != "nc"', 'tcp', false],
  ['not processName == "nc"', 'tcp', false],
  ['not (processName == "nc")', 'tcp', true],
  ['processName in { "nc", "curl" }', 'udp', true, CURL],
  ['processName not in { "nc", "curl" }', 'udp', false, CURL],
  ['processName == "fifteen_letters"', 'tcp', true, { processName: 'fifteen_letters' }],
  ['processName == "fifteen_letters"', 'tcp', true, { processName: 'fifteen_letters_and_more' }],
  ['processName == "a\\"b\\\\c"', 'tcp', true, { processName: 'a"b\\c' }],
  ['processName == "öä"', 'tcp', true, { processName: 'öä' }],
  ['processId == 4711', 'tcp', true, CURL],
  ['processId != 4711', 'tcp', false],
  ['processId > 4000 and processId <= 4711', 'icmp', true, CURL],
  ['processId in { 1..5, 4000..5000 }', 'tcp6', true, CURL],
  ['processId in { 0..4294967295 }', 'tcp', true, CURL],
  ['processId in { 0..4294967295 }', 'tcp', false],
  ['userId == 1000', 'tcp', true, CURL],
  ['userId', 'tcp', false, { processId: 1, userId: 0 }],
  ['not userId', 'tcp', true, { processId: 1, userId: 0 }],
  ['not userId', 'tcp', false],
  ['userId & 0xff == 0xe8', 'tcp', true, CURL],
  ['tcp and processName == "curl" and tcp.DstPort == 443', 'tcp', true, CURL],
  ['udp or processName == "curl" and ip.SrcAddr == 10.0.0.0/8', 'tcp', true, CURL],
];

function onPackets(rule: string, rows: readonly Row[]): FilterCase[] {
  return rows.map(([filter, packet, expected, address = {}]) => ({
    rule: `extended: ${rule}`,
    name: `${filter.slice(0, 80)} on ${packet} ${JSON.stringify(address)}: ${expected}`,
    filter,
    layer: 'network',
    packet: PACKETS[packet],
    address: { layer: 'network', ipv6: packet === 'tcp6', ...address },
    expected,
    options: { dialect: 'extended', sets: SETS },
  }));
}

const FLOW: AddressInit = {
  outbound: true,
  protocol: 6,
  localAddress: '10.0.0.1',
  localPort: 51234,
  remoteAddress: '192.0.2.7',
  remotePort: 443,
  endpointId: 0x1_0000_0002n,
  ...CURL,
};

type EventRow = readonly [filter: string, expected: boolean, address?: AddressInit];

const EVENT_ROWS: readonly EventRow[] = [
  ['not (tcp and remotePort == 443)', false],
  ['remoteAddr == 192.0.2.0/24', true],
  ['remoteAddr in { 10.0.0.0/8, 192.0.2.7 }', true],
  [`remoteAddr in { ${many(1, 20).replaceAll(/\d+/g, '192.0.2.$&')} }`, true],
  [`remotePort not in { ${many(401, 40)} }`, false],
  [`endpointId in { ${many(1, 40)}, 4294967298 }`, true],
  [`endpointId in { ${many(1, 40)} }`, false],
  ['remoteAddr in @blocks', true],
  ['remotePort & 0xff == 0xbb', true],
  ['endpointId & 0xff00000000 == 0x100000000', true],
  ['remoteAddr & 255.255.255.0 == 192.0.2.0', true],
  ['localAddr & ::ff == ::2', false],
  ['protocol in { 6, 17 } and outbound', true],
  ['processName == "curl" and userId == 1000 and processId == 4711', true],
  ['processName in { "nc", "node" }', false],
  ['processName == "curl"', false, { processId: 0, userId: undefined, processName: undefined }],
  ['userId in { 0..999, 1001..4294967295 }', false],
  [`userId in { ${many(1000, 20)} }`, true],
];

function onEvents(layer: Layer): FilterCase[] {
  return EVENT_ROWS.map(([filter, expected, address = {}]) => ({
    rule: 'extended: events',
    name: `${filter.slice(0, 80)} ${JSON.stringify(address)}: ${expected}`,
    filter,
    layer,
    packet: null,
    address: { layer, ...FLOW, ...address } as AddressInit,
    expected,
    options: { dialect: 'extended', sets: SETS },
  }));
}

/** Every case of the extended dialect. */
export const EXTENDED_CASES: readonly FilterCase[] = [
  ...onPackets('negation', NEGATION),
  ...onPackets('prefixes', BLOCKS),
  ...onPackets('members', MEMBERS),
  ...onPackets('named sets', NAMED),
  ...onPackets('masks', MASKS),
  ...onPackets('process', PROCESS),
  ...onEvents('flow'),
  ...onEvents('socket'),
];
