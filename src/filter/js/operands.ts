/**
 * How generated JavaScript gets at the value of a field, layer by layer.
 *
 * Names in the generated code: `i` the input, `s` the scanned packet, `m` and `o` memory and offset of
 * the packet, `h` the transport header, `p` and `n` payload and its length, `q` the packet's length, `v` its IP
 * version, `f` the address flags, `w` scratch for the hash. Everything else is made of numbers.
 *
 * @module
 */

import { ADDRESS_FLAGS, type Layer } from '../../packet/address.ts';
import { IPPROTO } from '../../packet/layout.ts';
import { ALL_FIELDS } from '../extended/fields.ts';
import { FIELD, type FieldHeader, type FieldName, LAYER_BIT } from '../fields.ts';
import {
  ADDRESS_OFFSETS,
  FLOW_LABEL,
  HEADER_FIELDS,
  type HeaderField,
  PORT_OFFSETS,
} from '../header-fields.ts';

/** A value as generated code loads it. */
export interface Operand {
  /** Conditions that hold where the value exists, cheapest first. */
  readonly guards: readonly string[];
  /** Expressions of its 32-bit words, the least significant first. */
  readonly words: readonly string[];
  /** Statement that runs before the expressions. */
  readonly before: string;
  /** `int31`: 0 to 2^31 - 1; `unsigned`: all bits count; `signed`: two's complement. */
  readonly kind: 'int31' | 'unsigned' | 'signed';
}

const OUTBOUND = `(f&${ADDRESS_FLAGS.OUTBOUND})!==0`;
const VERSION_4 = 'v===4';
const VERSION_6 = 'v===6';
const IPV4_MAPPED = '65535';

const PRESENT: Readonly<Record<FieldHeader, string>> = {
  ip: VERSION_4,
  ipv6: VERSION_6,
  icmp: 's.icmp>=0',
  icmpv6: 's.icmpv6>=0',
  tcp: 's.tcp>=0',
  udp: 's.udp>=0',
};

function operand(words: readonly string[], rest: Partial<Operand> = {}): Operand {
  return { guards: [], before: '', kind: 'unsigned', words, ...rest };
}

const narrow = (word: string, guards: readonly string[] = []): Operand =>
  operand([word], { guards, kind: 'int31' });
const bit = (condition: string): Operand => narrow(`(${condition})?1:0`);
const flag = (mask: number): Operand => bit(`(f&${mask})!==0`);

/** Big-endian load of 1, 2 or 4 bytes at a base (`o`, `h`, `p`, `o+q`, `p+n`) plus a constant. */
function load(base: string, at: number, size: 1 | 2 | 4): string {
  const byte = (index: number): string => `m[${base}${signed(at + index)}]`;
  if (size === 1) return byte(0);
  if (size === 2) return `${byte(0)}<<8|${byte(1)}`;
  return `${byte(0)}<<24|${byte(1)}<<16|${byte(2)}<<8|${byte(3)}`;
}

function signed(constant: number): string {
  if (constant === 0) return '';
  return constant < 0 ? `${constant}` : `+${constant}`;
}

function headerOperand({ header, at, size, shift, mask }: HeaderField): Operand {
  const base = header === 'ip' || header === 'ipv6' ? 'o' : 'h';
  const value = load(base, at, size);
  const guards = [PRESENT[header]];
  return size === 4 && shift === 0 && mask === 0xffffffff
    ? operand([value], { guards })
    : narrow(`(${value})>>>${shift}&${mask}`, guards);
}

/** `packet[]` and `Payload[]`: `index` counts from the start of the area, negative from its end. */
function elementOperand(
  guards: readonly string[],
  base: 'o' | 'p',
  length: 'q' | 'n',
  size: 1 | 2 | 4,
  index: number,
): Operand {
  const fits = index < 0 ? `${length}>=${-index}` : `${length}>=${index + size}`;
  // Counted from the end, an element may also reach beyond it (only in object strings).
  const never = index < 0 && index + size > 0 ? ['false'] : [];
  const value = load(index < 0 ? `${base}+${length}` : base, index, size);
  return operand([value], {
    guards: [...guards, fits, ...never],
    kind: size === 4 ? 'unsigned' : 'int31',
  });
}

const wideAddress = (base: string, at: number): readonly string[] =>
  [12, 8, 4, 0].map((word) => load(base, at + word, 4));

/** See {@link FLOW_LABEL}. */
function flowLabel(): Operand {
  const high = `(${load('o', FLOW_LABEL.HIGH_BITS, 1)}&${FLOW_LABEL.HIGH_MASK})<<${FLOW_LABEL.HIGH_SHIFT}`;
  const low = `(${load('o', FLOW_LABEL.LOW_BITS, 2)})<<${FLOW_LABEL.LOW_SHIFT}`;
  return operand([`${high}|${low}`], { guards: [VERSION_6] });
}

/** Source or destination, whichever end is asked for: IPv4 as `::ffff:a.b.c.d`. */
function endAddress(source: string): Operand {
  const { IPV4_SOURCE, IPV4_DESTINATION, IPV6_SOURCE, IPV6_DESTINATION } = ADDRESS_OFFSETS;
  const before =
    `e=${VERSION_6}?${source}?o+${IPV6_SOURCE}:o+${IPV6_DESTINATION}` +
    `:${source}?o+${IPV4_SOURCE}:o+${IPV4_DESTINATION};`;
  const wide = wideAddress('e', 0);
  return operand(
    [load('e', 0, 4), IPV4_MAPPED, '0', '0'].map((v4, word) => `${VERSION_4}?${v4}:${wide[word]}`),
    { before },
  );
}

/** A port of TCP or UDP; an ICMP type is the source port of its packet. */
function endPort(source: string): Operand {
  const port = `${source}?${load('h', PORT_OFFSETS.SOURCE, 2)}:${load('h', PORT_OFFSETS.DESTINATION, 2)}`;
  const type = `(${PRESENT.icmp}||${PRESENT.icmpv6})&&${source}?m[h]:0`;
  return narrow(`${PRESENT.tcp}||${PRESENT.udp}?${port}:${type}`);
}

const RANDOM = 'hashPacketWords(m,o,s,i.timestampLow,i.timestampHigh,w);';

type Operands = Partial<Record<FieldName | 'userId' | 'processName', Operand>>;

const COMMON: Operands = {
  zero: narrow('0'),
  event: operand(['i.event|0']),
  timestamp: operand(['i.timestampLow|0', 'i.timestampHigh|0'], { kind: 'signed' }),
};

const DIRECTION: Operands = {
  inbound: bit(`(f&${ADDRESS_FLAGS.OUTBOUND})===0`),
  outbound: flag(ADDRESS_FLAGS.OUTBOUND),
  loopback: flag(ADDRESS_FLAGS.LOOPBACK),
};

const PACKET: Operands = {
  ...COMMON,
  ifIdx: operand(['i.interfaceIndex|0']),
  subIfIdx: operand(['i.subInterfaceIndex|0']),
  ip: bit(PRESENT.ip),
  ipv6: bit(PRESENT.ipv6),
  icmp: bit(PRESENT.icmp),
  tcp: bit(PRESENT.tcp),
  udp: bit(PRESENT.udp),
  icmpv6: bit(PRESENT.icmpv6),
  'ipv6.FlowLabel': flowLabel(),
  'ipv6.SrcAddr': operand(wideAddress('o', ADDRESS_OFFSETS.IPV6_SOURCE), { guards: [VERSION_6] }),
  'ipv6.DstAddr': operand(wideAddress('o', ADDRESS_OFFSETS.IPV6_DESTINATION), {
    guards: [VERSION_6],
  }),
  'tcp.PayloadLength': narrow('n', [PRESENT.tcp]),
  'udp.PayloadLength': narrow('n', [PRESENT.udp]),
  impostor: flag(ADDRESS_FLAGS.IMPOSTOR),
  length: narrow('q'),
  random8: operand(['w[1]>>>16&255'], { before: RANDOM, kind: 'int31' }),
  random16: operand(['w[1]&65535'], { before: RANDOM, kind: 'int31' }),
  random32: operand(['w[0]|0'], { before: RANDOM }),
  fragment: narrow('s.fragment'),
};

const KNOWN = ['i.hasProcess'];

/** Of the extended dialect. */
const PROCESS: Operands = {
  userId: operand(['i.userId|0'], { guards: KNOWN }),
  processName: operand(
    ['i.processName0|0', 'i.processName1|0', 'i.processName2|0', 'i.processName3|0'],
    { guards: KNOWN },
  ),
};

const NETWORK: Operands = {
  ...PACKET,
  ...DIRECTION,
  ...PROCESS,
  processId: operand(['i.processId|0'], { guards: KNOWN }),
  localAddr: endAddress(OUTBOUND),
  remoteAddr: endAddress(`!(${OUTBOUND})`),
  localPort: endPort(OUTBOUND),
  remotePort: endPort(`!(${OUTBOUND})`),
  protocol: narrow('s.protocol'),
};

const isProtocol = (number: number): string => `(i.protocol|0)===${number}`;

const EVENT: Operands = {
  ...COMMON,
  ...DIRECTION,
  ...PROCESS,
  ip: narrow('0'),
  ipv6: narrow('0'),
  icmp: bit(`(f&${ADDRESS_FLAGS.IPV6})===0&&${isProtocol(IPPROTO.ICMP)}`),
  tcp: bit(isProtocol(IPPROTO.TCP)),
  udp: bit(isProtocol(IPPROTO.UDP)),
  icmpv6: bit(`(f&${ADDRESS_FLAGS.IPV6})!==0&&${isProtocol(IPPROTO.ICMPV6)}`),
  processId: operand(['i.processId|0']),
  localAddr: operand(['i.local0|0', 'i.local1|0', 'i.local2|0', 'i.local3|0']),
  remoteAddr: operand(['i.remote0|0', 'i.remote1|0', 'i.remote2|0', 'i.remote3|0']),
  localPort: operand(['i.localPort|0']),
  remotePort: operand(['i.remotePort|0']),
  protocol: operand(['i.protocol|0']),
  endpointId: operand(['i.endpointIdLow|0', 'i.endpointIdHigh|0']),
  parentEndpointId: operand(['i.parentEndpointIdLow|0', 'i.parentEndpointIdHigh|0']),
};

const REFLECT: Operands = {
  ...COMMON,
  processId: operand(['i.processId|0']),
  layer: operand(['i.handleLayer|0']),
  priority: operand(['i.priority|0'], { kind: 'signed' }),
};

const OPERANDS: Readonly<Record<Layer, Operands>> = {
  network: NETWORK,
  forward: PACKET,
  flow: EVENT,
  socket: EVENT,
  reflect: REFLECT,
};

/**
 * How to get at a field.
 *
 * @param field - id
 * @param index - of `packet[]` and `Payload[]` fields, in bytes
 * @returns null where the layer does not have the field
 */
export function operandOf(field: number, index: number, layer: Layer): Operand | null {
  const found = ALL_FIELDS[field];
  if (found === undefined || (found.layers & LAYER_BIT[layer]) === 0) return null;
  const header = HEADER_FIELDS.get(field);
  if (header !== undefined) return headerOperand(header);
  if (found.indexed === undefined) return OPERANDS[layer][found.name as FieldName] ?? null;
  if (field <= FIELD.packet32) return elementOperand([], 'o', 'q', found.indexed, index);
  const present = found.header === null ? [] : [PRESENT[found.header]];
  return elementOperand(present, 'p', 'n', found.indexed, index);
}
