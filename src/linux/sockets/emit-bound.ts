/**
 * What packets without a socket are found by: the addresses that sockets are bound to. r7 is the record.
 *
 * @module
 */
import type { Assembler } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, R7, R10, type Register } from '../../bpf/instruction.ts';
import { CLASS, SIZE } from '../../bpf/opcode.ts';
import { PROCESS_RECORD } from '../../packet/event-layout.ts';
import { BPF_UPDATE_FLAG } from '../bpf/constants.ts';
import { SOCK } from '../bpf/contexts.ts';
import { emitCopy, emitRecordPointer, emitStackPointer } from './emit.ts';
import {
  BOUND_KEY,
  BOUND_VALUE,
  OWNER_BYTES,
  SOCKET_FLAGS,
  SOCKET_RECORD,
} from './socket-record.ts';

/** Offsets from the frame pointer; above are those of `emit-process.ts`. */
const FRAME = { BOUND_VALUE: -152 } as const;

/** BPF_ATOMIC. */
const ATOMIC = 0xc0;

/**
 * Notes whether the socket is bound to a device, so that not all packets to its address are its own.
 *
 * @param socket register with the `bpf_sock`; not r1 or r2
 */
export function emitDevice(assembler: Assembler, socket: Register): void {
  const none = assembler.newLabel();
  assembler.load('W', R1, R7, SOCKET_RECORD.FLAGS);
  assembler.alu('AND', R1, ~SOCKET_FLAGS.ON_DEVICE);
  assembler.load('W', R2, socket, SOCK.BOUND_DEV_IF);
  assembler.jumpIf('JEQ', R2, 0, none);
  assembler.alu('OR', R1, SOCKET_FLAGS.ON_DEVICE);
  assembler.label(none);
  assembler.store('W', R7, SOCKET_RECORD.FLAGS, R1);
}

/** Says that packets to the socket's local address are its own. */
export function emitBind(assembler: Assembler, boundFd: number): void {
  const done = assembler.newLabel('bound');
  const same = assembler.newLabel();
  const at = FRAME.BOUND_VALUE;
  assembler.load('H', R1, R7, SOCKET_RECORD.LOCAL_PORT);
  assembler.jumpIf('JEQ', R1, 0, done);
  assembler.store('W', R7, SOCKET_RECORD.BOUND + BOUND_KEY.PORT, R1);
  assembler.load('W', R1, R7, SOCKET_RECORD.PROTOCOL);
  assembler.store('W', R7, SOCKET_RECORD.BOUND + BOUND_KEY.PROTOCOL, R1);
  // The namespace's cookie and the address, as they lie there.
  emitCopy(assembler, R7, SOCKET_RECORD.BOUND, R7, SOCKET_RECORD.NETNS_COOKIE, BOUND_KEY.PORT);
  emitCopy(assembler, R10, at, R7, 0, OWNER_BYTES);
  assembler.storeImmediate('W', R10, at + BOUND_VALUE.SOCKETS, 1);
  assembler.load('W', R1, R7, SOCKET_RECORD.FLAGS);
  assembler.alu('AND', R1, SOCKET_FLAGS.ON_DEVICE);
  assembler.store('W', R10, at + BOUND_VALUE.MIXED, R1);
  emitRecordPointer(assembler, R2, SOCKET_RECORD.BOUND);
  emitStackPointer(assembler, R3, at);
  assembler.moveImmediate(R4, BPF_UPDATE_FLAG.BPF_NOEXIST);
  assembler.loadMap(R1, boundFd);
  assembler.call('map_update_elem');
  assembler.jumpIf64('JEQ', R0, 0, done);
  emitRecordPointer(assembler, R2, SOCKET_RECORD.BOUND);
  assembler.loadMap(R1, boundFd);
  assembler.call('map_lookup_elem');
  assembler.jumpIf64('JEQ', R0, 0, done);
  assembler.load('W', R1, R0, PROCESS_RECORD.PROCESS_ID);
  assembler.load('W', R2, R7, SOCKET_RECORD.PROCESS + PROCESS_RECORD.PROCESS_ID);
  assembler.jumpIfRegister('JEQ', R1, R2, same);
  assembler.storeImmediate('W', R0, BOUND_VALUE.MIXED, 1);
  assembler.label(same);
  emitAtomicAdd(assembler, R0, BOUND_VALUE.SOCKETS, 1);
  assembler.label(done);
}

/** Takes back what {@link emitBind} said. */
export function emitUnbind(assembler: Assembler, boundFd: number): void {
  const done = assembler.newLabel('unbound');
  const port = SOCKET_RECORD.BOUND + BOUND_KEY.PORT;
  const clear = assembler.newLabel();
  assembler.load('W', R1, R7, port);
  assembler.jumpIf('JEQ', R1, 0, done);
  emitRecordPointer(assembler, R2, SOCKET_RECORD.BOUND);
  assembler.loadMap(R1, boundFd);
  assembler.call('map_lookup_elem');
  assembler.jumpIf64('JEQ', R0, 0, clear);
  emitAtomicAdd(assembler, R0, BOUND_VALUE.SOCKETS, -1);
  assembler.load('W', R1, R0, BOUND_VALUE.SOCKETS);
  assembler.jumpIf('JNE', R1, 0, clear);
  emitRecordPointer(assembler, R2, SOCKET_RECORD.BOUND);
  assembler.loadMap(R1, boundFd);
  assembler.call('map_delete_elem');
  assembler.label(clear);
  assembler.storeImmediate('W', R7, port, 0);
  assembler.label(done);
}

/** `lock *(u32 *)(base + offset) += amount` (BPF_ATOMIC). */
function emitAtomicAdd(assembler: Assembler, base: Register, offset: number, amount: number): void {
  assembler.moveImmediate(R1, amount);
  assembler.emit(CLASS.STX | ATOMIC | SIZE.W, base, R1, offset, 0);
}
