/**
 * What every filter engine must answer, by rule. Object strings reach what text cannot.
 *
 * @module
 */

import type { CompileOptions } from '../../src/filter/compile.ts';
import { FIELD } from '../../src/filter/fields.ts';
import type { FilterTest } from '../../src/filter/graph.ts';
import { writeObject } from '../../src/filter/object.ts';
import type { AddressInit, Layer } from '../../src/packet/address.ts';
import {
  concat,
  extension,
  fragmentHeader,
  icmp,
  ipv4,
  ipv6,
  tcp,
  text,
  udp,
} from '../helpers/build-packet.ts';

export type Verdict = boolean | 'invalid-parameter' | 'unknown';

/** One filter held against one packet or event. */
export interface FilterCase {
  readonly rule: string;
  readonly name: string;
  readonly filter: string;
  readonly layer: Layer;
  readonly packet: Uint8Array | null;
  readonly address: AddressInit;
  readonly expected: Exclude<Verdict, 'unknown'>;
  /** Dialect and sets; default WinDivert's. */
  readonly options?: CompileOptions;
}

const UDP = 17;
const ICMP = 1;
const ICMPV6 = 58;
const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;

const request = text('GET / HTTP/1.1\r\n');
const http = ipv4({}, tcp({ destinationPort: 80 }, request));
const dns = ipv4({ protocol: UDP }, udp({}, text('query')));
const ping = ipv4({ protocol: ICMP }, icmp({}, text('abcd')));
const tcp6 = ipv6({ trafficClass: 0xab, flowLabel: 0x12345 }, tcp({}, request));
const ping6 = ipv6({ nextHeader: ICMPV6 }, icmp({ type: 128 }, text('abcd')));
const hopByHop = extension(60, 1, 16);
const chain = ipv6(
  { nextHeader: 0 },
  concat(
    hopByHop,
    extension(43, 0, 8),
    extension(51, 2, 24),
    extension(44, 2, 16),
    fragmentHeader(6, 1),
    tcp({}),
  ),
);

const PACKETS = {
  http,
  dns,
  ping,
  tcp6,
  ping6,
  options: ipv4(
    { options: new Uint8Array(12).fill(1) },
    tcp({ options: new Uint8Array(8) }, request),
  ),
  'first fragment': ipv4({ fragment: MORE_FRAGMENTS }, tcp({}, request)),
  'later fragment': ipv4({ fragment: 100 }, tcp({}, request)),
  "don't fragment": ipv4({ fragment: DONT_FRAGMENT }, tcp({})),
  chain,
  'ipv6 first fragment': ipv6({ nextHeader: 44 }, concat(fragmentHeader(UDP, 1), udp({}))),
  'ipv6 later fragment': ipv6({ nextHeader: 44 }, concat(fragmentHeader(UDP, 8), udp({}))),
  'ipv6 atomic fragment': ipv6({ nextHeader: 44 }, concat(fragmentHeader(UDP, 0), udp({}))),
  'two fragment headers': ipv6(
    { nextHeader: 44 },
    concat(fragmentHeader(44, 0), fragmentHeader(UDP, 0), udp({})),
  ),
  'extension cut': ipv6({ nextHeader: 60 }, extension(6, 9, 8)),
  'no next header': ipv6({ nextHeader: 59 }, tcp({})),
  esp: ipv6({ nextHeader: 50 }, tcp({})),
  'mobility header': ipv6({ nextHeader: 135 }, concat(extension(UDP, 0, 8), udp({}))),
  'icmp in ipv6': ipv6({ nextHeader: ICMP }, icmp({})),
  'icmpv6 in ipv4': ipv4({ protocol: ICMPV6 }, icmp({})),
  'tcp offset 4': ipv4({}, tcp({ dataOffset: 4 }, request)),
  'tcp offset 15': ipv4({}, tcp({ dataOffset: 15 }, text('abc'))),
  'tcp cut': ipv4({}, tcp({}).subarray(0, 19)),
  'udp cut': ipv4({ protocol: UDP }, udp({}).subarray(0, 7)),
  truncated: http.subarray(0, 45),
  'trailing bytes': concat(http, text('tail')),
  'short length': ipv4({ totalLength: 44 }, tcp({ destinationPort: 80 }, request)),
  'high sequence': ipv4({}, tcp({ sequence: 0xffffffff, acknowledgment: 5 })),
  igmp: ipv4({ protocol: 2 }, new Uint8Array(8)),
  'header only': ipv4({ totalLength: 20 }, new Uint8Array(0)),
  'version 5': Uint8Array.from(http, (byte, at) => (at === 0 ? 0x55 : byte)),
  'header length 4': Uint8Array.from(http, (byte, at) => (at === 0 ? 0x44 : byte)),
  'length below header': ipv4({ totalLength: 19 }, new Uint8Array(20)),
  'options cut': ipv4({ options: new Uint8Array(40) }, tcp({})).subarray(0, 59),
  'ipv6 cut': tcp6.subarray(0, 39),
  'too short': http.subarray(0, 19),
  empty: new Uint8Array(0),
} as const;
type PacketName = keyof typeof PACKETS;

type Row = readonly [
  filter: string,
  packet: PacketName,
  expected: FilterCase['expected'],
  address?: AddressInit,
];

function isIPv6(packet: Uint8Array): boolean {
  return (packet[0] ?? 0) >> 4 === 6;
}

function onPackets(rule: string, layer: 'network' | 'forward', rows: readonly Row[]): FilterCase[] {
  return rows.map(([filter, name, expected, address = {}]) => ({
    rule,
    name: `${filter} on ${name}${describeAddress(address)}: ${expected}`,
    filter,
    layer,
    packet: PACKETS[name],
    address: { layer, ipv6: isIPv6(PACKETS[name]), ...address },
    expected,
  }));
}

function describeAddress(address: AddressInit): string {
  const parts = Object.entries(address).map(([key, value]) => `${key} ${String(value)}`);
  return parts.length === 0 ? '' : ` with ${parts.join(', ')}`;
}

type EventRow = readonly [filter: string, expected: FilterCase['expected'], address?: AddressInit];

function onEvents(
  rule: string,
  layer: Layer,
  common: AddressInit,
  rows: readonly EventRow[],
  packet: Uint8Array | null = null,
): FilterCase[] {
  return rows.map(([filter, expected, address = {}]) => ({
    rule,
    name: `${filter} on ${layer}${describeAddress(address)}: ${expected}`,
    filter,
    layer,
    packet,
    address: { layer, ...common, ...address },
    expected,
  }));
}

/** Object string of a filter of one test. */
function object(test: Partial<FilterTest> & Pick<FilterTest, 'field'>): string {
  const rest = { operator: '=', negative: false, value: [0, 0, 0, 0], index: 0 } as const;
  return writeObject([{ ...rest, success: 'accept', failure: 'reject', ...test }]);
}

/** `first`, and where it fails the field `second` compared with 0. */
function objectOfTwo(first: number, second: number): string {
  const rest = { operator: '!=', negative: false, value: [0, 0, 0, 0], index: 0 } as const;
  return writeObject([
    { ...rest, field: first, success: 'accept', failure: 1 },
    { ...rest, field: second, success: 'accept', failure: 'reject' },
  ]);
}

const PARSE: readonly Row[] = [
  ['true', 'http', true],
  ['false', 'http', false],
  ['true', 'version 5', 'invalid-parameter'],
  ['true', 'header length 4', 'invalid-parameter'],
  ['true', 'length below header', 'invalid-parameter'],
  ['true', 'options cut', 'invalid-parameter'],
  ['true', 'ipv6 cut', 'invalid-parameter'],
  ['true', 'too short', 'invalid-parameter'],
  ['true', 'empty', 'invalid-parameter'],
  ['true', 'http', 'invalid-parameter', { ipv6: true }],
  ['true', 'tcp6', 'invalid-parameter', { ipv6: false }],
  ['ip.Length == 20 and ip.Protocol == 6', 'header only', true],
  ['tcp', 'header only', false],
  ['tcp.DstPort == 80', 'truncated', true],
  ['tcp.PayloadLength == 5', 'truncated', true],
  ['ip.HdrLength == 8 and tcp.DstPort == 443', 'options', true],
  ['tcp.HdrLength == 7 and tcp.PayloadLength == 16', 'options', true],
];

const CHAIN: readonly Row[] = [
  ['tcp', 'chain', true],
  ['fragment', 'chain', true],
  ['protocol == 6', 'chain', true],
  ['ipv6.NextHdr == 0', 'chain', true],
  ['protocol == 60 and not udp', 'extension cut', true],
  ['protocol == 59 and not tcp', 'no next header', true],
  ['protocol == 50 and not tcp', 'esp', true],
  ['udp', 'mobility header', true],
  ['protocol == 44 and not udp', 'two fragment headers', true],
];

const FRAGMENTS: readonly Row[] = [
  ['fragment', 'http', false],
  ['fragment', "don't fragment", false],
  ['ip.DF', "don't fragment", true],
  ['fragment and tcp.DstPort == 443', 'first fragment', true],
  ['ip.MF and not ip.DF', 'first fragment', true],
  ['fragment and not tcp and protocol == 6', 'later fragment', true],
  ['ip.FragOff == 100', 'later fragment', true],
  ['tcp.PayloadLength >= 0', 'later fragment', false],
  ['localPort == 0 and remotePort == 0', 'later fragment', true],
  ['fragment and udp', 'ipv6 first fragment', true],
  ['fragment and not udp and protocol == 17', 'ipv6 later fragment', true],
  ['fragment and udp', 'ipv6 atomic fragment', true],
];

const TRANSPORT: readonly Row[] = [
  ['not tcp', 'tcp offset 4', true],
  ['tcp and tcp.PayloadLength == 0', 'tcp offset 15', true],
  ['tcp.HdrLength == 15', 'tcp offset 15', true],
  ['not tcp and ip.Protocol == 6', 'tcp cut', true],
  ['not udp and ip.Protocol == 17', 'udp cut', true],
  ['icmp and icmp.Type == 8 and icmp.Body == 0x10002', 'ping', true],
  ['icmpv6 and icmpv6.Type == 128', 'ping6', true],
  ['not icmp and not icmpv6', 'icmp in ipv6', true],
  ['not icmp and not icmpv6', 'icmpv6 in ipv4', true],
  ['tcp.Psh and tcp.Ack', 'http', true],
  ['tcp.Syn or tcp.Fin or tcp.Rst or tcp.Urg', 'http', false],
];

const ABSENT: readonly Row[] = [
  ['tcp.DstPort != 80', 'dns', false],
  ['not tcp.DstPort == 80', 'dns', false],
  ['tcp.DstPort >= 1', 'dns', false],
  ['tcp.SeqNum > -1', 'dns', false],
  ['tcp.SeqNum != -1', 'dns', false],
  ['tcp.DstPort != 80 or true', 'dns', true],
  ['not tcp', 'dns', true],
  ['tcp == 0', 'dns', true],
  ['(tcp.DstPort == 80 ? udp : udp)', 'dns', true],
  ['tcp.Payload[0] != 0', 'dns', false],
  ['ip.TTL < 255', 'tcp6', false],
  ['ipv6.SrcAddr != ::', 'http', false],
  [
    'ip.SrcAddr != 1.1.1.1 and ip.SrcAddr != 1.1.1.2 and ip.SrcAddr != 1.1.1.3 and ip.SrcAddr != 1.1.1.4 and ip.SrcAddr != 1.1.1.5 and ip.SrcAddr != 1.1.1.6',
    'tcp6',
    false,
  ],
  [
    'udp.DstPort == 1 or udp.DstPort == 2 or udp.DstPort == 3 or udp.DstPort == 4 or udp.DstPort == 5 or udp.DstPort == 6 or tcp',
    'http',
    true,
  ],
];

const INDEX: readonly Row[] = [
  ['packet[0] == 0x45', 'http', true],
  ['packet16[0] == 0x4500', 'http', true],
  ['packet32[0] == 0x45000038', 'http', true],
  ['packet32[1] == 0x12344000', 'http', true],
  ['packet16[9b] == 0x0600', 'http', true],
  ['packet[55] == 0x0a', 'http', true],
  ['packet[56] >= 1', 'http', false],
  ['packet[56] != 0', 'http', false],
  ['packet16[27] == 0x0d0a', 'http', true],
  ['packet16[55b] != 0', 'http', false],
  ['packet32[53b] != 0', 'http', false],
  ['packet[-1] == 0x0a', 'http', true],
  ['packet16[-1] == 0x0d0a', 'http', true],
  ['packet[-56] == 0x45', 'http', true],
  ['packet[-57] != 0', 'http', false],
  ['packet32[-14] == 0x45000038', 'http', true],
  ['packet32[-57b] != 0', 'http', false],
  ['tcp.Payload[0] == 0x47', 'http', true],
  ['tcp.Payload32[0] == 0x47455420', 'http', true],
  ['tcp.Payload[-1] == 0x0a', 'http', true],
  ['tcp.Payload[16] != 0', 'http', false],
  ['tcp.Payload32[13b] != 0', 'http', false],
  ['tcp.Payload16[-17b] != 0', 'http', false],
  ['udp.Payload[0] == 0x71', 'dns', true],
  ['udp.Payload[5] != 0', 'dns', false],
  [object({ field: FIELD.packet32, operator: '!=', index: -3 }), 'http', false],
  [object({ field: FIELD.packet, operator: '!=', index: 65_535 }), 'http', false],
];

const LENGTHS: readonly Row[] = [
  ['length == 60', 'trailing bytes', true],
  ['ip.Length == 56', 'trailing bytes', true],
  ['packet[-1] == 0x6c', 'trailing bytes', true],
  ['tcp.Payload[-1] == 0x0a', 'trailing bytes', true],
  ['tcp.PayloadLength == 16', 'trailing bytes', true],
  ['length == 45', 'truncated', true],
  ['length == 56 and tcp.PayloadLength == 4', 'short length', true],
  ['tcp.Payload[-1] == 0x20', 'short length', true],
];

const VALUES: readonly Row[] = [
  ['tcp.SeqNum == 0x1ffffffff', 'high sequence', true],
  ['tcp.SeqNum == 4294967295', 'high sequence', true],
  ['tcp.SeqNum > 4294967294', 'high sequence', true],
  ['tcp.SeqNum >= 2147483648', 'high sequence', true],
  ['tcp.SeqNum > -1', 'high sequence', true],
  ['tcp.SeqNum < -1', 'high sequence', false],
  ['tcp.SeqNum == -4294967295', 'high sequence', false],
  ['tcp.AckNum < 6 and tcp.AckNum > 4', 'high sequence', true],
  ['icmp.Body == 0x100010002', 'ping', true],
  ['packet32[0] == 0xf45000038', 'http', true],
  ['loopback == 2', 'http', false, { loopback: true }],
  ['loopback == 4294967297', 'http', true, { loopback: true }],
  ['loopback > -1', 'http', true],
  ['loopback < 2', 'http', true],
  ['impostor', 'http', true, { impostor: true }],
  ['impostor == -1', 'http', false, { impostor: true }],
  ['impostor == -0', 'http', false],
  ['impostor > -0', 'http', true],
  ['timestamp == 9223372036854775807', 'http', true, { timestamp: '9223372036854775807' }],
  ['timestamp < 0', 'http', true, { timestamp: -1n }],
  ['timestamp == -1', 'http', true, { timestamp: -1n }],
  ['timestamp > -2', 'http', true, { timestamp: -1 }],
  ['timestamp < -4294967296', 'http', true, { timestamp: -4_294_967_297 }],
  ['timestamp >= 4294967296', 'http', true, { timestamp: 4_294_967_296 }],
  ['timestamp > -0', 'http', true, { timestamp: 0n }],
  ['timestamp == -0', 'http', false, { timestamp: 0n }],
  ['timestamp < -0', 'http', true, { timestamp: -1n }],
  ['timestamp <= -9223372036854775808', 'http', true, { timestamp: -(1n << 63n) }],
  [
    object({ field: FIELD.timestamp, operator: '<', value: [0, 0x80000000, 0, 0] }),
    'http',
    true,
    { timestamp: '9223372036854775807' },
  ],
  [
    object({ field: FIELD.timestamp, operator: '>', negative: true, value: [1, 0x80000000, 0, 0] }),
    'http',
    true,
    { timestamp: -(1n << 63n) },
  ],
  ['ifIdx == 4294967295 and subIfIdx == 3', 'http', true, { ifIdx: 4_294_967_295, subIfIdx: 3 }],
  ['ifIdx > 2147483647', 'http', true, { interfaceIndex: 4_294_967_295 }],
  ['ip.SrcAddr == 10.0.0.1', 'http', true],
  ['ip.SrcAddr < 192.0.2.7 and ip.DstAddr >= 192.0.2.7', 'http', true],
  ['ip.SrcAddr == ::10.0.0.1', 'dns', false],
  [
    object({ field: FIELD['tcp.DstPort'], negative: true, operator: '!=', value: [80, 0, 0, 0] }),
    'http',
    true,
  ],
  ['ipv6.SrcAddr == 2001:db8::1', 'tcp6', true],
  ['ipv6.SrcAddr < 2001:db8::2 and ipv6.SrcAddr > 2001:db8::', 'tcp6', true],
  ['ipv6.DstAddr > 2001:db8:fffe:ffff:ffff:ffff:ffff:ffff', 'tcp6', true],
  [
    object({ field: FIELD['ipv6.SrcAddr'], operator: '<', negative: true, value: [1, 0, 0, 0] }),
    'tcp6',
    false,
  ],
  ['ipv6.TrafficClass == 0xab', 'tcp6', true],
  // Not 0x12345: the two parts of the label in the byte order of the original.
  ['ipv6.FlowLabel > 0xffffe', 'tcp6', true],
  ['ipv6.FlowLabel == 0x12345', 'tcp6', false],
  [object({ field: FIELD['ipv6.FlowLabel'], value: [0x23450100, 0, 0, 0] }), 'tcp6', true],
];

/** The folded constant of a header field keeps a guard on its header, and tests that guard. */
const FOLDED: readonly Row[] = [
  ['tcp.DstPort == 70000', 'dns', true],
  ['tcp.DstPort == 70000', 'http', false],
  ['tcp.DstPort != 70000', 'dns', false],
  ['tcp.DstPort != 70000', 'http', true],
  ['length == 70000', 'http', false],
  ['packet[56] >= 0', 'http', true],
];

const ENDS: readonly Row[] = [
  ['localAddr == 10.0.0.1 and remoteAddr == 192.0.2.7', 'http', true, { outbound: true }],
  ['localAddr == 192.0.2.7 and remoteAddr == 10.0.0.1', 'http', true, { outbound: false }],
  ['localAddr < fe80::', 'http', true],
  ['localAddr == ::ffff:10.0.0.1', 'http', true, { outbound: true }],
  ['localAddr == 2001:db8::1', 'tcp6', true, { outbound: true }],
  ['remoteAddr == 2001:db8::1', 'tcp6', true],
  ['localPort == 51234 and remotePort == 80', 'http', true, { outbound: true }],
  ['localPort == 80 and remotePort == 51234', 'http', true],
  ['localPort == 5353 and remotePort == 53', 'dns', true, { outbound: true }],
  ['localPort == 8 and remotePort == 0', 'ping', true, { outbound: true }],
  ['localPort == 0 and remotePort == 8', 'ping', true],
  ['localPort == 128 and remotePort == 0', 'ping6', true, { outbound: true }],
  ['localPort == 0 and remotePort == 128', 'ping6', true],
  ['localPort == 0 and remotePort == 0', 'igmp', true],
  ['protocol == 2', 'igmp', true],
  ['inbound and not outbound', 'http', true],
  ['outbound and not inbound', 'http', true, { outbound: true }],
  ['loopback', 'http', true, { loopback: true, outbound: true }],
];

const RANDOM: readonly Row[] = [
  ['random8 <= 255 and random16 <= 65535 and random32 <= 4294967295', 'http', true],
  ['random32 == 0 and random16 == 0 and random8 == 0', 'truncated', false],
];

const FORWARD: readonly Row[] = [
  ['tcp.DstPort == 80 and ifIdx == 2', 'http', true, { ifIdx: 2 }],
  [object({ field: FIELD.outbound }), 'http', 'invalid-parameter'],
  [object({ field: FIELD.loopback }), 'http', 'invalid-parameter'],
  [object({ field: FIELD.localAddr }), 'http', 'invalid-parameter'],
  [object({ field: FIELD.remotePort }), 'http', 'invalid-parameter'],
  [object({ field: FIELD.protocol }), 'http', 'invalid-parameter'],
];

/** A field that is not on the layer is an error only when its test is reached. */
const REACHED: readonly Row[] = [
  [objectOfTwo(FIELD.tcp, FIELD.processId), 'http', true],
  [objectOfTwo(FIELD.udp, FIELD.processId), 'http', 'invalid-parameter'],
  [objectOfTwo(FIELD['udp.DstPort'], FIELD.endpointId), 'http', 'invalid-parameter'],
  [objectOfTwo(FIELD.endpointId, FIELD.tcp), 'http', 'invalid-parameter'],
  [object({ field: FIELD.layer }), 'http', 'invalid-parameter'],
  [object({ field: FIELD.priority }), 'http', 'invalid-parameter'],
];

const FLOW: AddressInit = {
  event: 'established',
  protocol: 6,
  localAddress: '10.0.0.1',
  remoteAddr: [0x0a000002, 0xffff, 0, 0],
  localPort: 443,
  remotePort: 51_234,
  processId: 4_294_967_295,
  endpointId: '18446744073709551615',
  parentEndpointId: 4_294_967_296n,
  outbound: true,
};
const FLOW_ROWS: readonly EventRow[] = [
  ['tcp and not udp and not icmp', true],
  ['udp', true, { protocol: 17 }],
  ['ip or ipv6', false],
  ['ip or ipv6', false, { ipv6: true }],
  ['icmp and not icmpv6', true, { protocol: 1 }],
  ['icmp', false, { protocol: 1, ipv6: true }],
  ['icmpv6 and not icmp', true, { protocol: 58, ipv6: true }],
  ['icmpv6', false, { protocol: 58 }],
  ['localAddr == 10.0.0.1 and remoteAddr == 10.0.0.2', true],
  ['remoteAddr == fe80::1', true, { remoteAddress: 'fe80::1', ipv6: true }],
  ['localPort == 443 and remotePort == 51234 and protocol == 6', true],
  ['processId > 2147483647', true],
  ['endpointId == 18446744073709551615', true],
  ['endpointId > 9223372036854775808', true],
  ['parentEndpointId > 4294967295 and parentEndpointId <= 4294967296', true],
  [object({ field: FIELD.endpointId, operator: '>', negative: true, value: [5, 0, 0, 0] }), true],
  ['outbound and not inbound and not loopback', true],
  [object({ field: FIELD.length }), 'invalid-parameter'],
  [object({ field: FIELD['tcp.DstPort'] }), 'invalid-parameter'],
  [object({ field: FIELD.ifIdx }), 'invalid-parameter'],
];

const REFLECT: AddressInit = {
  event: 'open',
  processId: 7,
  handleLayer: 'flow',
  priority: -30_000,
};
const REFLECT_ROWS: readonly EventRow[] = [
  ['event == OPEN and layer == FLOW and processId == 7', true],
  ['event == CLOSE', true, { event: 'close' }],
  ['event == CLOSE', true, { event: 9 }],
  ['priority == -30000', true],
  ['priority < 0', true],
  ['priority > -30000', false],
  ['priority > -0', true, { priority: 0 }],
  ['priority == -0', false, { priority: 0 }],
  [
    object({ field: FIELD.priority, operator: '<', value: [0xffffffff, 0, 0, 0] }),
    true,
    { priority: 5 },
  ],
  [
    object({ field: FIELD.priority, operator: '>', negative: true, value: [0xffffffff, 0, 0, 0] }),
    true,
  ],
  [object({ field: FIELD.outbound }), 'invalid-parameter'],
];

/** Every hand-made case. The entries of `vectors/eval.json` come on top. */
export const FILTER_CASES: readonly FilterCase[] = [
  ...onPackets('1 parse', 'network', PARSE),
  ...onPackets('1 parse', 'forward', PARSE),
  ...onPackets('2 IPv6 chain', 'network', CHAIN),
  ...onPackets('3 fragments', 'network', FRAGMENTS),
  ...onPackets('4 transport headers', 'network', TRANSPORT),
  ...onPackets('4 transport headers', 'forward', TRANSPORT),
  ...onPackets('5 absent headers', 'network', ABSENT),
  ...onPackets('5 indexes', 'network', INDEX),
  ...onPackets('6 lengths', 'forward', LENGTHS),
  ...onPackets('7 values', 'network', VALUES),
  ...onPackets('8 ends', 'network', ENDS),
  ...onPackets('13 random', 'network', RANDOM),
  ...onPackets('15 folding', 'network', FOLDED),
  ...onPackets('8 forward', 'forward', FORWARD),
  ...onPackets('9 fields reached', 'network', REACHED),
  ...onEvents('9 flow', 'flow', FLOW, [...FLOW_ROWS, ['event == ESTABLISHED', true]]),
  ...onEvents('9 socket', 'socket', FLOW, [
    ...FLOW_ROWS,
    ['event == CLOSE', true, { event: 'close' }],
    ['event == BIND', true, { event: 3 }],
  ]),
  ...onEvents('9 reflect', 'reflect', REFLECT, REFLECT_ROWS),
  ...onEvents('9 packets', 'reflect', REFLECT, [['priority < 0', true]], http),
  ...onEvents('9 packets', 'flow', FLOW, [['true', 'invalid-parameter']], http),
  ...onEvents('9 packets', 'socket', FLOW, [['true', 'invalid-parameter']], PACKETS.empty),
  ...onEvents('9 packets', 'network', {}, [['true', 'invalid-parameter']]),
  ...onEvents('9 packets', 'forward', {}, [['true', 'invalid-parameter']]),
];
