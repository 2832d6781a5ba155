/**
 * Pieces that the tracker's programs are made of. Everywhere r6 is the context and r7 the socket's
 * record.
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, R6, R7, R8, R9, R10, type Register } from '../../bpf/instruction.ts';
import { PROCESS_RECORD } from '../../packet/event-layout.ts';
import { SOCKET } from '../sys/constants.ts';
import { SOCKET_FLAGS, SOCKET_RECORD } from './socket-record.ts';

/** Descriptors of the tracker's maps. */
export interface TrackerMaps {
  /** Socket storage: a record each. */
  readonly storageFd: number;
  /** By cookie: the beginning of a record. */
  readonly ownersFd: number;
  /** By process id: {@link NAME_VALUE}. */
  readonly namesFd: number;
}

/** Offsets from the frame pointer. */
export const FRAME = { PROCESS: -32, PROCESS_ID: -40 } as const;

/** Offsets in what is known of a process. */
export const NAME_VALUE = {
  /** 16 bytes, NUL-terminated: the name of the first thread. */
  NAME: 0,
  BYTES: 16,
} as const;

/** Flags of `bpf_sk_storage_get`. */
export const STORAGE_CREATE = 1;

/** Words of IPv4-mapped addresses. */
const MAPPED_WORD = 0xffff;

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

/**
 * Writes the current process's record to the stack at {@link FRAME.PROCESS}. The name is that of the
 * process's first thread. Uses r8 and r9.
 */
export function emitCurrentProcess(assembler: Assembler, namesFd: number): void {
  const at = FRAME.PROCESS;
  const named = assembler.newLabel('named');
  assembler.call('get_current_pid_tgid');
  assembler.move(R8, R0);
  assembler.alu('RSH', R8, 32, 64);
  // The thread's own id, 32 bits wide.
  assembler.emit(0xbc, R9, R0, 0, 0);
  assembler.store('W', R10, at + PROCESS_RECORD.PROCESS_ID, R8);
  assembler.call('get_current_uid_gid');
  assembler.store('W', R10, at + PROCESS_RECORD.USER_ID, R0);
  assembler.call('get_current_cgroup_id');
  assembler.store('DW', R10, at + PROCESS_RECORD.CGROUP_ID, R0);
  assembler.move(R1, R10);
  assembler.alu('ADD', R1, at + PROCESS_RECORD.NAME, 64);
  assembler.moveImmediate(R2, NAME_VALUE.BYTES);
  assembler.call('get_current_comm');
  assembler.jumpIfRegister('JEQ', R8, R9, named);
  assembler.comment('a worker thread may have a name of its own');
  assembler.move(R2, R10);
  assembler.alu('ADD', R2, at + PROCESS_RECORD.PROCESS_ID, 64);
  assembler.loadMap(R1, namesFd);
  assembler.call('map_lookup_elem');
  assembler.jumpIf64('JEQ', R0, 0, named);
  emitCopy(assembler, R10, at + PROCESS_RECORD.NAME, R0, NAME_VALUE.NAME, NAME_VALUE.BYTES);
  assembler.label(named);
}

/** Makes the process at {@link FRAME.PROCESS} the socket's owner. */
export function emitOwn(assembler: Assembler): void {
  emitCopy(assembler, R7, SOCKET_RECORD.PROCESS, R10, FRAME.PROCESS, PROCESS_RECORD.BYTES);
  assembler.call('ktime_get_ns');
  assembler.store('DW', R7, SOCKET_RECORD.OWNER_SINCE, R0);
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
  emitCurrentProcess(assembler, maps.namesFd);
  emitOwn(assembler);
  emitPublish(assembler, maps.ownersFd);
  assembler.label(same);
}

/** Puts the record's beginning into the map by cookie. */
export function emitPublish(assembler: Assembler, ownersFd: number): void {
  assembler.loadMap(R1, ownersFd);
  emitCookieKey(assembler);
  assembler.move(R3, R7);
  assembler.moveImmediate(R4, 0);
  assembler.call('map_update_elem');
}

/** Takes the socket out of the map by cookie. */
export function emitForget(assembler: Assembler, ownersFd: number): void {
  assembler.loadMap(R1, ownersFd);
  emitCookieKey(assembler);
  assembler.call('map_delete_elem');
}

function emitCookieKey(assembler: Assembler): void {
  assembler.move(R2, R7);
  assembler.alu('ADD', R2, SOCKET_RECORD.COOKIE, 64);
}

/** Sets bits at {@link SOCKET_RECORD.FLAGS}. */
export function emitSetFlags(assembler: Assembler, flags: number): void {
  assembler.load('W', R1, R7, SOCKET_RECORD.FLAGS);
  assembler.alu('OR', R1, flags);
  assembler.store('W', R7, SOCKET_RECORD.FLAGS, R1);
}

/** Where an address is, in network order. */
export interface AddressPlace {
  readonly base: Register;
  /** Offset of the family, where only the socket knows it; otherwise the IP version. */
  readonly family: number | 'ipv4' | 'ipv6';
  readonly ip4: number;
  readonly ip6: number;
}

/** Stores an address as words at an offset in the record. */
export function emitAddress(assembler: Assembler, place: AddressPlace, target: number): void {
  const { base, family, ip4, ip6 } = place;
  if (family === 'ipv4') {
    emitAddress4(assembler, base, ip4, target);
  } else if (family === 'ipv6') {
    emitAddress6(assembler, base, ip6, target);
  } else {
    const version4 = assembler.newLabel('ipv4');
    const done = assembler.newLabel();
    assembler.load('W', R1, base, family);
    assembler.jumpIf('JEQ', R1, SOCKET.AF_INET, version4);
    emitAddress6(assembler, base, ip6, target);
    assembler.jump(done);
    assembler.label(version4);
    emitAddress4(assembler, base, ip4, target);
    assembler.label(done);
  }
}

function emitAddress4(assembler: Assembler, base: Register, ip4: number, target: number): void {
  assembler.load('W', R1, base, ip4);
  assembler.swapBigEndian(R1, 32);
  assembler.store('W', R7, target, R1);
  assembler.storeImmediate('W', R7, target + 4, MAPPED_WORD);
  assembler.storeImmediate('DW', R7, target + 8, 0);
}

function emitAddress6(assembler: Assembler, base: Register, ip6: number, target: number): void {
  for (let word = 0; word < 4; word++) {
    assembler.load('W', R1, base, ip6 + 4 * (3 - word));
    assembler.swapBigEndian(R1, 32);
    assembler.store('W', R7, target + 4 * word, R1);
  }
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
