/**
 * Whose a socket is, from the tracker's record into the event's.
 *
 * @module
 */
import type { Assembler } from '../../bpf/assembler.ts';
import { R1, R10, type Register } from '../../bpf/instruction.ts';
import { PROCESS_RECORD, SOCKET_EVENT } from '../../packet/event-layout.ts';
import { SOCKET_RECORD } from '../sockets/socket-record.ts';
import { RECORD_AT } from './emit-record.ts';

const NAME_HALF = 8;

/** What of the owner goes where. */
const PARTS = [
  ['W', PROCESS_RECORD.USER_ID, SOCKET_EVENT.USER_ID],
  ['DW', PROCESS_RECORD.CGROUP_ID, SOCKET_EVENT.CGROUP_ID],
  ['DW', PROCESS_RECORD.NAME, SOCKET_EVENT.PROCESS_NAME],
  ['DW', PROCESS_RECORD.NAME + NAME_HALF, SOCKET_EVENT.PROCESS_NAME + NAME_HALF],
] as const;

/**
 * Copies process, user, control group and name; nothing where the process is not known. Loses r1.
 *
 * @param owner points to the socket's record
 */
export function emitOwner(assembler: Assembler, owner: Register): void {
  const unknown = assembler.newLabel('owner_unknown');
  const { PROCESS } = SOCKET_RECORD;
  assembler.load('W', R1, owner, PROCESS + PROCESS_RECORD.PROCESS_ID);
  assembler.jumpIf('JEQ', R1, 0, unknown);
  assembler.store('W', R10, RECORD_AT + SOCKET_EVENT.PROCESS_ID, R1);
  for (const [size, from, to] of PARTS) {
    assembler.load(size, R1, owner, PROCESS + from);
    assembler.store(size, R10, RECORD_AT + to, R1);
  }
  assembler.label(unknown);
}
