/**
 * Ports that sockets of the namespace receive on, for programs that see a packet before its socket
 * is looked up.
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, R10 } from '../../bpf/instruction.ts';
import { CLASS, SIZE } from '../../bpf/opcode.ts';
import { SOCKET_EVENT } from '../../packet/event-layout.ts';
import {
  emitCopyWords,
  emitNote,
  emitProcessTo,
  emitSlotAddress,
  FRAME,
  recordAt,
  SOCKET_STATE,
} from './frame.ts';
import type { ProgramOptions } from './report.ts';
import { BOUND, BOUND_KEY, STATE, STATE_NOTE } from './state.ts';

/** BPF_ATOMIC: `lock *(u32 *)(destination + offset) += source` with immediate 0. */
const ATOMIC_ADD_32: number = CLASS.STX | 0xc0 | SIZE.W;
const ADDRESS_WORDS = 4;
const WORD_BYTES = 4;

/** The key of the record's local end. Loses r1. */
export function emitBoundKey(assembler: Assembler): void {
  emitCopyWords(
    assembler,
    SOCKET_EVENT.LOCAL_ADDRESS,
    FRAME.KEY + BOUND_KEY.ADDRESS,
    ADDRESS_WORDS,
  );
  assembler.load('H', R1, R10, recordAt(SOCKET_EVENT.LOCAL_PORT));
  assembler.store('H', R10, FRAME.KEY + BOUND_KEY.PORT, R1);
  assembler.load('B', R1, R10, recordAt(SOCKET_EVENT.PROTOCOL));
  assembler.store('H', R10, FRAME.KEY + BOUND_KEY.PROTOCOL, R1);
}

/** r0 = what is known of the port whose key is on the stack. Loses r1-r5. */
export function emitBoundLookup(assembler: Assembler, { boundFd }: ProgramOptions): void {
  assembler.loadMap(R1, boundFd);
  emitSlotAddress(assembler, R2, FRAME.KEY);
  assembler.call('map_lookup_elem');
}

/** Counts the socket of record and state at its port, once. Loses r0-r5. */
export function emitBound(assembler: Assembler, options: ProgramOptions, done: Label): void {
  const known = assembler.newLabel();
  assembler.load('W', R1, SOCKET_STATE, STATE.NOTES);
  assembler.jumpIf('JSET', R1, STATE_NOTE.BOUND, done);
  emitNote(assembler, STATE_NOTE.BOUND);
  emitBoundKey(assembler);
  emitBoundLookup(assembler, options);
  assembler.jumpIf64('JNE', R0, 0, known);
  assembler.storeImmediate('DW', R10, FRAME.VALUE + BOUND.COUNT, 1);
  assembler.load('DW', R1, R10, recordAt(SOCKET_EVENT.ENDPOINT_ID));
  assembler.store('DW', R10, FRAME.VALUE + BOUND.ENDPOINT_ID, R1);
  emitProcessTo(assembler, R10, FRAME.VALUE + BOUND.PROCESS);
  assembler.loadMap(R1, options.boundFd);
  emitSlotAddress(assembler, R2, FRAME.KEY);
  emitSlotAddress(assembler, R3, FRAME.VALUE);
  assembler.moveImmediate(R4, 0);
  assembler.call('map_update_elem');
  assembler.jump(done);
  assembler.label(known);
  assembler.moveImmediate(R1, 1);
  assembler.emit(ATOMIC_ADD_32, R0, R1, BOUND.COUNT, 0);
  assembler.load('DW', R1, R10, recordAt(SOCKET_EVENT.ENDPOINT_ID));
  assembler.store('DW', R0, BOUND.ENDPOINT_ID, R1);
  emitProcessTo(assembler, R0, BOUND.PROCESS);
}

/** Says that the listener of the record is refused, until user space has destroyed it. Loses r0-r5. */
export function emitRefuse(assembler: Assembler, options: ProgramOptions): void {
  const done = assembler.newLabel();
  emitBoundKey(assembler);
  emitBoundLookup(assembler, options);
  assembler.jumpIf64('JEQ', R0, 0, done);
  assembler.storeImmediate('W', R0, BOUND.REFUSED, 1);
  assembler.label(done);
}

/** Takes the socket of record and state off its port. Loses r0-r5. */
export function emitUnbound(assembler: Assembler, options: ProgramOptions): void {
  const done = assembler.newLabel();
  const last = assembler.newLabel();
  assembler.load('W', R1, SOCKET_STATE, STATE.NOTES);
  assembler.alu('AND', R1, STATE_NOTE.BOUND);
  assembler.jumpIf('JEQ', R1, 0, done);
  emitBoundKey(assembler);
  emitBoundLookup(assembler, options);
  assembler.jumpIf64('JEQ', R0, 0, done);
  assembler.load('W', R1, R0, BOUND.COUNT);
  assembler.jumpIf('JLE', R1, 1, last);
  assembler.moveImmediate(R1, -1);
  assembler.emit(ATOMIC_ADD_32, R0, R1, BOUND.COUNT, 0);
  assembler.jump(done);
  assembler.label(last);
  // A listener that was destroyed has left its port to others.
  assembler.load('DW', R1, R10, recordAt(SOCKET_EVENT.ENDPOINT_ID));
  assembler.load('DW', R2, R0, BOUND.ENDPOINT_ID);
  assembler.aluRegister('XOR', R1, R2, 64);
  assembler.jumpIf64('JNE', R1, 0, done);
  assembler.loadMap(R1, options.boundFd);
  emitSlotAddress(assembler, R2, FRAME.KEY);
  assembler.call('map_delete_elem');
  assembler.label(done);
}

/**
 * Makes the key's address the one that stands for all of them.
 *
 * @param word the second word: 0xffff for IPv4, 0 for IPv6 and sockets of both
 */
export function emitAnyAddress(assembler: Assembler, word: number): void {
  for (let index = 0; index < ADDRESS_WORDS; index++) {
    const value = index === 1 ? word : 0;
    const slot = FRAME.KEY + BOUND_KEY.ADDRESS + index * WORD_BYTES;
    assembler.storeImmediate('W', R10, slot, value);
  }
}
