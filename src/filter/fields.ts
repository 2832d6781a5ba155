/**
 * The fields of the filter language: ids, layers and ranges, as WinDivert 2.2 has them
 * (manual, "Filter Language"; `WINDIVERT_FILTER_FIELD_*`).
 *
 * @module
 */

import { LAYERS, type Layer } from '../packet/address.ts';

/** How a constant compared with the field is printed. */
export type FieldFormat = 'flag' | 'decimal' | 'hex' | 'ipv4' | 'ipv6' | 'layer' | 'event' | 'name';

/** The header whose presence a field presupposes. */
export type FieldHeader = 'ip' | 'ipv6' | 'icmp' | 'icmpv6' | 'tcp' | 'udp';

/** One field of the filter language. */
export interface Field {
  /** As written in filters. */
  readonly name: string;
  /** Bit mask of the layers that know the field: bit `n` is `LAYERS[n]`. */
  readonly layers: number;
  /** Smallest value of the range used for folding. */
  readonly low: bigint;
  /** Largest value of the range used for folding. */
  readonly high: bigint;
  /** Whether a test outside the range is folded to a constant when compiling. */
  readonly folds: boolean;
  readonly format: FieldFormat;
  /**
   * How many 32-bit words of the constant are compared and stored. `ip.SrcAddr` and `ip.DstAddr` have one:
   * word 1 of their constant is always 0xffff (`::ffff:a.b.c.d`).
   */
  readonly words: 1 | 2 | 4;
  /** `packet[]` and `Payload[]` fields only: size of one element in bytes. */
  readonly indexed?: 1 | 2 | 4;
  /** The header that must be present for the test not to fail, `null` where there is none. */
  readonly header: FieldHeader | null;
}

/** Bit of a layer in {@link Field.layers}. */
export const LAYER_BIT = {
  network: 1,
  forward: 2,
  flow: 4,
  socket: 8,
  reflect: 16,
} as const;

const { network: N, forward: M, flow: F, socket: S, reflect: R } = LAYER_BIT;
const PACKET = N | M;
const ALL = N | M | F | S | R;

const U8 = 0xffn;
const U16 = 0xffffn;
const U32 = 0xffff_ffffn;
const U64 = (1n << 64n) - 1n;
const U128 = (1n << 128n) - 1n;
const IPV4_MAPPED = 0xffff_0000_0000n;

interface Extra extends Partial<Pick<Field, 'low' | 'folds' | 'format' | 'words' | 'indexed'>> {}

const HEADERS: ReadonlySet<string> = new Set(['ip', 'ipv6', 'icmp', 'icmpv6', 'tcp', 'udp']);

function headerOf(name: string): FieldHeader | null {
  const dot = name.indexOf('.');
  const prefix = dot < 0 ? '' : name.slice(0, dot);
  return HEADERS.has(prefix) ? (prefix as FieldHeader) : null;
}

function field(name: string, layers: number, high: bigint, extra: Extra = {}): Field {
  return {
    name,
    layers,
    low: 0n,
    high,
    folds: true,
    format: 'decimal',
    words: 1,
    header: headerOf(name),
    ...extra,
  };
}

function flag(name: string, layers: number, extra: Extra = {}): Field {
  return field(name, layers, 1n, { format: 'flag', ...extra });
}

const HEX: Extra = { format: 'hex' };
const NO_FOLD: Extra = { folds: false };
const IPV4_ADDRESS: Extra = { low: IPV4_MAPPED, format: 'ipv4' };
const IPV6_ADDRESS: Extra = { format: 'ipv6', words: 4 };
const BYTES: Extra = { format: 'hex', indexed: 1 };
const WORDS: Extra = { format: 'hex', indexed: 2 };
const DOUBLE_WORDS: Extra = { format: 'hex', indexed: 4 };

/** Every field; the index is the field id of the object string (0..85). */
export const FIELDS: readonly Field[] = [
  field('zero', ALL, 0n, { format: 'flag' }),
  flag('inbound', N | F | S),
  flag('outbound', N | F | S),
  field('ifIdx', PACKET, U32),
  field('subIfIdx', PACKET, U32),
  flag('ip', N | M | F | S),
  flag('ipv6', N | M | F | S),
  flag('icmp', N | M | F | S),
  flag('tcp', N | M | F | S),
  flag('udp', N | M | F | S),
  flag('icmpv6', N | M | F | S),
  field('ip.HdrLength', PACKET, 15n),
  field('ip.TOS', PACKET, U16),
  field('ip.Length', PACKET, U16),
  field('ip.Id', PACKET, U16, HEX),
  flag('ip.DF', PACKET),
  flag('ip.MF', PACKET),
  field('ip.FragOff', PACKET, 0x1fffn),
  field('ip.TTL', PACKET, U8),
  field('ip.Protocol', PACKET, U8),
  field('ip.Checksum', PACKET, U16, HEX),
  field('ip.SrcAddr', PACKET, IPV4_MAPPED | U32, IPV4_ADDRESS),
  field('ip.DstAddr', PACKET, IPV4_MAPPED | U32, IPV4_ADDRESS),
  field('ipv6.TrafficClass', PACKET, U8),
  field('ipv6.FlowLabel', PACKET, 0xfffffn),
  field('ipv6.Length', PACKET, U16),
  field('ipv6.NextHdr', PACKET, U8),
  field('ipv6.HopLimit', PACKET, U8),
  field('ipv6.SrcAddr', PACKET, U128, IPV6_ADDRESS),
  field('ipv6.DstAddr', PACKET, U128, IPV6_ADDRESS),
  field('icmp.Type', PACKET, U8),
  field('icmp.Code', PACKET, U8),
  field('icmp.Checksum', PACKET, U16, HEX),
  field('icmp.Body', PACKET, U32, NO_FOLD),
  field('icmpv6.Type', PACKET, U8),
  field('icmpv6.Code', PACKET, U8),
  field('icmpv6.Checksum', PACKET, U16, HEX),
  field('icmpv6.Body', PACKET, U32, NO_FOLD),
  field('tcp.SrcPort', PACKET, U16),
  field('tcp.DstPort', PACKET, U16),
  field('tcp.SeqNum', PACKET, U32, NO_FOLD),
  field('tcp.AckNum', PACKET, U32, NO_FOLD),
  field('tcp.HdrLength', PACKET, 15n),
  flag('tcp.Urg', PACKET),
  flag('tcp.Ack', PACKET),
  flag('tcp.Psh', PACKET),
  flag('tcp.Rst', PACKET),
  flag('tcp.Syn', PACKET),
  flag('tcp.Fin', PACKET),
  field('tcp.Window', PACKET, U16),
  field('tcp.Checksum', PACKET, U16, HEX),
  field('tcp.UrgPtr', PACKET, U16),
  field('tcp.PayloadLength', PACKET, U16),
  field('udp.SrcPort', PACKET, U16),
  field('udp.DstPort', PACKET, U16),
  field('udp.Length', PACKET, U16),
  field('udp.Checksum', PACKET, U16, HEX),
  field('udp.PayloadLength', PACKET, U16),
  flag('loopback', N | F | S, NO_FOLD),
  flag('impostor', PACKET, NO_FOLD),
  field('processId', F | S | R, U32),
  field('localAddr', N | F | S, U128, IPV6_ADDRESS),
  field('remoteAddr', N | F | S, U128, IPV6_ADDRESS),
  field('localPort', N | F | S, U16),
  field('remotePort', N | F | S, U16),
  field('protocol', N | F | S, U8),
  field('endpointId', F | S, U64, { words: 2 }),
  field('parentEndpointId', F | S, U64, { words: 2 }),
  field('layer', R, 4n, { format: 'layer' }),
  field('priority', R, 30_000n, { low: -30_000n }),
  field('event', ALL, 9n, { format: 'event' }),
  field('packet', PACKET, U8, BYTES),
  field('packet16', PACKET, U16, WORDS),
  field('packet32', PACKET, U32, { ...DOUBLE_WORDS, ...NO_FOLD }),
  field('tcp.Payload', PACKET, U8, BYTES),
  field('tcp.Payload16', PACKET, U16, WORDS),
  field('tcp.Payload32', PACKET, U32, DOUBLE_WORDS),
  field('udp.Payload', PACKET, U8, BYTES),
  field('udp.Payload16', PACKET, U16, WORDS),
  field('udp.Payload32', PACKET, U32, DOUBLE_WORDS),
  field('length', PACKET, 65_575n, { low: 20n }),
  field('timestamp', ALL, (1n << 63n) - 1n, { low: -(1n << 63n), words: 2 }),
  field('random8', PACKET, U8),
  field('random16', PACKET, U16),
  field('random32', PACKET, U32),
  flag('fragment', PACKET),
];

/** Field id by the name used in filters: `FIELD['tcp.DstPort']`. */
export const FIELD = {
  zero: 0,
  inbound: 1,
  outbound: 2,
  ifIdx: 3,
  subIfIdx: 4,
  ip: 5,
  ipv6: 6,
  icmp: 7,
  tcp: 8,
  udp: 9,
  icmpv6: 10,
  'ip.HdrLength': 11,
  'ip.TOS': 12,
  'ip.Length': 13,
  'ip.Id': 14,
  'ip.DF': 15,
  'ip.MF': 16,
  'ip.FragOff': 17,
  'ip.TTL': 18,
  'ip.Protocol': 19,
  'ip.Checksum': 20,
  'ip.SrcAddr': 21,
  'ip.DstAddr': 22,
  'ipv6.TrafficClass': 23,
  'ipv6.FlowLabel': 24,
  'ipv6.Length': 25,
  'ipv6.NextHdr': 26,
  'ipv6.HopLimit': 27,
  'ipv6.SrcAddr': 28,
  'ipv6.DstAddr': 29,
  'icmp.Type': 30,
  'icmp.Code': 31,
  'icmp.Checksum': 32,
  'icmp.Body': 33,
  'icmpv6.Type': 34,
  'icmpv6.Code': 35,
  'icmpv6.Checksum': 36,
  'icmpv6.Body': 37,
  'tcp.SrcPort': 38,
  'tcp.DstPort': 39,
  'tcp.SeqNum': 40,
  'tcp.AckNum': 41,
  'tcp.HdrLength': 42,
  'tcp.Urg': 43,
  'tcp.Ack': 44,
  'tcp.Psh': 45,
  'tcp.Rst': 46,
  'tcp.Syn': 47,
  'tcp.Fin': 48,
  'tcp.Window': 49,
  'tcp.Checksum': 50,
  'tcp.UrgPtr': 51,
  'tcp.PayloadLength': 52,
  'udp.SrcPort': 53,
  'udp.DstPort': 54,
  'udp.Length': 55,
  'udp.Checksum': 56,
  'udp.PayloadLength': 57,
  loopback: 58,
  impostor: 59,
  processId: 60,
  localAddr: 61,
  remoteAddr: 62,
  localPort: 63,
  remotePort: 64,
  protocol: 65,
  endpointId: 66,
  parentEndpointId: 67,
  layer: 68,
  priority: 69,
  event: 70,
  packet: 71,
  packet16: 72,
  packet32: 73,
  'tcp.Payload': 74,
  'tcp.Payload16': 75,
  'tcp.Payload32': 76,
  'udp.Payload': 77,
  'udp.Payload16': 78,
  'udp.Payload32': 79,
  length: 80,
  timestamp: 81,
  random8: 82,
  random16: 83,
  random32: 84,
  fragment: 85,
} as const;

/** The name of a field. */
export type FieldName = keyof typeof FIELD;

/** Upper-case names of numbers, valid on every layer. */
export const NUMBER_MACROS: ReadonlyMap<string, number> = new Map([
  ['TRUE', 1],
  ['FALSE', 0],
  ['ICMP', 1],
  ['TCP', 6],
  ['UDP', 17],
  ['ICMPV6', 58],
  ['NETWORK', 0],
  ['NETWORK_FORWARD', 1],
  ['FLOW', 2],
  ['SOCKET', 3],
  ['REFLECT', 4],
]);

/** Macro names of the layers, in the order of `LAYERS`. */
export const LAYER_MACROS = ['NETWORK', 'NETWORK_FORWARD', 'FLOW', 'SOCKET', 'REFLECT'] as const;

/** Macro names of the events, in the order of `EVENTS`. Each is valid on the layers that report it. */
export const EVENT_MACROS: readonly { readonly name: string; readonly layers: number }[] = [
  { name: 'PACKET', layers: N | M },
  { name: 'ESTABLISHED', layers: F },
  { name: 'DELETED', layers: F },
  { name: 'BIND', layers: S },
  { name: 'CONNECT', layers: S },
  { name: 'LISTEN', layers: S },
  { name: 'ACCEPT', layers: S },
  { name: 'CLOSE', layers: S },
  { name: 'OPEN', layers: R },
  { name: 'CLOSE', layers: R },
];

/**
 * Whether a field exists on a layer.
 *
 * @param fieldId - 0..85
 */
export function fieldOnLayer(fieldId: number, layer: Layer): boolean {
  const found = FIELDS[fieldId];
  return found !== undefined && (found.layers & LAYER_BIT[layer]) !== 0;
}

/**
 * The layers of a bit mask, in the order of `LAYERS`.
 *
 * @param mask - as in {@link Field.layers}
 */
export function layersOf(mask: number): Layer[] {
  return LAYERS.filter((layer) => (mask & LAYER_BIT[layer]) !== 0);
}
