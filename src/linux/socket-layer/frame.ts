/**
 * Where the programs of the socket layer keep things, and the code that fills a record.
 *
 *     r6  the context
 *     r7  what is kept with the socket (`STATE`), 0 where nothing is
 *     r8  the socket, where the context is not it
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, R6, R7, R8, R9, R10, type Register } from '../../bpf/instruction.ts';
import { PROCESS_RECORD, SOCKET_EVENT } from '../../packet/event-layout.ts';
import { RECORD_AT } from '../events/emit-record.ts';
import { NAME_VALUE } from '../sockets/maps.ts';
import { SOCKET_PROTOCOL } from './context.ts';
import { STATE, STATE_NOTE } from './state.ts';

export const CONTEXT: Register = R6;
export const SOCKET_STATE: Register = R7;
export const SOCKET: Register = R8;
/** Survives calls, for what a program needs. */
export const SPARE: Register = R9;

/** Offsets from the frame pointer. */
export const FRAME = {
  /** Key of a bound port or a datagram flow. */
  KEY: -136,
  /** Value of a bound port or a datagram flow; in it filters look into sets (`SET_STACK`). */
  VALUE: -184,
  /** Bytes of a packet. */
  PACKET: -232,
} as const;

/** `::ffff:0:0/96` is IPv4. */
export const MAPPED_WORD = 0xffff;
const WORD_BYTES = 4;
const LONG_BYTES = 8;
const PID_SHIFT = 32;

/** Offset of a field of the record from the frame pointer. */
export function recordAt(field: number): number {
  return RECORD_AT + field;
}

/** Takes the context over and leaves when its namespace is another one. Loses r0 and r1. */
export function emitNamespaceCheck(assembler: Assembler, cookie: bigint, out: Label): void {
  assembler.move(R1, CONTEXT);
  assembler.call('get_netns_cookie');
  assembler.loadImmediate64(R1, cookie);
  assembler.aluRegister('XOR', R0, R1, 64);
  assembler.jumpIf64('JNE', R0, 0, out);
}

/**
 * The process that runs now, which is only right where it made the system call. Loses r0-r5.
 *
 * @param namesFd names by process, for those of threads are other ones
 */
export function emitCurrentProcess(assembler: Assembler, namesFd: number | null): void {
  assembler.call('get_current_pid_tgid');
  assembler.alu('RSH', R0, PID_SHIFT, 64);
  assembler.store('W', R10, recordAt(SOCKET_EVENT.PROCESS_ID), R0);
  assembler.call('get_current_uid_gid');
  assembler.store('W', R10, recordAt(SOCKET_EVENT.USER_ID), R0);
  assembler.call('get_current_cgroup_id');
  assembler.store('DW', R10, recordAt(SOCKET_EVENT.CGROUP_ID), R0);
  assembler.move(R1, R10);
  assembler.alu('ADD', R1, recordAt(SOCKET_EVENT.PROCESS_NAME), 64);
  assembler.moveImmediate(R2, PROCESS_RECORD.BYTES - PROCESS_RECORD.NAME);
  assembler.call('get_current_comm');
  if (namesFd !== null) emitProcessName(assembler, namesFd);
}

function emitProcessName(assembler: Assembler, namesFd: number): void {
  const unknown = assembler.newLabel();
  assembler.loadMap(R1, namesFd);
  emitSlotAddress(assembler, R2, recordAt(SOCKET_EVENT.PROCESS_ID));
  assembler.call('map_lookup_elem');
  assembler.jumpIf64('JEQ', R0, 0, unknown);
  for (let at = 0; at < PROCESS_RECORD.BYTES - PROCESS_RECORD.NAME; at += LONG_BYTES) {
    assembler.load('DW', R1, R0, NAME_VALUE.NAME + at);
    assembler.store('DW', R10, recordAt(SOCKET_EVENT.PROCESS_NAME) + at, R1);
  }
  assembler.label(unknown);
}

/** Parts of the record and of a `PROCESS_RECORD` that say the same. */
const PROCESS_PARTS = [
  ['W', SOCKET_EVENT.PROCESS_ID, PROCESS_RECORD.PROCESS_ID],
  ['W', SOCKET_EVENT.USER_ID, PROCESS_RECORD.USER_ID],
  ['DW', SOCKET_EVENT.CGROUP_ID, PROCESS_RECORD.CGROUP_ID],
  ['DW', SOCKET_EVENT.PROCESS_NAME, PROCESS_RECORD.NAME],
  ['DW', SOCKET_EVENT.PROCESS_NAME + LONG_BYTES, PROCESS_RECORD.NAME + LONG_BYTES],
] as const;

/** Puts the process at `base + offset` into the record. Loses r1. */
export function emitProcessFrom(assembler: Assembler, base: Register, offset: number): void {
  for (const [size, inRecord, inProcess] of PROCESS_PARTS) {
    assembler.load(size, R1, base, offset + inProcess);
    assembler.store(size, R10, recordAt(inRecord), R1);
  }
}

/** Puts the record's process to `base + offset`. Loses r1. */
export function emitProcessTo(assembler: Assembler, base: Register, offset: number): void {
  for (const [size, inRecord, inProcess] of PROCESS_PARTS) {
    assembler.load(size, R1, R10, recordAt(inRecord));
    assembler.store(size, base, offset + inProcess, R1);
  }
}

/** No address, of IPv4. */
export function emitNoIPv4(assembler: Assembler, field: number): void {
  assembler.storeImmediate('W', R10, recordAt(field) + WORD_BYTES, MAPPED_WORD);
}

/**
 * Leaves when the address in the record is IPv6; falls through when it is `::ffff:a.b.c.d`. Loses r1.
 */
export function emitUnlessMapped(assembler: Assembler, field: number, ipv6: Label): void {
  const at = recordAt(field);
  assembler.load('W', R1, R10, at + 3 * WORD_BYTES);
  assembler.jumpIf('JNE', R1, 0, ipv6);
  assembler.load('W', R1, R10, at + 2 * WORD_BYTES);
  assembler.jumpIf('JNE', R1, 0, ipv6);
  assembler.load('W', R1, R10, at + WORD_BYTES);
  assembler.jumpIf('JNE', R1, MAPPED_WORD, ipv6);
}

/** Parts of the record and of {@link STATE} that say the same. */
const STATE_PARTS = [
  ['DW', SOCKET_EVENT.ENDPOINT_ID, STATE.ENDPOINT_ID],
  ['DW', SOCKET_EVENT.PARENT_ENDPOINT_ID, STATE.PARENT_ENDPOINT_ID],
  ...[0, 1, 2, 3].flatMap((word) => [
    ['W', SOCKET_EVENT.LOCAL_ADDRESS + word * 4, STATE.LOCAL_ADDRESS + word * 4] as const,
    ['W', SOCKET_EVENT.REMOTE_ADDRESS + word * 4, STATE.REMOTE_ADDRESS + word * 4] as const,
  ]),
  ['H', SOCKET_EVENT.LOCAL_PORT, STATE.LOCAL_PORT],
  ['H', SOCKET_EVENT.REMOTE_PORT, STATE.REMOTE_PORT],
  ['B', SOCKET_EVENT.PROTOCOL, STATE.PROTOCOL],
  ['B', SOCKET_EVENT.FLAGS, STATE.FLAGS],
] as const;

/** Keeps the record with its socket. Needs the state; loses r1. */
export function emitRemember(assembler: Assembler): void {
  for (const [size, inRecord, inState] of STATE_PARTS) {
    assembler.load(size, R1, R10, recordAt(inRecord));
    assembler.store(size, SOCKET_STATE, inState, R1);
  }
  emitProcessTo(assembler, SOCKET_STATE, STATE.PROCESS);
}

/** Fills the record from what is kept with its socket. Loses r1. */
export function emitRecall(assembler: Assembler): void {
  for (const [size, inRecord, inState] of STATE_PARTS) {
    assembler.load(size, R1, SOCKET_STATE, inState);
    assembler.store(size, R10, recordAt(inRecord), R1);
  }
  emitProcessFrom(assembler, SOCKET_STATE, STATE.PROCESS);
}

/** Adds bits of `STATE_NOTE`. Loses r1. */
export function emitNote(assembler: Assembler, notes: number): void {
  assembler.load('W', R1, SOCKET_STATE, STATE.NOTES);
  assembler.alu('OR', R1, notes);
  assembler.store('W', SOCKET_STATE, STATE.NOTES, R1);
}

/** `BPF_SK_STORAGE_GET_F_CREATE` */
const STORAGE_CREATE = 1;

/**
 * The state register = what is kept with a socket.
 *
 * @param socket the context in hooks that have one for a socket, otherwise {@link SOCKET}
 * @param create whether to make it when there is none
 */
export function emitState(
  assembler: Assembler,
  stateFd: number,
  socket: Register,
  create: boolean,
): void {
  assembler.loadMap(R1, stateFd);
  assembler.move(R2, socket);
  assembler.moveImmediate(R3, 0);
  assembler.moveImmediate(R4, create ? STORAGE_CREATE : 0);
  assembler.call('sk_storage_get');
  assembler.move(SOCKET_STATE, R0);
}

/** The cookie of the context's socket, into the record. Loses r0-r5. */
export function emitCookie(assembler: Assembler): void {
  assembler.move(R1, CONTEXT);
  assembler.call('get_socket_cookie');
  assembler.store('DW', R10, recordAt(SOCKET_EVENT.ENDPOINT_ID), R0);
}

/** The protocol, into the record; MPTCP counts as TCP. Leaves unless it is TCP or UDP. Loses r1. */
export function emitProtocol(
  assembler: Assembler,
  base: Register,
  offset: number,
  out: Label,
): void {
  const { TCP, UDP, MPTCP } = SOCKET_PROTOCOL;
  const known = assembler.newLabel();
  assembler.load('W', R1, base, offset);
  assembler.jumpIf('JEQ', R1, UDP, known);
  assembler.jumpIf('JEQ', R1, TCP, known);
  assembler.jumpIf('JNE', R1, MPTCP, out);
  assembler.moveImmediate(R1, TCP);
  assembler.label(known);
  assembler.store('B', R10, recordAt(SOCKET_EVENT.PROTOCOL), R1);
}

/**
 * When one address of the record is IPv4, an empty one at the other end is too. Loses r1.
 *
 * @param known field of the address that decides
 * @param other field of the one that may be empty
 */
export function emitSameFamily(assembler: Assembler, known: number, other: number): void {
  const done = assembler.newLabel();
  emitUnlessMapped(assembler, known, done);
  assembler.load('W', R1, R10, recordAt(other) + WORD_BYTES);
  assembler.jumpIf('JNE', R1, 0, done);
  emitNoIPv4(assembler, other);
  assembler.label(done);
}

/** Copies words of the record to the stack. Loses r1. */
export function emitCopyWords(
  assembler: Assembler,
  field: number,
  slot: number,
  words: number,
): void {
  for (let word = 0; word < words; word++) {
    assembler.load('W', R1, R10, recordAt(field) + word * WORD_BYTES);
    assembler.store('W', R10, slot + word * WORD_BYTES, R1);
  }
}

/** `register = frame pointer + slot` */
export function emitSlotAddress(assembler: Assembler, register: Register, slot: number): void {
  assembler.move(register, R10);
  assembler.alu('ADD', register, slot, 64);
}

/** Keeps the record with its socket, if there is room, and that the socket was used. Loses r1. */
export function emitRememberUsed(assembler: Assembler): void {
  const none = assembler.newLabel();
  assembler.jumpIf64('JEQ', SOCKET_STATE, 0, none);
  emitRemember(assembler);
  emitNote(assembler, STATE_NOTE.USED);
  assembler.label(none);
}
