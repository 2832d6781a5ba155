/**
 * Whose a socket is: the pieces of programs that note it. r6 is the context and r7 the socket's record.
 *
 * @module
 */
import type { Assembler } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, R7, R8, R9, R10 } from '../../bpf/instruction.ts';
import { PROCESS_RECORD } from '../../packet/event-layout.ts';
import { emitCopy, emitLowHalf, emitStackPointer, emitThreadName } from './emit.ts';
import { emitUnbind } from './emit-bound.ts';
import { emitPublish } from './emit-publish.ts';
import { NAME_VALUE, PROCESS_EVENT, type TrackerMaps } from './maps.ts';
import { SOCKET_FLAGS, SOCKET_RECORD } from './socket-record.ts';

/** Offsets from the frame pointer. */
const FRAME = { PROCESS: -32, EVENT: -40, NAME_VALUE: -64 } as const;

/**
 * Writes the current process's record to the stack at {@link FRAME.PROCESS}, the time in front of it.
 * The name is that of the process's first thread. Uses r8 and r9.
 */
export function emitCurrentProcess(assembler: Assembler, maps: TrackerMaps): void {
  const at = FRAME.PROCESS;
  assembler.call('ktime_get_ns');
  assembler.store('DW', R10, FRAME.EVENT + PROCESS_EVENT.TIMESTAMP, R0);
  assembler.call('get_current_pid_tgid');
  assembler.move(R8, R0);
  assembler.alu('RSH', R8, 32, 64);
  emitLowHalf(assembler, R9, R0);
  assembler.store('W', R10, at + PROCESS_RECORD.PROCESS_ID, R8);
  assembler.call('get_current_uid_gid');
  assembler.store('W', R10, at + PROCESS_RECORD.USER_ID, R0);
  assembler.call('get_current_cgroup_id');
  assembler.store('DW', R10, at + PROCESS_RECORD.CGROUP_ID, R0);
  emitThreadName(assembler, at + PROCESS_RECORD.NAME);
  if (maps.namesFd !== null) emitName(assembler, maps.namesFd, maps.eventsFd);
}

/** Takes a worker thread's process's name, keeps a first thread's, and tells of a new process. */
function emitName(assembler: Assembler, namesFd: number, eventsFd: number): void {
  const unknown = assembler.newLabel('unknown_process');
  const first = assembler.newLabel('first_thread');
  const named = assembler.newLabel('named');
  const announce = assembler.newLabel('announce');
  const done = assembler.newLabel();
  const name = FRAME.PROCESS + PROCESS_RECORD.NAME;
  emitStackPointer(assembler, R2, FRAME.PROCESS + PROCESS_RECORD.PROCESS_ID);
  assembler.loadMap(R1, namesFd);
  assembler.call('map_lookup_elem');
  assembler.jumpIf64('JEQ', R0, 0, unknown);
  assembler.jumpIfRegister('JEQ', R8, R9, first);
  assembler.comment('a worker thread may have a name of its own');
  emitCopy(assembler, R10, name, R0, NAME_VALUE.NAME, NAME_VALUE.NAME_BYTES);
  assembler.jump(named);
  assembler.label(first);
  emitCopy(assembler, R0, NAME_VALUE.NAME, R10, name, NAME_VALUE.NAME_BYTES);
  assembler.label(named);
  assembler.load('W', R1, R0, NAME_VALUE.ANNOUNCED);
  assembler.jumpIf('JNE', R1, 0, done);
  assembler.storeImmediate('W', R0, NAME_VALUE.ANNOUNCED, 1);
  assembler.jump(announce);
  assembler.label(unknown);
  const value = FRAME.NAME_VALUE;
  emitCopy(assembler, R10, value + NAME_VALUE.NAME, R10, name, NAME_VALUE.NAME_BYTES);
  assembler.storeImmediate('DW', R10, value + NAME_VALUE.ANNOUNCED, 1);
  emitStackPointer(assembler, R2, FRAME.PROCESS + PROCESS_RECORD.PROCESS_ID);
  emitStackPointer(assembler, R3, value);
  assembler.moveImmediate(R4, 0);
  assembler.loadMap(R1, namesFd);
  assembler.call('map_update_elem');
  assembler.label(announce);
  emitStackPointer(assembler, R2, FRAME.EVENT);
  assembler.loadMap(R1, eventsFd);
  assembler.moveImmediate(R3, PROCESS_EVENT.BYTES);
  assembler.moveImmediate(R4, 0);
  assembler.call('ringbuf_output');
  assembler.label(done);
}

/** Makes the process at {@link FRAME.PROCESS} the socket's owner. */
export function emitOwn(assembler: Assembler): void {
  emitCopy(assembler, R7, SOCKET_RECORD.PROCESS, R10, FRAME.PROCESS, PROCESS_RECORD.BYTES);
  assembler.load('DW', R1, R10, FRAME.EVENT + PROCESS_EVENT.TIMESTAMP);
  assembler.store('DW', R7, SOCKET_RECORD.OWNER_SINCE, R1);
  assembler.load('W', R1, R7, SOCKET_RECORD.FLAGS);
  assembler.alu('AND', R1, ~SOCKET_FLAGS.LIKELY);
  assembler.store('W', R7, SOCKET_RECORD.FLAGS, R1);
}

/** Makes the current process the owner when it is another one, or when the owner was a guess. */
export function emitRefresh(assembler: Assembler, maps: TrackerMaps): void {
  const change = assembler.newLabel('change_owner');
  const same = assembler.newLabel('same_owner');
  assembler.call('get_current_pid_tgid');
  assembler.alu('RSH', R0, 32, 64);
  assembler.load('W', R1, R7, SOCKET_RECORD.PROCESS + PROCESS_RECORD.PROCESS_ID);
  assembler.jumpIfRegister('JNE', R1, R0, change);
  assembler.load('W', R1, R7, SOCKET_RECORD.FLAGS);
  assembler.alu('AND', R1, SOCKET_FLAGS.LIKELY);
  assembler.jumpIf('JEQ', R1, 0, same);
  assembler.label(change);
  emitUnbind(assembler, maps.boundFd);
  emitCurrentProcess(assembler, maps);
  emitOwn(assembler);
  emitPublish(assembler, maps);
  assembler.label(same);
}
