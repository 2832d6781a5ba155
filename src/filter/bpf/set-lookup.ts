/**
 * Membership in a set that is kept in maps (`extended/set-map-layout.ts`).
 *
 * @module
 */

import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, R5, R10, type Register } from '../../bpf/instruction.ts';
import { VALUE_BITS } from '../extended/set-entry.ts';
import { TRIE_VALUE_OFFSET } from '../extended/set-map-layout.ts';
import { FRAME } from './frame.ts';
import type { SetMaps } from './options.ts';
import type { SearchExits } from './range-search.ts';

const WORD_BYTES = 4;
const IPV4_MAPPED_WORD = 0xffff;
const VALUE = FRAME.SET_KEY + TRIE_VALUE_OFFSET;

/** Where the value is: `wide` in r2-r5, most significant word first (`ADDRESS_REGISTERS`), otherwise in r0. */
export type ValuePlace = 'wide' | 'number' | 'ipv4';

/** Goes to one of the exits; r0-r5 are lost. */
export function emitSetLookup(
  assembler: Assembler,
  maps: SetMaps,
  place: ValuePlace,
  exits: SearchExits,
): void {
  const prefixes = assembler.newLabel('prefixes');
  emitValue(assembler, place);
  emitInnerMap(assembler, maps.values, prefixes);
  emitLookup(assembler, VALUE);
  assembler.jumpIf64('JNE', R0, 0, exits.found);
  assembler.label(prefixes);
  emitInnerMap(assembler, maps.prefixes, exits.missing);
  assembler.storeImmediate('W', R10, FRAME.SET_KEY, VALUE_BITS);
  emitLookup(assembler, FRAME.SET_KEY);
  assembler.jumpIf64('JNE', R0, 0, exits.found);
  assembler.jump(exits.missing);
}

/**
 * Writes the value, the most significant word first, 8 bytes at a time: up to Linux 6.7, without CAP_PERFMON, nothing
 * smaller is stored where the verifier keeps track of what is there.
 */
function emitValue(assembler: Assembler, place: ValuePlace): void {
  if (place === 'wide') {
    emitWords(assembler, 0, R2, R3);
    emitWords(assembler, 2, R4, R5);
    return;
  }
  assembler.storeImmediate('DW', R10, VALUE, 0);
  assembler.moveImmediate(R1, place === 'ipv4' ? IPV4_MAPPED_WORD : 0);
  emitWords(assembler, 2, R1, R0);
}

/** Both are lost. */
function emitWords(assembler: Assembler, word: number, upper: Register, lower: Register): void {
  assembler.swapBigEndian(upper, 32);
  assembler.swapBigEndian(lower, 32);
  assembler.alu('LSH', lower, 32, 64);
  assembler.aluRegister('OR', lower, upper, 64);
  assembler.store('DW', R10, VALUE + word * WORD_BYTES, lower);
}

/** Index of the only map in an array of maps. */
const ONLY = 0;

/** `r1 =` the map inside of an array of maps; to `none` while there is none. */
function emitInnerMap(assembler: Assembler, fd: number, none: Label): void {
  assembler.storeImmediate('W', R10, FRAME.SET_KEY, ONLY);
  assembler.loadMap(R1, fd);
  emitLookup(assembler, FRAME.SET_KEY);
  assembler.jumpIf64('JEQ', R0, 0, none);
  assembler.move(R1, R0);
}

/** `r0 =` what the map in r1 has for the key on the stack. */
function emitLookup(assembler: Assembler, key: number): void {
  assembler.move(R2, R10);
  assembler.alu('ADD', R2, key, 64);
  assembler.call('map_lookup_elem');
}
