/**
 * Sockets that were used before the handle was there: what the tracker has kept of them.
 *
 * @module
 */
import type { Assembler } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, type Register } from '../../bpf/instruction.ts';
import { PROCESS_RECORD } from '../../packet/event-layout.ts';
import { SOCKET_FLAGS, SOCKET_RECORD } from '../sockets/socket-record.ts';
import { SOCKET_PROTOCOL } from './context.ts';
import { emitState, MAPPED_WORD, SOCKET_STATE, SPARE } from './frame.ts';
import type { ProgramOptions } from './report.ts';
import { STATE, STATE_NOTE } from './state.ts';

const LONG_BYTES = 8;
const ADDRESS_BYTES = 16;
const WORD_BYTES = 4;

/** What of the tracker's record goes where. */
const PARTS: readonly (readonly [from: number, to: number, bytes: number])[] = [
  [SOCKET_RECORD.COOKIE, STATE.ENDPOINT_ID, LONG_BYTES],
  [SOCKET_RECORD.PARENT_COOKIE, STATE.PARENT_ENDPOINT_ID, LONG_BYTES],
  [SOCKET_RECORD.LOCAL_ADDRESS, STATE.LOCAL_ADDRESS, ADDRESS_BYTES],
  [SOCKET_RECORD.REMOTE_ADDRESS, STATE.REMOTE_ADDRESS, ADDRESS_BYTES],
  [SOCKET_RECORD.PROCESS, STATE.PROCESS, PROCESS_RECORD.BYTES],
];

/** Everything that makes a socket one that was used. */
const USED =
  SOCKET_FLAGS.BOUND | SOCKET_FLAGS.CONNECTED | SOCKET_FLAGS.LISTENING | SOCKET_FLAGS.ACCEPTED;

/**
 * The state register = what is kept with a socket, taken over from the tracker where the handle has nothing
 * of its own; null where there is nothing either. Loses r0-r5 and r9.
 */
export function emitKnownState(
  assembler: Assembler,
  options: ProgramOptions,
  socket: Register,
): void {
  const done = assembler.newLabel('state');
  const none = assembler.newLabel('no_state');
  emitState(assembler, options.stateFd, socket, false);
  assembler.jumpIf64('JNE', SOCKET_STATE, 0, done);
  assembler.loadMap(R1, options.trackerFd);
  assembler.move(R2, socket);
  assembler.moveImmediate(R3, 0);
  assembler.moveImmediate(R4, 0);
  assembler.call('sk_storage_get');
  assembler.jumpIf64('JEQ', R0, 0, none);
  assembler.move(SPARE, R0);
  // The tracker knows sockets of all namespaces.
  assembler.load('DW', R1, SPARE, SOCKET_RECORD.NETNS_COOKIE);
  assembler.loadImmediate64(R2, options.namespaceCookie);
  assembler.aluRegister('XOR', R1, R2, 64);
  assembler.jumpIf64('JNE', R1, 0, none);
  emitState(assembler, options.stateFd, socket, true);
  assembler.jumpIf64('JEQ', SOCKET_STATE, 0, none);
  emitTakeOver(assembler);
  assembler.jump(done);
  assembler.label(none);
  assembler.moveImmediate(SOCKET_STATE, 0);
  assembler.label(done);
}

function emitTakeOver(assembler: Assembler): void {
  for (const [from, to, bytes] of PARTS) {
    // The tracker's addresses and the handle's are aligned differently: words suit both.
    for (let at = 0; at < bytes; at += WORD_BYTES) {
      assembler.load('W', R1, SPARE, from + at);
      assembler.store('W', SOCKET_STATE, to + at, R1);
    }
  }
  assembler.load('H', R1, SPARE, SOCKET_RECORD.LOCAL_PORT);
  assembler.store('H', SOCKET_STATE, STATE.LOCAL_PORT, R1);
  assembler.load('H', R1, SPARE, SOCKET_RECORD.REMOTE_PORT);
  assembler.store('H', SOCKET_STATE, STATE.REMOTE_PORT, R1);
  assembler.load('W', R1, SPARE, SOCKET_RECORD.PROTOCOL);
  assembler.store('B', SOCKET_STATE, STATE.PROTOCOL, R1);
  emitSameFamily(assembler);
  emitNotes(assembler);
}

/** An empty remote address is of the local one's family. */
function emitSameFamily(assembler: Assembler): void {
  const done = assembler.newLabel();
  assembler.load('W', R1, SOCKET_STATE, STATE.LOCAL_ADDRESS + WORD_BYTES);
  assembler.jumpIf('JNE', R1, MAPPED_WORD, done);
  assembler.load('W', R1, SOCKET_STATE, STATE.REMOTE_ADDRESS + WORD_BYTES);
  assembler.jumpIf('JNE', R1, 0, done);
  assembler.moveImmediate(R1, MAPPED_WORD);
  assembler.store('W', SOCKET_STATE, STATE.REMOTE_ADDRESS + WORD_BYTES, R1);
  assembler.label(done);
}

/** r1 = what the handle would have noted. */
function emitNotes(assembler: Assembler): void {
  const unused = assembler.newLabel();
  const notBound = assembler.newLabel();
  const bound = assembler.newLabel();
  const notAccepted = assembler.newLabel();
  const { LISTENING, BOUND, ACCEPTED } = SOCKET_FLAGS;
  assembler.moveImmediate(R1, STATE_NOTE.ADOPTED);
  assembler.load('W', R2, SPARE, SOCKET_RECORD.FLAGS);
  assembler.load('W', R3, SPARE, SOCKET_RECORD.PROTOCOL);
  const jumpUnless = (mask: number, label: typeof unused): void => {
    assembler.move(R4, R2);
    assembler.alu('AND', R4, mask);
    assembler.jumpIf('JEQ', R4, 0, label);
  };
  jumpUnless(USED, unused);
  assembler.alu('OR', R1, STATE_NOTE.USED);
  assembler.label(unused);
  jumpUnless(ACCEPTED, notAccepted);
  assembler.alu('OR', R1, STATE_NOTE.CHILD);
  assembler.label(notAccepted);
  assembler.jumpIf('JSET', R2, LISTENING, bound);
  assembler.jumpIf('JNE', R3, SOCKET_PROTOCOL.UDP, notBound);
  jumpUnless(BOUND, notBound);
  assembler.label(bound);
  assembler.alu('OR', R1, STATE_NOTE.BOUND);
  assembler.label(notBound);
  assembler.store('W', SOCKET_STATE, STATE.NOTES, R1);
}
