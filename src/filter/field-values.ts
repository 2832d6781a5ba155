/**
 * The value of every field of one packet or event, layer by layer: what the interpreter reads.
 *
 * @module
 */

import { ADDRESS_FLAGS, type Layer } from '../packet/address.ts';
import { readUint8, readUint16, readUint32 } from '../packet/bytes.ts';
import { hashPacketWords } from '../packet/hash.ts';
import { IPPROTO, type PacketScan } from '../packet/layout.ts';
import { ALL_FIELDS } from './extended/fields.ts';
import { type FieldHeader, type FieldName, LAYER_BIT } from './fields.ts';
import {
  ADDRESS_OFFSETS,
  FLOW_LABEL,
  HEADER_FIELDS,
  type HeaderField,
  PORT_OFFSETS,
} from './header-fields.ts';
import type { MatchInput } from './match-input.ts';

/** What readers work on. */
export interface ReadContext {
  input: MatchInput;
  /** Valid on the network and forward layers only. */
  readonly scan: PacketScan;
  /** The value read is below zero. */
  negative: boolean;
  /** Magnitude of the value read: four 32-bit words, the least significant first. */
  readonly words: Uint32Array;
}

/** Reads a field into a context; false when its header or byte is not there. */
export type FieldReader = (context: ReadContext, index: number) => boolean;

type Readers = Partial<Record<FieldName | 'userId' | 'processName', FieldReader>>;

const IPV4_MAPPED = 0xffff;

/** Sets the value to a number of up to 32 bits. */
function set(context: ReadContext, value: number): true {
  context.negative = false;
  context.words.fill(0);
  context.words[0] = value;
  return true;
}

function setSigned(context: ReadContext, value: number): true {
  set(context, Math.abs(value));
  context.negative = value < 0;
  return true;
}

function setWords(context: ReadContext, w0: number, w1: number, w2: number, w3: number): true {
  context.negative = false;
  context.words[0] = w0;
  context.words[1] = w1;
  context.words[2] = w2;
  context.words[3] = w3;
  return true;
}

const hasFlag = (input: MatchInput, flag: number): number => ((input.flags & flag) === 0 ? 0 : 1);
const outbound = (input: MatchInput): number => hasFlag(input, ADDRESS_FLAGS.OUTBOUND);
const ipv6Flag = (input: MatchInput): number => hasFlag(input, ADDRESS_FLAGS.IPV6);

function readTimestamp(context: ReadContext): boolean {
  const { timestampLow: low, timestampHigh: high } = context.input;
  if ((high | 0) >= 0) return setWords(context, low, high, 0, 0);
  // Two's complement: the magnitude is ~value + 1.
  setWords(context, -low, low === 0 ? -high : ~high, 0, 0);
  context.negative = true;
  return true;
}

const COMMON: Readers = {
  zero: (context) => set(context, 0),
  event: (context) => set(context, context.input.event),
  timestamp: readTimestamp,
};

/** Offset of a header from the start of the packet, -1 where there is none. */
function headerOffset(scan: PacketScan, header: FieldHeader): number {
  if (header === 'ip') return scan.version === 4 ? 0 : -1;
  if (header === 'ipv6') return scan.version === 6 ? 0 : -1;
  return scan[header];
}

function readBytes(memory: Uint8Array, at: number, size: 1 | 2 | 4): number {
  if (size === 1) return readUint8(memory, at);
  return size === 2 ? readUint16(memory, at) : readUint32(memory, at);
}

function headerReader({ header, at, size, shift, mask }: HeaderField): FieldReader {
  return (context) => {
    const offset = headerOffset(context.scan, header);
    if (offset < 0) return false;
    const { memory, offset: start } = context.input;
    return set(context, (readBytes(memory, start + offset + at, size) >>> shift) & mask);
  };
}

/** An element counted from the start of an area, or from its end when the index is negative. */
function elementReader(
  size: 1 | 2 | 4,
  area: (scan: PacketScan) => { from: number; length: number } | null,
): FieldReader {
  return (context, index) => {
    const found = area(context.scan);
    if (found === null) return false;
    const at = index < 0 ? found.length + index : index;
    if (at < 0 || at + size > found.length) return false;
    const { memory, offset } = context.input;
    return set(context, readBytes(memory, offset + found.from + at, size));
  };
}

const wholePacket = (scan: PacketScan): { from: number; length: number } => ({
  from: 0,
  length: scan.packetLength,
});
const payloadOf = (header: 'tcp' | 'udp') => (scan: PacketScan) =>
  scan[header] < 0 ? null : { from: scan.payloadOffset, length: scan.payloadLength };

function payloadLengthReader(header: 'tcp' | 'udp'): FieldReader {
  return (context) => context.scan[header] >= 0 && set(context, context.scan.payloadLength);
}

function readFlowLabel(context: ReadContext): boolean {
  if (context.scan.version !== 6) return false;
  const { memory, offset } = context.input;
  const high = readUint8(memory, offset + FLOW_LABEL.HIGH_BITS) & FLOW_LABEL.HIGH_MASK;
  const low = readUint16(memory, offset + FLOW_LABEL.LOW_BITS);
  return set(context, (low << FLOW_LABEL.LOW_SHIFT) | (high << FLOW_LABEL.HIGH_SHIFT));
}

function ipv6AddressReader(at: number): FieldReader {
  return (context) => {
    if (context.scan.version !== 6) return false;
    const { memory, offset } = context.input;
    const from = offset + at;
    const w3 = readUint32(memory, from);
    const w2 = readUint32(memory, from + 4);
    return setWords(context, readUint32(memory, from + 12), readUint32(memory, from + 8), w2, w3);
  };
}

const readIPv6Source = ipv6AddressReader(ADDRESS_OFFSETS.IPV6_SOURCE);
const readIPv6Destination = ipv6AddressReader(ADDRESS_OFFSETS.IPV6_DESTINATION);

/** `localAddr` and `remoteAddr`: one end of the packet, IPv4 as `::ffff:a.b.c.d`. */
function endAddressReader(sourceWhenOutbound: 0 | 1): FieldReader {
  return (context, index) => {
    const { memory, offset } = context.input;
    const source = outbound(context.input) === sourceWhenOutbound;
    if (context.scan.version === 6) {
      return source ? readIPv6Source(context, index) : readIPv6Destination(context, index);
    }
    const at = source ? ADDRESS_OFFSETS.IPV4_SOURCE : ADDRESS_OFFSETS.IPV4_DESTINATION;
    return setWords(context, readUint32(memory, offset + at), IPV4_MAPPED, 0, 0);
  };
}

/** `localPort` and `remotePort`. An ICMP type is the source port of its packet, the other port is 0. */
function endPortReader(sourceWhenOutbound: 0 | 1): FieldReader {
  return (context) => {
    const { input, scan } = context;
    const source = outbound(input) === sourceWhenOutbound;
    const ports = Math.max(scan.tcp, scan.udp);
    if (ports >= 0) {
      const at = ports + (source ? PORT_OFFSETS.SOURCE : PORT_OFFSETS.DESTINATION);
      return set(context, readUint16(input.memory, input.offset + at));
    }
    const type = Math.max(scan.icmp, scan.icmpv6);
    if (type < 0 || !source) return set(context, 0);
    return set(context, readUint8(input.memory, input.offset + type));
  };
}

/** `random8`, `random16`, `random32`: parts of the packet's hash, seeded with its timestamp. */
function randomReader(word: 0 | 1, shift: number, mask: number): FieldReader {
  return (context) => {
    const { input, scan, words } = context;
    const { timestampLow, timestampHigh } = input;
    hashPacketWords(input.memory, input.offset, scan, timestampLow, timestampHigh, words);
    return set(context, ((words[word] ?? 0) >>> shift) & mask);
  };
}

function presenceReader(header: FieldHeader): FieldReader {
  return (context) => set(context, headerOffset(context.scan, header) < 0 ? 0 : 1);
}

const PACKET: Readers = {
  ...COMMON,
  ifIdx: (context) => set(context, context.input.interfaceIndex),
  subIfIdx: (context) => set(context, context.input.subInterfaceIndex),
  ip: presenceReader('ip'),
  ipv6: presenceReader('ipv6'),
  icmp: presenceReader('icmp'),
  tcp: presenceReader('tcp'),
  udp: presenceReader('udp'),
  icmpv6: presenceReader('icmpv6'),
  'ipv6.FlowLabel': readFlowLabel,
  'ipv6.SrcAddr': readIPv6Source,
  'ipv6.DstAddr': readIPv6Destination,
  'tcp.PayloadLength': payloadLengthReader('tcp'),
  'udp.PayloadLength': payloadLengthReader('udp'),
  impostor: (context) => set(context, hasFlag(context.input, ADDRESS_FLAGS.IMPOSTOR)),
  packet: elementReader(1, wholePacket),
  packet16: elementReader(2, wholePacket),
  packet32: elementReader(4, wholePacket),
  'tcp.Payload': elementReader(1, payloadOf('tcp')),
  'tcp.Payload16': elementReader(2, payloadOf('tcp')),
  'tcp.Payload32': elementReader(4, payloadOf('tcp')),
  'udp.Payload': elementReader(1, payloadOf('udp')),
  'udp.Payload16': elementReader(2, payloadOf('udp')),
  'udp.Payload32': elementReader(4, payloadOf('udp')),
  length: (context) => set(context, context.scan.packetLength),
  random8: randomReader(1, 16, 0xff),
  random16: randomReader(1, 0, 0xffff),
  random32: randomReader(0, 0, 0xffffffff),
  fragment: (context) => set(context, context.scan.fragment),
};

const DIRECTION: Readers = {
  inbound: (context) => set(context, 1 - outbound(context.input)),
  outbound: (context) => set(context, outbound(context.input)),
  loopback: (context) => set(context, hasFlag(context.input, ADDRESS_FLAGS.LOOPBACK)),
};

/** Of the extended dialect: absent where nobody knows the process. */
const PROCESS: Readers = {
  userId: (context) => context.input.hasProcess && set(context, context.input.userId),
  processName: (context) => {
    const { hasProcess, processName0, processName1, processName2, processName3 } = context.input;
    return hasProcess && setWords(context, processName0, processName1, processName2, processName3);
  },
};

const NETWORK: Readers = {
  ...PACKET,
  ...DIRECTION,
  ...PROCESS,
  processId: (context) => context.input.hasProcess && set(context, context.input.processId),
  localAddr: endAddressReader(1),
  remoteAddr: endAddressReader(0),
  localPort: endPortReader(1),
  remotePort: endPortReader(0),
  protocol: (context) => set(context, context.scan.protocol),
};

function protocolReader(protocol: number, ipv6: 0 | 1 | null): FieldReader {
  return (context) => {
    const family = ipv6 === null || ipv6Flag(context.input) === ipv6;
    return set(context, family && context.input.protocol === protocol ? 1 : 0);
  };
}

/** Flow and socket events have no packet: `ip` and `ipv6` are always false there. */
const EVENT: Readers = {
  ...COMMON,
  ...DIRECTION,
  ...PROCESS,
  ip: COMMON.zero,
  ipv6: COMMON.zero,
  icmp: protocolReader(IPPROTO.ICMP, 0),
  tcp: protocolReader(IPPROTO.TCP, null),
  udp: protocolReader(IPPROTO.UDP, null),
  icmpv6: protocolReader(IPPROTO.ICMPV6, 1),
  processId: (context) => set(context, context.input.processId),
  localAddr: (context) => {
    const { local0, local1, local2, local3 } = context.input;
    return setWords(context, local0, local1, local2, local3);
  },
  remoteAddr: (context) => {
    const { remote0, remote1, remote2, remote3 } = context.input;
    return setWords(context, remote0, remote1, remote2, remote3);
  },
  localPort: (context) => set(context, context.input.localPort),
  remotePort: (context) => set(context, context.input.remotePort),
  protocol: (context) => set(context, context.input.protocol),
  endpointId: (context) => {
    const { endpointIdLow, endpointIdHigh } = context.input;
    return setWords(context, endpointIdLow, endpointIdHigh, 0, 0);
  },
  parentEndpointId: (context) => {
    const { parentEndpointIdLow, parentEndpointIdHigh } = context.input;
    return setWords(context, parentEndpointIdLow, parentEndpointIdHigh, 0, 0);
  },
};

const REFLECT: Readers = {
  ...COMMON,
  processId: (context) => set(context, context.input.processId),
  layer: (context) => set(context, context.input.handleLayer),
  priority: (context) => setSigned(context, context.input.priority),
};

/** Readers by field id; none where the layer does not have the field. */
export type ReaderTable = readonly (FieldReader | undefined)[];

function table(readers: Readers, layerBits: number, headers: boolean): ReaderTable {
  return ALL_FIELDS.map(({ name, layers }, id) => {
    const header = headers ? HEADER_FIELDS.get(id) : undefined;
    if (header !== undefined) return headerReader(header);
    return (layers & layerBits) === 0 ? undefined : readers[name as FieldName];
  });
}

const EVENT_TABLE = table(EVENT, LAYER_BIT.flow, false);

/** The readers of each layer. */
export const READERS: Readonly<Record<Layer, ReaderTable>> = {
  network: table(NETWORK, LAYER_BIT.network, true),
  forward: table(PACKET, LAYER_BIT.forward, true),
  flow: EVENT_TABLE,
  socket: EVENT_TABLE,
  reflect: table(REFLECT, LAYER_BIT.reflect, false),
};
