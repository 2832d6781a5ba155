/**
 * One line for a packet, as network people read them from tcpdump.
 *
 * @module
 */

import { readUint8, readUint16, readUint32 } from '../packet/bytes.ts';
import { formatIPv4Address, formatIPv6Address } from '../packet/ip-text.ts';
import { IPPROTO, PacketScan, scanPacket } from '../packet/layout.ts';
import { applicationLine } from './application-line.ts';
import type { Style } from './output.ts';

const IPV4_SOURCE = 12;
const IPV4_DESTINATION = 16;
const IPV6_SOURCE = 8;
const IPV6_DESTINATION = 24;
const TCP = { SEQUENCE: 4, ACKNOWLEDGEMENT: 8, FLAGS: 13, WINDOW: 14 } as const;
const TCP_ACK = 0x10;
/** Flags by bit, in the letters tcpdump uses. */
const TCP_FLAG_LETTERS: readonly (readonly [bit: number, letter: string])[] = [
  [0x01, 'F'],
  [0x02, 'S'],
  [0x04, 'R'],
  [0x08, 'P'],
  [0x10, '.'],
  [0x20, 'U'],
  [0x40, 'E'],
  [0x80, 'W'],
];

const ICMP_NAMES: Readonly<Record<number, string>> = {
  0: 'echo reply',
  3: 'destination unreachable',
  4: 'source quench',
  5: 'redirect',
  8: 'echo request',
  11: 'time exceeded',
  12: 'parameter problem',
};
const ICMPV6_NAMES: Readonly<Record<number, string>> = {
  1: 'destination unreachable',
  2: 'packet too big',
  3: 'time exceeded',
  4: 'parameter problem',
  128: 'echo request',
  129: 'echo reply',
  133: 'router solicitation',
  134: 'router advertisement',
  135: 'neighbor solicitation',
  136: 'neighbor advertisement',
  143: 'multicast listener report',
};
const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  2: 'IGMP',
  [IPPROTO.TCP]: 'TCP',
  [IPPROTO.UDP]: 'UDP',
  [IPPROTO.ICMP]: 'ICMP',
  [IPPROTO.ICMPV6]: 'ICMPv6',
  47: 'GRE',
  50: 'ESP',
  132: 'SCTP',
};

const CONTROL = /[\p{Cc}\p{Cf}]/gu;

/** What is known of a packet besides its bytes. */
export interface PacketContext {
  /** Since 1970, in nanoseconds. */
  readonly timestampNs: bigint;
  readonly direction: PacketDirection | null;
  readonly loopback?: boolean;
  /** Length on the wire, when that is not what is there. */
  readonly originalLength?: number;
  readonly interfaceIndex?: number;
  readonly impostor?: boolean;
  readonly process?: PacketProcess | null;
}

export type PacketDirection = 'inbound' | 'outbound' | 'forward';

/** Whose packet it is, as far as that is known. */
export interface PacketProcess {
  readonly pid: number;
  readonly name: string | null;
}

const scan: PacketScan = new PacketScan();

/**
 * Describes a packet.
 *
 * @param bytes - from the IP header; may be cut short
 * @returns one line: time, direction, addresses, protocol details
 */
export function formatPacketLine(bytes: Uint8Array, context: PacketContext, style: Style): string {
  const time = style('dim', formatTime(context.timestampNs));
  const direction =
    (context.loopback ? 'lo ' : DIRECTIONS[context.direction ?? 'unknown']) +
    formatProcess(context.process ?? null, style);
  if (!scanPacket(bytes, 0, bytes.length, scan)) {
    return `${time} ${direction} ${style('red', 'no valid IP header')}, length ${bytes.length}`;
  }
  const family = scan.version === 4 ? 'IP ' : 'IP6';
  const ends = style('cyan', formatEnds(bytes));
  return `${time} ${direction} ${family} ${ends}: ${formatTransport(bytes, style)}`;
}

const DIRECTIONS = { inbound: 'in ', outbound: 'out', forward: 'fwd', unknown: '-  ' } as const;

/** ` curl[4711]`. A process chooses its name: what a terminal would act on is not shown. */
function formatProcess(process: PacketProcess | null, style: Style): string {
  if (process === null) return '';
  return ` ${style('magenta', `${safeText(process.name ?? '?')}[${process.pid}]`)}`;
}

/** Text from elsewhere, without anything a terminal could act on. */
export function safeText(text: string): string {
  return text.replace(CONTROL, '?');
}

/** Local wall clock time of day with microseconds. */
export function formatTime(timestampNs: bigint): string {
  const date = new Date(Number(timestampNs / 1_000_000n));
  const fraction = String((timestampNs / 1000n) % 1_000_000n).padStart(6, '0');
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()];
  return `${parts.map((part) => String(part).padStart(2, '0')).join(':')}.${fraction}`;
}

function formatEnds(bytes: Uint8Array): string {
  const at = Math.max(scan.tcp, scan.udp);
  const source = formatAddress(bytes, scan.version === 4 ? IPV4_SOURCE : IPV6_SOURCE);
  const destination = formatAddress(
    bytes,
    scan.version === 4 ? IPV4_DESTINATION : IPV6_DESTINATION,
  );
  if (at < 0) return `${source} > ${destination}`;
  const [from, to] = [readUint16(bytes, at), readUint16(bytes, at + 2)];
  return scan.version === 4
    ? `${source}:${from} > ${destination}:${to}`
    : `[${source}]:${from} > [${destination}]:${to}`;
}

function formatAddress(bytes: Uint8Array, at: number): string {
  if (scan.version === 4) return formatIPv4Address(readUint32(bytes, at));
  return formatIPv6Address([12, 8, 4, 0].map((word) => readUint32(bytes, at + word)));
}

function formatTransport(bytes: Uint8Array, style: Style): string {
  if (scan.fragmentOffset !== 0) {
    return `fragment at ${scan.fragmentOffset * 8}, ${protocolName()}, length ${scan.payloadLength}`;
  }
  const first = scan.moreFragments === 1 ? 'first fragment, ' : '';
  return first + formatWhole(bytes, style);
}

function formatWhole(bytes: Uint8Array, style: Style): string {
  if (scan.tcp >= 0) return formatTcp(bytes) + formatApplication(bytes, 'tcp', style);
  if (scan.udp >= 0) {
    return `UDP, length ${wireLength()}${formatApplication(bytes, 'udp', style)}`;
  }
  if (scan.icmp >= 0) return formatIcmp(bytes, scan.icmp, 'ICMP', ICMP_NAMES);
  if (scan.icmpv6 >= 0) return formatIcmp(bytes, scan.icmpv6, 'ICMPv6', ICMPV6_NAMES);
  return `${protocolName()}, length ${wireLength()}`;
}

/** Payload on the wire, which may be longer than what was kept of it. */
function wireLength(): number {
  return scan.ipLength - scan.payloadOffset;
}

function formatTcp(bytes: Uint8Array): string {
  const flags = readUint8(bytes, scan.tcp + TCP.FLAGS);
  const sequence = readUint32(bytes, scan.tcp + TCP.SEQUENCE);
  const length = wireLength();
  const end = (sequence + length) % 0x1_0000_0000;
  const parts = [`[${tcpFlagLetters(flags) || 'none'}]`];
  parts.push(length > 0 ? `seq ${sequence}:${end}` : `seq ${sequence}`);
  if ((flags & TCP_ACK) !== 0) {
    parts.push(`ack ${readUint32(bytes, scan.tcp + TCP.ACKNOWLEDGEMENT)}`);
  }
  parts.push(`win ${readUint16(bytes, scan.tcp + TCP.WINDOW)}`, `length ${length}`);
  return `TCP ${parts.join(', ')}`;
}

function formatIcmp(
  bytes: Uint8Array,
  at: number,
  name: string,
  names: Readonly<Record<number, string>>,
): string {
  const type = readUint8(bytes, at);
  const code = readUint8(bytes, at + 1);
  const echo = names[type]?.startsWith('echo') ?? false;
  const detail = echo
    ? `, id ${readUint16(bytes, at + 4)}, seq ${readUint16(bytes, at + 6)}`
    : `, code ${code}`;
  return `${name} ${names[type] ?? `type ${type}`}${detail}, length ${wireLength()}`;
}

function formatApplication(bytes: Uint8Array, transport: 'tcp' | 'udp', style: Style): string {
  if (scan.payloadLength === 0) return '';
  const at = transport === 'tcp' ? scan.tcp : scan.udp;
  const payload = bytes.subarray(scan.payloadOffset, scan.payloadOffset + scan.payloadLength);
  const ports = [readUint16(bytes, at), readUint16(bytes, at + 2)] as const;
  const line = applicationLine(payload, transport, ports);
  return line === null ? '' : `: ${style('green', line)}`;
}

/** TCP flags in the letters tcpdump uses. */
export function tcpFlagLetters(flags: number): string {
  const letters = TCP_FLAG_LETTERS.filter(([bit]) => (flags & bit) !== 0);
  return letters.map(([, letter]) => letter).join('');
}

/** `TCP`, or `protocol 253`. */
export function protocolNameOf(protocol: number): string {
  return PROTOCOL_NAMES[protocol] ?? `protocol ${protocol}`;
}

function protocolName(): string {
  return protocolNameOf(scan.protocol);
}
