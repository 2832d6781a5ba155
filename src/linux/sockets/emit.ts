/**
 * Pieces that the tracker's programs are made of. Everywhere r6 is the context and r7 the socket's
 * record.
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, R6, R7, R10, type Register } from '../../bpf/instruction.ts';
import { ALU, CLASS, SOURCE } from '../../bpf/opcode.ts';
import { NAME_VALUE } from './maps.ts';
import { SOCKET_RECORD } from './socket-record.ts';

/** Flags of `bpf_sk_storage_get`. */
export const STORAGE_CREATE = 1;

/**
 * r7 = the record of the socket that `socket` points to, or goto `none`.
 *
 * @param socket register; not r1 or r4
 */
export function emitStorage(
  assembler: Assembler,
  storageFd: number,
  socket: Register,
  none: Label,
  flags = 0,
): void {
  assembler.move(R2, socket);
  assembler.loadMap(R1, storageFd);
  assembler.moveImmediate(R3, 0);
  assembler.moveImmediate(R4, flags);
  assembler.call('sk_storage_get');
  assembler.jumpIf64('JEQ', R0, 0, none);
  assembler.move(R7, R0);
}

/** `target = record + offset` */
export function emitRecordPointer(assembler: Assembler, target: Register, offset: number): void {
  assembler.move(target, R7);
  assembler.alu('ADD', target, offset, 64);
}

/** `target = frame pointer + offset` */
export function emitStackPointer(assembler: Assembler, target: Register, offset: number): void {
  assembler.move(target, R10);
  assembler.alu('ADD', target, offset, 64);
}

/** Writes the current thread's name to the stack. Linux 6.1 leaves what was there behind its end. */
export function emitThreadName(assembler: Assembler, offset: number): void {
  for (let at = 0; at < NAME_VALUE.NAME_BYTES; at += 8) {
    assembler.storeImmediate('DW', R10, offset + at, 0);
  }
  emitStackPointer(assembler, R1, offset);
  assembler.moveImmediate(R2, NAME_VALUE.NAME_BYTES);
  assembler.call('get_current_comm');
}

/** `target = source`, 32 bits: the thread's own id. */
export function emitLowHalf(assembler: Assembler, target: Register, source: Register): void {
  assembler.emit(CLASS.ALU | SOURCE.X | ALU.MOV, target, source, 0, 0);
}

/** Sets bits at {@link SOCKET_RECORD.FLAGS}. */
export function emitSetFlags(assembler: Assembler, flags: number): void {
  assembler.load('W', R1, R7, SOCKET_RECORD.FLAGS);
  assembler.alu('OR', R1, flags);
  assembler.store('W', R7, SOCKET_RECORD.FLAGS, R1);
}

/** Copies a multiple of 8 bytes. */
export function emitCopy(
  assembler: Assembler,
  target: Register,
  targetOffset: number,
  source: Register,
  sourceOffset: number,
  bytes: number,
): void {
  for (let at = 0; at < bytes; at += 8) {
    assembler.load('DW', R1, source, sourceOffset + at);
    assembler.store('DW', target, targetOffset + at, R1);
  }
}

/** Begins a program: the context goes to r6. */
export function emitStart(assembler: Assembler): void {
  assembler.move(R6, R1);
}

/** Ends a program that allows everything. */
export function emitAllow(assembler: Assembler): void {
  assembler.moveImmediate(R0, 1);
  assembler.exit();
}
