/**
 * One test as the eBPF back end sees it: decided already, unknowable, a question about headers, or a
 * comparison of a value with a constant.
 *
 * @module
 */

import { ALL_FIELDS, EXTENDED_FIELD, isExtendedField } from '../extended/fields.ts';
import type { FilterSet } from '../extended/filter-set.ts';
import { kernelSetOf } from '../extended/properties.ts';
import { RangeSet, type ValueRange } from '../extended/range-set.ts';
import { FIELD, LAYER_BIT } from '../fields.ts';
import { type FilterTest, isTrue, type Operator } from '../graph.ts';
import { HEADER_FIELDS, type HeaderField } from '../header-fields.ts';
import type { BpfOptions, InexactReason, SetMaps } from './options.ts';
import { ALL_WORLDS, HEADER_WORLDS, PRESENCE_HEADERS, type Worlds } from './worlds.ts';

/** Source or destination of a packet. */
export type Side = 'source' | 'destination';

/** Where the value of a comparison comes from. */
export type Value =
  | { readonly kind: 'header'; readonly field: HeaderField }
  /** `local*`, `remote*` and `ipv6.*Addr`: 128 bits. */
  | { readonly kind: 'address'; readonly side: Side }
  | { readonly kind: 'port'; readonly side: Side }
  /** What the options say, for sets that may change. */
  | { readonly kind: 'constant'; readonly value: number }
  | {
      readonly kind:
        | 'flow-label'
        | 'payload-length'
        | 'length'
        | 'protocol'
        | 'fragment'
        | 'interface'
        | 'process-id'
        | 'user-id'
        /** 128 bits. */
        | 'process-name';
    }
  /** `packet[]` and `Payload[]`. */
  | {
      readonly kind: 'bytes';
      readonly base: 'packet' | 'payload';
      readonly index: number;
      readonly size: 1 | 2 | 4;
      /** They may be those of a checksum that is not final. */
      readonly mayBeChecksum: boolean;
    };

/** How a value is compared. */
export type Comparison =
  /** Words of the constant, least significant first. */
  | {
      readonly kind: 'words';
      readonly operator: Operator;
      readonly words: FilterTest['value'];
      /** Bits of the value that count. Absent: all. */
      readonly mask?: FilterTest['value'];
    }
  /** Success when any (or, `set` being false, none) of the bits of `mask` is set. */
  | { readonly kind: 'bits'; readonly mask: number; readonly set: boolean }
  /** Success when the value is (or, `isMember` being false, is not) in one of the ranges. */
  | { readonly kind: 'ranges'; readonly ranges: readonly ValueRange[]; readonly isMember: boolean }
  /** The same for a set in maps. IPv4 addresses are looked up as `::ffff:a.b.c.d`. */
  | {
      readonly kind: 'maps';
      readonly maps: SetMaps;
      readonly isIPv4: boolean;
      readonly isMember: boolean;
    };

/** A test, prepared. */
export type Check =
  | { readonly kind: 'decided'; readonly outcome: 'success' | 'failure' | 'invalid' }
  /** Success in `worlds`, failure elsewhere. */
  | { readonly kind: 'guard'; readonly worlds: Worlds }
  /** Cannot be known in `worlds`, failure elsewhere. */
  | { readonly kind: 'unknown'; readonly worlds: Worlds; readonly reason: InexactReason }
  /** A comparison in `worlds`, failure elsewhere. */
  | {
      readonly kind: 'compare';
      readonly worlds: Worlds;
      readonly value: Value;
      readonly comparison: Comparison;
    };

/** Options with every default filled in that tests depend on. */
export interface CheckContext {
  readonly layer: 'network' | 'forward';
  readonly outbound: boolean;
  readonly loopback: boolean | 'unknown';
  readonly impostor: boolean | 'unknown';
  readonly interfaceIndex: number | 'context' | 'unknown';
  readonly subInterfaceIndex: number;
  readonly checksumsFinal: boolean;
  readonly sets: ReadonlyMap<FilterSet, SetMaps>;
  /** The process behind a packet can be looked up. */
  readonly hasProcess: boolean;
  /** The program has a super-packet before it, its reader will get segments. */
  readonly segments: boolean;
}

const SUCCESS: Check = { kind: 'decided', outcome: 'success' };
const FAILURE: Check = { kind: 'decided', outcome: 'failure' };
const INVALID: Check = { kind: 'decided', outcome: 'invalid' };

/** No L4 checksum starts before this offset: 20 bytes of IPv4 header, then UDP's at 6. */
const FIRST_CHECKSUM_OFFSET = 26;
/** Bytes of a packet that are never out of reach: none is longer. */
const MAX_OFFSET = 0x7fff_ffff;

const SEGMENT_FIELDS: ReadonlySet<number> = new Set([
  FIELD['ip.Length'],
  FIELD['ip.Id'],
  FIELD['ip.Checksum'],
  FIELD['ipv6.Length'],
  // Super-packets over 64 KB have a hop-by-hop header that their segments have not.
  FIELD['ipv6.NextHdr'],
  FIELD['tcp.SeqNum'],
  FIELD['tcp.Psh'],
  FIELD['tcp.Fin'],
  FIELD['tcp.Checksum'],
  FIELD['tcp.PayloadLength'],
  FIELD['udp.Length'],
  FIELD['udp.Checksum'],
  FIELD['udp.PayloadLength'],
  FIELD.packet,
  FIELD.packet16,
  FIELD.packet32,
  FIELD['tcp.Payload'],
  FIELD['tcp.Payload16'],
  FIELD['tcp.Payload32'],
  FIELD['udp.Payload'],
  FIELD['udp.Payload16'],
  FIELD['udp.Payload32'],
  FIELD.length,
]);

/** Whether a field differs between a super-packet and its segments. */
export function differsInSegments(field: number): boolean {
  return SEGMENT_FIELDS.has(field);
}

/**
 * Fills in what the options leave open.
 *
 * @param options as the caller gave them
 * @param segments whether to prepare tests for super-packets that will be cut
 */
export function checkContext(options: BpfOptions, segments: boolean): CheckContext {
  const outbound = options.layer === 'network' && options.direction !== 'inbound';
  const loopback = options.loopback ?? (outbound ? 'unknown' : false);
  return {
    layer: options.layer,
    outbound,
    loopback,
    impostor: options.impostor ?? 'unknown',
    interfaceIndex: options.interfaceIndex ?? defaultInterface(outbound, loopback),
    subInterfaceIndex: options.subInterfaceIndex ?? 0,
    checksumsFinal: options.checksums === 'final',
    sets: options.sets ?? new Map(),
    hasProcess: options.process !== undefined,
    segments,
  };
}

/** The loopback device has index 1 in every namespace (`LOOPBACK_IFINDEX`). */
const LOOPBACK_INTERFACE = 1;

function defaultInterface(outbound: boolean, loopback: boolean | 'unknown') {
  if (!outbound) return 'context';
  return loopback === true ? LOOPBACK_INTERFACE : 'unknown';
}

/**
 * Prepares a test.
 *
 * @param test any test of the graph
 * @param context where the program runs
 */
export function prepareCheck(test: FilterTest, context: CheckContext): Check {
  const field = ALL_FIELDS[test.field];
  if (field === undefined || (field.layers & LAYER_BIT[context.layer]) === 0) return INVALID;
  const presence = PRESENCE_HEADERS.get(test.field);
  if (presence !== undefined) return presenceCheck(test, HEADER_WORLDS[presence]);
  const worlds = field.header === null ? ALL_WORLDS : HEADER_WORLDS[field.header];
  const kernelSet = kernelSetOf(test);
  if (kernelSet !== null) return kernelSetCheck(test, kernelSet, worlds, context);
  const address = addressCheck(test, context);
  if (address !== null) return address;
  const reason = unknownReason(test, context);
  if (reason !== null) return { kind: 'unknown', worlds, reason };
  return compareCheck(test, worlds, context);
}

/** The smallest comparison: what a test says of a number, sign and low word only. */
function holds(test: FilterTest, value: number): boolean {
  const { set, mask } = test;
  if (set !== undefined) return set.members.hasWords(value, 0, 0, 0) === (test.operator === '=');
  const constant = test.value[0] >>> 0;
  const masked = mask === undefined ? value : (value & mask[0]) >>> 0;
  // A constant with a minus sign, even -0, is below every unsigned value.
  const order = test.negative ? 1 : Math.sign(masked - constant);
  return isTrue(test.operator, order);
}

function decided(success: boolean): Check {
  return success ? SUCCESS : FAILURE;
}

function guard(worlds: Worlds, success: boolean): Check {
  if (!success) return FAILURE;
  return worlds === ALL_WORLDS ? SUCCESS : { kind: 'guard', worlds };
}

function presenceCheck(test: FilterTest, worlds: Worlds): Check {
  const present = holds(test, 1);
  if (present === holds(test, 0)) return decided(present);
  return { kind: 'guard', worlds: present ? worlds : ALL_WORLDS & ~worlds };
}

/** Fields that the caller's options answer, `null` for all others. */
function addressCheck(test: FilterTest, context: CheckContext): Check | null {
  switch (test.field) {
    case FIELD.zero:
    case FIELD.event:
      return decided(holds(test, 0));
    case FIELD.inbound:
      return decided(holds(test, context.outbound ? 0 : 1));
    case FIELD.outbound:
      return decided(holds(test, context.outbound ? 1 : 0));
    case FIELD.loopback:
      return flagCheck(test, context.loopback);
    case FIELD.impostor:
      return flagCheck(test, context.impostor);
    case FIELD.subIfIdx:
      return decided(holds(test, context.subInterfaceIndex));
    case FIELD.ifIdx:
      return typeof context.interfaceIndex === 'number'
        ? decided(holds(test, context.interfaceIndex))
        : null;
    default:
      return null;
  }
}

function flagCheck(test: FilterTest, value: boolean | 'unknown'): Check {
  const yes = holds(test, 1);
  const no = holds(test, 0);
  if (value === 'unknown' && yes !== no) {
    return { kind: 'unknown', worlds: ALL_WORLDS, reason: 'needs-variants' };
  }
  return decided(value === true ? yes : no);
}

/** A test for membership in a set that may change: nothing is decided before the program runs. */
function kernelSetCheck(
  test: FilterTest,
  set: FilterSet,
  worlds: Worlds,
  context: CheckContext,
): Check {
  const maps = context.sets.get(set);
  const reason = maps === undefined ? 'not-in-context' : unknownReason(test, context);
  if (maps === undefined || reason !== null) {
    return { kind: 'unknown', worlds, reason: reason ?? 'not-in-context' };
  }
  const value = constantValue(test, context) ?? sourceOf(test, context);
  if (value === null) return FAILURE;
  const isIPv4 = ALL_FIELDS[test.field]?.format === 'ipv4';
  const comparison = { kind: 'maps', maps, isIPv4, isMember: test.operator === '=' } as const;
  return { kind: 'compare', worlds, value, comparison };
}

function constantValue({ field }: FilterTest, context: CheckContext): Value | null {
  const { interfaceIndex, subInterfaceIndex } = context;
  if (field === FIELD.event) return { kind: 'constant', value: 0 };
  if (field === FIELD.subIfIdx) return { kind: 'constant', value: subInterfaceIndex };
  const isKnown = field === FIELD.ifIdx && typeof interfaceIndex === 'number';
  return isKnown ? { kind: 'constant', value: interfaceIndex } : null;
}

function unknownReason(test: FilterTest, context: CheckContext): InexactReason | null {
  if (isExtendedField(test.field) && !context.hasProcess) return 'not-in-context';
  switch (test.field) {
    case FIELD.timestamp:
    case FIELD.random8:
    case FIELD.random16:
    case FIELD.random32:
      return 'not-in-context';
    case FIELD.ifIdx:
      return context.interfaceIndex === 'unknown' ? 'not-in-context' : null;
    case FIELD['tcp.Checksum']:
    case FIELD['udp.Checksum']:
      if (!context.checksumsFinal) return 'checksum-not-final';
      break;
    default:
      break;
  }
  return context.segments && differsInSegments(test.field) ? 'differs-in-segments' : null;
}

function compareCheck(test: FilterTest, worlds: Worlds, context: CheckContext): Check {
  const value = sourceOf(test, context);
  if (value === null) return FAILURE;
  if (test.set?.members instanceof RangeSet) {
    const { ranges } = test.set.members;
    const comparison = rangesComparison(test, ranges);
    return { kind: 'compare', worlds, value, comparison };
  }
  // What an unsigned value is to a constant with a minus sign does not depend on the value,
  // but an index outside the packet still fails.
  if (test.negative && value.kind !== 'bytes') return guard(worlds, holds(test, 0));
  if (value.kind === 'fragment' || (value.kind === 'header' && value.field.mask === 1)) {
    return flagComparison(test, worlds, value);
  }
  const upper = upperWordsOrder(test, value);
  if (upper !== 0) return guard(worlds, holdsOrder(test.operator, upper));
  const operator = test.negative ? '>=' : test.operator;
  const words = test.negative ? ([0, 0, 0, 0] as const) : test.value;
  if (test.negative && !holds(test, 0)) return FAILURE;
  const { mask } = test;
  const comparison: Comparison =
    mask === undefined ? { kind: 'words', operator, words } : maskedComparison(test, mask);
  return { kind: 'compare', worlds, value, comparison };
}

const WORD_MASK = 0xffff_ffffn;

/** Values of one word, IPv4 addresses among them, are compared with the low words of the ranges. */
function rangesComparison(
  { operator, field }: FilterTest,
  ranges: readonly ValueRange[],
): Comparison {
  const isIPv4 = ALL_FIELDS[field]?.format === 'ipv4';
  const compared = isIPv4
    ? ranges.map(({ low, high }) => ({ low: low & WORD_MASK, high: high & WORD_MASK }))
    : ranges;
  return { kind: 'ranges', ranges: compared, isMember: operator === '=' };
}

function maskedComparison(
  { operator, value: words, field }: FilterTest,
  mask: FilterTest['value'],
): Comparison {
  const isNarrow = ALL_FIELDS[field]?.words === 1;
  const isBits = isNarrow && words[0] === 0 && (operator === '=' || operator === '!=');
  if (isBits) return { kind: 'bits', mask: mask[0], set: operator === '!=' };
  return { kind: 'words', operator, words, mask };
}

function flagComparison(test: FilterTest, worlds: Worlds, value: Value): Check {
  const set = holds(test, 1);
  if (set === holds(test, 0)) return guard(worlds, set);
  const mask = value.kind === 'header' ? value.field.mask << value.field.shift : -1;
  const raw: Value =
    value.kind === 'header'
      ? { kind: 'header', field: { ...value.field, shift: 0, mask: 0xff } }
      : value;
  return { kind: 'compare', worlds, value: raw, comparison: { kind: 'bits', mask, set } };
}

/** IPv4 addresses are `::ffff:a.b.c.d`: how those upper words order against the constant's. */
function upperWordsOrder(test: FilterTest, value: Value): -1 | 0 | 1 {
  const isIPv4 = test.field === FIELD['ip.SrcAddr'] || test.field === FIELD['ip.DstAddr'];
  if (!isIPv4 || value.kind !== 'header') return 0;
  const [, w1, w2, w3] = test.value;
  if (w3 !== 0 || w2 !== 0) return -1;
  if (w1 === 0xffff) return 0;
  return w1 > 0xffff ? -1 : 1;
}

function holdsOrder(operator: Operator, order: -1 | 1): boolean {
  if (operator === '!=') return true;
  if (operator === '=') return false;
  return operator === '<' || operator === '<=' ? order < 0 : order > 0;
}

function sourceOf(test: FilterTest, context: CheckContext): Value | null {
  const header = HEADER_FIELDS.get(test.field);
  if (header !== undefined) return { kind: 'header', field: header };
  const [localSide, remoteSide]: readonly [Side, Side] = context.outbound
    ? ['source', 'destination']
    : ['destination', 'source'];
  switch (test.field) {
    case FIELD['ipv6.FlowLabel']:
      return { kind: 'flow-label' };
    case FIELD['ipv6.SrcAddr']:
      return { kind: 'address', side: 'source' };
    case FIELD['ipv6.DstAddr']:
      return { kind: 'address', side: 'destination' };
    case FIELD.localAddr:
      return { kind: 'address', side: localSide };
    case FIELD.remoteAddr:
      return { kind: 'address', side: remoteSide };
    case FIELD.localPort:
      return { kind: 'port', side: localSide };
    case FIELD.remotePort:
      return { kind: 'port', side: remoteSide };
    case FIELD['tcp.PayloadLength']:
    case FIELD['udp.PayloadLength']:
      return { kind: 'payload-length' };
    case FIELD.length:
      return { kind: 'length' };
    case FIELD.protocol:
      return { kind: 'protocol' };
    case FIELD.fragment:
      return { kind: 'fragment' };
    case FIELD.ifIdx:
      return { kind: 'interface' };
    case EXTENDED_FIELD.processId:
      return { kind: 'process-id' };
    case EXTENDED_FIELD.userId:
      return { kind: 'user-id' };
    case EXTENDED_FIELD.processName:
      return { kind: 'process-name' };
    default:
      return bytesOf(test, context);
  }
}

function bytesOf(test: FilterTest, context: CheckContext): Value | null {
  const size = ALL_FIELDS[test.field]?.indexed;
  if (size === undefined) throw new RangeError(`the eBPF back end lacks field ${test.field}`);
  const { index } = test;
  const end = index + size;
  // Backwards, the bytes must end at or before the packet's end.
  if (index < 0 ? end > 0 || index < -MAX_OFFSET : end > MAX_OFFSET) return null;
  const base = ALL_FIELDS[test.field]?.header === null ? 'packet' : 'payload';
  const mayBeChecksum =
    base === 'packet' && !context.checksumsFinal && (index < 0 || end > FIRST_CHECKSUM_OFFSET);
  return { kind: 'bytes', base, index, size, mayBeChecksum };
}
