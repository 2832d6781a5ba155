/**
 * One test of an event layer as the eBPF back end sees it: decided already, unknowable, a question
 * about one bit or the protocol, or a comparison of words of the record with a constant.
 *
 * @module
 */
import type { SizeName } from '../../bpf/opcode.ts';
import { ADDRESS_FLAGS, type Layer } from '../../packet/address.ts';
import { EVENT_RECORD, REFLECT_EVENT, SOCKET_EVENT } from '../../packet/event-layout.ts';
import { IPPROTO } from '../../packet/layout.ts';
import { ALL_FIELDS, EXTENDED_FIELD } from '../extended/fields.ts';
import type { FilterSet } from '../extended/filter-set.ts';
import { kernelSetOf } from '../extended/properties.ts';
import { RangeSet, type ValueRange } from '../extended/range-set.ts';
import { FIELD, LAYER_BIT } from '../fields.ts';
import { type FilterTest, isTrue, type Operator } from '../graph.ts';
import type { SetMaps } from './options.ts';

/** The layers whose filters are evaluated on records. */
export type EventLayer = Extract<Layer, 'flow' | 'socket' | 'reflect'>;

/** What is known of every record a program makes. */
export interface EventFacts {
  /** `WINDIVERT_EVENT`. */
  readonly event?: number;
  readonly outbound?: boolean;
  readonly loopback?: boolean;
  readonly ipv6?: boolean;
  /** IPPROTO_*. */
  readonly protocol?: number;
}

/** Where a number is in a record. */
export interface EventValue {
  readonly offset: number;
  readonly size: SizeName;
  /** 32-bit words, the least significant first; of sizes below W one. */
  readonly words: 1 | 2 | 4;
  /** Two's complement. */
  readonly signed: boolean;
  /** Offset of a word that is 0 where the value is not known. */
  readonly knownBy?: number;
}

/** A yes or no about a record. */
export type EventQuestion =
  | { readonly kind: 'flag'; readonly mask: number }
  /** `ipv6`: what the flag must be besides; null where it does not matter. */
  | { readonly kind: 'protocol'; readonly protocol: number; readonly ipv6: boolean | null };

/** A test, prepared. */
export type EventCheck =
  | { readonly kind: 'decided'; readonly outcome: 'success' | 'failure' | 'invalid' }
  | { readonly kind: 'unknown' }
  /** Success when the answer is `yes`. */
  | { readonly kind: 'question'; readonly question: EventQuestion; readonly yes: boolean }
  | {
      readonly kind: 'compare';
      readonly value: EventValue;
      readonly operator: Operator;
      /** The constant, two's complement, the least significant word first. */
      readonly constant: readonly number[];
      /** Bits of each word that count. Absent: all. */
      readonly mask?: readonly number[] | undefined;
    }
  /** Success when membership in one of the ranges, disjoint and ascending, is `isMember`. */
  | {
      readonly kind: 'ranges';
      readonly value: EventValue;
      readonly ranges: readonly ValueRange[];
      readonly isMember: boolean;
    }
  /** Success when membership in the maps is `isMember`. */
  | {
      readonly kind: 'maps';
      readonly value: EventValue;
      readonly maps: SetMaps;
      readonly isMember: boolean;
    };

type Decided = Extract<EventCheck, { kind: 'decided' }>;

const WORD_BITS = 32;
const WORD_MASK = 0xffff_ffffn;

function at(offset: number, size: SizeName, rest: Partial<EventValue> = {}): EventValue {
  return { offset, size, words: 1, signed: false, ...rest };
}

const COMMON: readonly (readonly [field: number, value: EventValue])[] = [
  [FIELD.event, at(EVENT_RECORD.EVENT, 'B')],
  [FIELD.timestamp, at(EVENT_RECORD.TIMESTAMP, 'W', { words: 2, signed: true })],
];

/** No process has an empty name. */
const PROCESS: Partial<EventValue> = { knownBy: SOCKET_EVENT.PROCESS_NAME };

const SOCKET_VALUES: ReadonlyMap<number, EventValue> = new Map([
  ...COMMON,
  [FIELD.processId, at(SOCKET_EVENT.PROCESS_ID, 'W')],
  [FIELD.localAddr, at(SOCKET_EVENT.LOCAL_ADDRESS, 'W', { words: 4 })],
  [FIELD.remoteAddr, at(SOCKET_EVENT.REMOTE_ADDRESS, 'W', { words: 4 })],
  [FIELD.localPort, at(SOCKET_EVENT.LOCAL_PORT, 'H')],
  [FIELD.remotePort, at(SOCKET_EVENT.REMOTE_PORT, 'H')],
  [FIELD.protocol, at(SOCKET_EVENT.PROTOCOL, 'B')],
  [FIELD.endpointId, at(SOCKET_EVENT.ENDPOINT_ID, 'W', { words: 2 })],
  [FIELD.parentEndpointId, at(SOCKET_EVENT.PARENT_ENDPOINT_ID, 'W', { words: 2 })],
  [EXTENDED_FIELD.userId, at(SOCKET_EVENT.USER_ID, 'W', PROCESS)],
  [EXTENDED_FIELD.processName, at(SOCKET_EVENT.PROCESS_NAME, 'W', { ...PROCESS, words: 4 })],
]);

const VALUES: Readonly<Record<EventLayer, ReadonlyMap<number, EventValue>>> = {
  flow: SOCKET_VALUES,
  socket: SOCKET_VALUES,
  reflect: new Map([
    ...COMMON,
    [FIELD.processId, at(REFLECT_EVENT.PROCESS_ID, 'W')],
    [FIELD.layer, at(REFLECT_EVENT.HANDLE_LAYER, 'W')],
    [FIELD.priority, at(REFLECT_EVENT.PRIORITY, 'H', { signed: true })],
  ]),
};

const { OUTBOUND, LOOPBACK } = ADDRESS_FLAGS;

/** What is behind a field of 0 or 1. */
interface Asked {
  readonly question: EventQuestion;
  /** The answer that makes it 1. */
  readonly one: boolean;
}

const QUESTIONS: ReadonlyMap<number, Asked> = new Map<number, Asked>([
  [FIELD.inbound, { question: { kind: 'flag', mask: OUTBOUND }, one: false }],
  [FIELD.outbound, { question: { kind: 'flag', mask: OUTBOUND }, one: true }],
  [FIELD.loopback, { question: { kind: 'flag', mask: LOOPBACK }, one: true }],
  [FIELD.icmp, protocolQuestion(IPPROTO.ICMP, false)],
  [FIELD.tcp, protocolQuestion(IPPROTO.TCP, null)],
  [FIELD.udp, protocolQuestion(IPPROTO.UDP, null)],
  [FIELD.icmpv6, protocolQuestion(IPPROTO.ICMPV6, true)],
]);

function protocolQuestion(protocol: number, ipv6: boolean | null): Asked {
  return { question: { kind: 'protocol', protocol, ipv6 }, one: true };
}

/** Flow and socket events have no packet: these are false there. */
const ALWAYS_ZERO: ReadonlySet<number> = new Set([FIELD.zero, FIELD.ip, FIELD.ipv6]);

/** What a test is prepared with. */
export interface EventCheckOptions {
  readonly facts?: EventFacts | undefined;
  /** The record's local address and port say nothing. */
  readonly localUnknown?: boolean | undefined;
  /** The maps of sets. Those without are unknown. */
  readonly sets?: ReadonlyMap<FilterSet, SetMaps> | undefined;
}

/** Prepares a test. */
export function prepareEventCheck(
  test: FilterTest,
  layer: EventLayer,
  { facts = {}, localUnknown = false, sets }: EventCheckOptions = {},
): EventCheck {
  const layers = ALL_FIELDS[test.field]?.layers ?? 0;
  if ((layers & LAYER_BIT[layer]) === 0) return { kind: 'decided', outcome: 'invalid' };
  const set = kernelSetOf(test);
  const check =
    set === null ? plainCheck(test, layer, facts) : mapsCheck(test, layer, sets?.get(set));
  const isLocal = test.field === FIELD.localAddr || test.field === FIELD.localPort;
  return isLocal && localUnknown && check.kind !== 'decided' ? { kind: 'unknown' } : check;
}

/** Of sets that change while programs run nothing is decided before. */
function mapsCheck(test: FilterTest, layer: EventLayer, maps: SetMaps | undefined): EventCheck {
  if (maps === undefined) return { kind: 'unknown' };
  return { kind: 'maps', value: recordValue(test, layer), maps, isMember: test.operator === '=' };
}

function plainCheck(test: FilterTest, layer: EventLayer, facts: EventFacts): EventCheck {
  const known = knownValue(test.field, facts);
  if (known !== null) return decided(holds(test, known));
  const asked = QUESTIONS.get(test.field);
  if (asked !== undefined) return questionCheck(test, asked.question, asked.one, facts);
  return compareCheck(test, recordValue(test, layer));
}

function recordValue({ field }: FilterTest, layer: EventLayer): EventValue {
  const value = VALUES[layer].get(field);
  if (value === undefined) throw new RangeError(`records of layer ${layer} lack field ${field}`);
  return value;
}

/** Values that are the same in every record. */
function knownValue(field: number, facts: EventFacts): bigint | null {
  if (ALWAYS_ZERO.has(field)) return 0n;
  const fact = field === FIELD.event ? facts.event : facts.protocol;
  const isFact = field === FIELD.event || field === FIELD.protocol;
  return isFact && fact !== undefined ? BigInt(fact) : null;
}

function decided(success: boolean): Decided {
  return { kind: 'decided', outcome: success ? 'success' : 'failure' };
}

/** Whether a test passes for a value that is not negative; the constant's sign goes first, so 0 is above -0. */
function holds(test: FilterTest, value: bigint): boolean {
  const { set, mask, operator } = test;
  if (set !== undefined) {
    return set.members.hasWords(Number(value), 0, 0, 0) === (operator === '=');
  }
  const masked = mask === undefined ? value : value & BigInt(mask[0] >>> 0);
  if (test.negative) return isTrue(operator, 1);
  const constant = constantOf(test);
  return isTrue(operator, masked < constant ? -1 : Number(masked > constant));
}

/** The constant as far as it is compared. */
function constantOf(test: FilterTest): bigint {
  const words = ALL_FIELDS[test.field]?.words ?? 1;
  let magnitude = 0n;
  for (let word = words - 1; word >= 0; word--) {
    magnitude = (magnitude << 32n) | BigInt((test.value[word] ?? 0) >>> 0);
  }
  return test.negative ? -magnitude : magnitude;
}

function questionCheck(
  test: FilterTest,
  question: EventQuestion,
  one: boolean,
  facts: EventFacts,
): EventCheck {
  const yes = holds(test, one ? 1n : 0n);
  const no = holds(test, one ? 0n : 1n);
  if (yes === no) return decided(yes);
  const answer = knownAnswer(question, facts);
  return answer === null ? { kind: 'question', question, yes } : decided(answer === yes);
}

function knownAnswer(question: EventQuestion, facts: EventFacts): boolean | null {
  if (question.kind === 'flag') {
    return (question.mask === OUTBOUND ? facts.outbound : facts.loopback) ?? null;
  }
  const { protocol, ipv6 } = question;
  if (facts.protocol !== undefined && facts.protocol !== protocol) return false;
  if (ipv6 === null) return facts.protocol === undefined ? null : true;
  if (facts.ipv6 !== undefined && facts.ipv6 !== ipv6) return false;
  return facts.protocol === undefined || facts.ipv6 === undefined ? null : true;
}

function compareCheck(test: FilterTest, value: EventValue): EventCheck {
  const { operator, negative, mask, set } = test;
  const { signed, words } = value;
  if (set?.members instanceof RangeSet) {
    return { kind: 'ranges', value, ranges: set.members.ranges, isMember: operator === '=' };
  }
  const bits = BigInt(words * WORD_BITS - (signed ? 1 : 0));
  const constant = constantOf(test);
  if (constant >= 1n << bits) return settled(value, isTrue(operator, -1));
  if (negative && (!signed || constant < -(1n << bits))) return settled(value, isTrue(operator, 1));
  // Minus zero is between -1 and 0.
  if (negative && constant === 0n) {
    if (operator === '=' || operator === '!=') return decided(operator === '!=');
    const sign = isTrue(operator, -1) ? '<' : '>=';
    return { kind: 'compare', value, operator: sign, constant: wordsOf(0n, words), mask };
  }
  return { kind: 'compare', value, operator, constant: wordsOf(constant, words), mask };
}

/** The same for every value; what is not known fails all the same. */
function settled(value: EventValue, success: boolean): EventCheck {
  if (!success || value.knownBy === undefined) return decided(success);
  return { kind: 'compare', value, operator: '>=', constant: wordsOf(0n, value.words) };
}

function wordsOf(constant: bigint, count: number): number[] {
  return Array.from({ length: count }, (_, word) =>
    Number((constant >> BigInt(word * WORD_BITS)) & WORD_MASK),
  );
}
