/**
 * Pieces that the tracker's programs are made of. Everywhere r6 is the context and r7 the socket's
 * record.
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, R6, R7, R8, R9, R10, type Register } from '../../bpf/instruction.ts';
import { ALU, CLASS, SIZE, SOURCE } from '../../bpf/opcode.ts';
import { PROCESS_RECORD } from '../../packet/event-layout.ts';
import { BPF_UPDATE_FLAG } from '../bpf/constants.ts';
import { SOCKET } from '../sys/constants.ts';
import { SOCK } from './contexts.ts';
import {
  BOUND_KEY,
  BOUND_VALUE,
  OWNER_BYTES,
  SOCKET_FLAGS,
  SOCKET_RECORD,
} from './socket-record.ts';

/** Descriptors of the tracker's maps. */
export interface TrackerMaps {
  /** Socket storage: a record each. */
  readonly storageFd: number;
  /** By cookie: the beginning of a record. */
  readonly ownersFd: number;
  /** By process id: {@link NAME_VALUE}. null: names are not followed. */
  readonly namesFd: number | null;
  /** Ring buffer of processes that have their first socket: {@link PROCESS_EVENT}. */
  readonly eventsFd: number;
  /** By address and port: what unconnected sockets and listening ones are bound to. */
  readonly boundFd: number;
  /** By both addresses and ports: TCP connections, also those that ended a moment ago. */
  readonly connectionsFd: number;
}

/** Offsets from the frame pointer. */
export const FRAME = { PROCESS: -32, EVENT: -40, NAME_VALUE: -64, BOUND_VALUE: -152 } as const;

/** Offsets in what is known of a process. */
export const NAME_VALUE = {
  /** 16 bytes, NUL-terminated: the name of the first thread. */
  NAME: 0,
  NAME_BYTES: 16,
  /** u32, other than 0: an event told of it. */
  ANNOUNCED: 16,
  BYTES: 24,
} as const;

/** Offsets in the event of a process that has its first socket. */
export const PROCESS_EVENT = {
  /** u64, monotonic nanoseconds. */
  TIMESTAMP: 0,
  /** `PROCESS_RECORD` */
  PROCESS: 8,
  BYTES: 40,
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
  emitStackPointer(assembler, R1, at + PROCESS_RECORD.NAME);
  assembler.moveImmediate(R2, NAME_VALUE.NAME_BYTES);
  assembler.call('get_current_comm');
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

/** Puts the record's beginning into the map by cookie, and that of a connection into the one by addresses. */
export function emitPublish(assembler: Assembler, maps: TrackerMaps): void {
  const done = assembler.newLabel();
  emitUpdate(assembler, maps.ownersFd, SOCKET_RECORD.COOKIE);
  assembler.load('W', R1, R7, SOCKET_RECORD.FLAGS);
  assembler.alu('AND', R1, SOCKET_FLAGS.ESTABLISHED);
  assembler.jumpIf('JEQ', R1, 0, done);
  emitUpdate(assembler, maps.connectionsFd, SOCKET_RECORD.NETNS_COOKIE);
  assembler.label(done);
}

/** Sets the value of a key that is in the record to the record's beginning. */
export function emitUpdate(assembler: Assembler, fd: number, key: number): void {
  emitRecordPointer(assembler, R2, key);
  assembler.move(R3, R7);
  assembler.moveImmediate(R4, 0);
  assembler.loadMap(R1, fd);
  assembler.call('map_update_elem');
}

/** Takes the socket out of the map by cookie. */
export function emitForget(assembler: Assembler, ownersFd: number): void {
  emitRecordPointer(assembler, R2, SOCKET_RECORD.COOKIE);
  assembler.loadMap(R1, ownersFd);
  assembler.call('map_delete_elem');
}

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
  assembler.emit(CLASS.STX | 0xc0 | SIZE.W, base, R1, offset, 0);
}

/** `target = record + offset` */
function emitRecordPointer(assembler: Assembler, target: Register, offset: number): void {
  assembler.move(target, R7);
  assembler.alu('ADD', target, offset, 64);
}

/** `target = frame pointer + offset` */
export function emitStackPointer(assembler: Assembler, target: Register, offset: number): void {
  assembler.move(target, R10);
  assembler.alu('ADD', target, offset, 64);
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
