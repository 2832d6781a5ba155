/**
 * The code of one test of an event layer.
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, type Register } from '../../bpf/instruction.ts';
import type { JumpName } from '../../bpf/opcode.ts';
import { ADDRESS_FLAGS } from '../../packet/address.ts';
import { EVENT_RECORD, SOCKET_EVENT } from '../../packet/event-layout.ts';
import type { Operator } from '../graph.ts';
import type { EventCheck, EventQuestion, EventValue } from './event-check.ts';
import { emitRangeSearch, type SearchExits } from './range-search.ts';
import { emitSetLookup } from './set-lookup.ts';
import { ADDRESS_REGISTERS } from './values.ts';

/** Where the record is. */
export interface RecordPlace {
  /** Not r0. */
  readonly register: Register;
  /** From there to the record. */
  readonly offset: number;
}

/** Where a test leads. */
export interface TestExits {
  readonly success: Label;
  readonly failure: Label;
}

const HALF_BITS = 16;
const WORD_BYTES = 4;

/** Comparisons of the least significant word: success, otherwise failure. */
const LAST_JUMP: Readonly<Record<Operator, JumpName>> = {
  '=': 'JEQ',
  '!=': 'JNE',
  '<': 'JLT',
  '<=': 'JLE',
  '>': 'JGT',
  '>=': 'JGE',
};

const SIGNED: Partial<Record<JumpName, JumpName>> = {
  JLT: 'JSLT',
  JLE: 'JSLE',
  JGT: 'JSGT',
  JGE: 'JSGE',
};

/** Asks a question of the record and goes to one of the exits. Loses r0. */
export function emitQuestion(
  assembler: Assembler,
  question: EventQuestion,
  place: RecordPlace,
  exits: { readonly yes: Label; readonly no: Label },
): void {
  if (question.kind === 'flag') {
    load(assembler, 'B', place, EVENT_RECORD.FLAGS);
    assembler.jumpIf('JSET', R0, question.mask, exits.yes);
    assembler.jump(exits.no);
    return;
  }
  load(assembler, 'B', place, SOCKET_EVENT.PROTOCOL);
  assembler.jumpIf('JNE', R0, question.protocol, exits.no);
  if (question.ipv6 !== null) {
    load(assembler, 'B', place, EVENT_RECORD.FLAGS);
    const wrong = question.ipv6 ? exits.no : exits.yes;
    const right = question.ipv6 ? exits.yes : exits.no;
    assembler.jumpIf('JSET', R0, ADDRESS_FLAGS.IPV6, right);
    assembler.jump(wrong);
    return;
  }
  assembler.jump(exits.yes);
}

/** Compares a number of the record and goes to one of the exits. Loses r0. */
export function emitComparison(
  assembler: Assembler,
  check: Extract<EventCheck, { kind: 'compare' }>,
  place: RecordPlace,
  exits: TestExits,
): void {
  const { value, operator, constant, mask } = check;
  emitKnown(assembler, value, place, exits.failure);
  for (let word = value.words - 1; word >= 0; word--) {
    const expected = constant[word] ?? 0;
    loadWord(assembler, value, place, word);
    if (mask !== undefined) assembler.alu('AND', R0, mask[word] ?? 0);
    if (word > 0) {
      emitUpperWord(assembler, operator, expected, isSignWord(value, word), exits);
    } else {
      const jump = jumpFor(LAST_JUMP[operator], isSignWord(value, word));
      assembler.jumpIf(jump, R0, expected, exits.success);
    }
  }
  assembler.jump(exits.failure);
}

/** Looks for a number of the record in ranges and goes to one of the exits. Loses r0. */
export function emitMembership(
  assembler: Assembler,
  check: Extract<EventCheck, { kind: 'ranges' }>,
  place: RecordPlace,
  exits: TestExits,
): void {
  const { value, ranges } = check;
  emitKnown(assembler, value, place, exits.failure);
  const load = (word: number): Register => {
    loadWord(assembler, value, place, word);
    return R0;
  };
  emitRangeSearch(assembler, ranges, { words: value.words, load }, searchExits(check, exits));
}

/**
 * Looks for a number of the record in the maps of a set and goes to one of the exits. Loses r0-r5, and of the stack
 * the key.
 */
export function emitMapLookup(
  assembler: Assembler,
  check: Extract<EventCheck, { kind: 'maps' }>,
  place: RecordPlace,
  exits: TestExits,
): void {
  const { value, maps } = check;
  emitKnown(assembler, value, place, exits.failure);
  if (value.words === 1) loadWord(assembler, value, place, 0);
  else emitWide(assembler, value, place);
  const kind = value.words === 1 ? 'number' : 'wide';
  emitSetLookup(assembler, maps, kind, searchExits(check, exits));
}

/** The registers of an address = a number of several words. */
function emitWide(assembler: Assembler, value: EventValue, place: RecordPlace): void {
  ADDRESS_REGISTERS.forEach((register, index) => {
    const word = ADDRESS_REGISTERS.length - 1 - index;
    if (word >= value.words) assembler.moveImmediate(register, 0);
    else
      assembler.load(
        'W',
        register,
        place.register,
        place.offset + value.offset + word * WORD_BYTES,
      );
  });
}

function searchExits(
  { isMember }: { readonly isMember: boolean },
  { success, failure }: TestExits,
): SearchExits {
  return isMember ? { found: success, missing: failure } : { found: failure, missing: success };
}

/** What is not known fails every test. */
function emitKnown(
  assembler: Assembler,
  { knownBy }: EventValue,
  place: RecordPlace,
  failure: Label,
): void {
  if (knownBy === undefined) return;
  load(assembler, 'W', place, knownBy);
  assembler.jumpIf('JEQ', R0, 0, failure);
}

/** Where upper words differ, they decide. */
function emitUpperWord(
  assembler: Assembler,
  operator: Operator,
  expected: number,
  signed: boolean,
  exits: TestExits,
): void {
  if (operator === '=' || operator === '!=') {
    assembler.jumpIf('JNE', R0, expected, operator === '=' ? exits.failure : exits.success);
    return;
  }
  const isLess = operator === '<' || operator === '<=';
  const decidesYes = jumpFor(isLess ? 'JLT' : 'JGT', signed);
  assembler.jumpIf(decidesYes, R0, expected, exits.success);
  assembler.jumpIf('JNE', R0, expected, exits.failure);
}

function jumpFor(jump: JumpName, signed: boolean): JumpName {
  return signed ? (SIGNED[jump] ?? jump) : jump;
}

function isSignWord(value: EventValue, word: number): boolean {
  return value.signed && word === value.words - 1;
}

function loadWord(assembler: Assembler, value: EventValue, place: RecordPlace, word: number): void {
  load(assembler, value.size, place, value.offset + word * WORD_BYTES);
  if (value.size !== 'H' || !value.signed) return;
  assembler.alu('LSH', R0, HALF_BITS);
  assembler.alu('ARSH', R0, HALF_BITS);
}

function load(
  assembler: Assembler,
  size: EventValue['size'],
  place: RecordPlace,
  offset: number,
): void {
  assembler.load(size, R0, place.register, place.offset + offset);
}
