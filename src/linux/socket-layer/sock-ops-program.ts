/**
 * Callbacks of TCP sockets: a connect with its local end, a listener, a connection that came in, and the
 * end of one that nobody accepted.
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R1, R2, R10 } from '../../bpf/instruction.ts';
import { EVENT_NOTES, SOCKET_EVENT } from '../../packet/event-layout.ts';
import { SOCK_OPS, SOCK_OPS_OP, TCP_STATE } from '../bpf/contexts.ts';
import { emitStateCallbacks } from '../bpf/emit-state-callbacks.ts';
import { emitFamily, emitSockOpsEnds } from '../events/emit-address.ts';
import { emitRecordHead } from '../events/emit-record.ts';
import { emitKnownState } from './adopt.ts';
import { emitBound, emitRefuse } from './bound-port.ts';
import { RESULT, SOCKET_PROTOCOL } from './context.ts';
import { SOCKET_EVENT_NUMBER } from './event-number.ts';
import {
  CONTEXT,
  emitCookie,
  emitCurrentProcess,
  emitNamespaceCheck,
  emitProcessFrom,
  emitRecall,
  emitRemember,
  emitSameFamily,
  emitState,
  recordAt,
  SOCKET,
  SOCKET_STATE,
} from './frame.ts';
import { headOf } from './record-head.ts';
import { emitClose } from './release-program.ts';
import {
  type Ending,
  emitDelivery,
  emitFilter,
  emitOutputAlways,
  emitResult,
  endingOf,
  type ProgramOptions,
} from './report.ts';
import { STATE, STATE_NOTE } from './state.ts';

/** What a program leaves for those after it when it refuses a listener. */
const REFUSED_REPLY = 0x6e64;

export function emitSockOps(assembler: Assembler, options: ProgramOptions): void {
  const out = assembler.newLabel('out');
  const branches: readonly (readonly [op: number, emit: Branch])[] = [
    [SOCK_OPS_OP.TCP_CONNECT_CB, emitConnected],
    [SOCK_OPS_OP.PASSIVE_ESTABLISHED_CB, emitAccepted],
    [SOCK_OPS_OP.TCP_LISTEN_CB, emitListening],
    [SOCK_OPS_OP.STATE_CB, emitStateChange],
  ];
  assembler.move(CONTEXT, R1);
  const labels = branches.map(([op]) => assembler.newLabel(`op_${op}`));
  assembler.load('W', R1, CONTEXT, SOCK_OPS.OP);
  branches.forEach(([op], index) => {
    assembler.jumpIf('JEQ', R1, op, labels[index] ?? out);
  });
  assembler.jump(out);
  branches.forEach(([, emit], index) => {
    assembler.label(labels[index] ?? out);
    emitNamespaceCheck(assembler, options.namespaceCookie, out);
    assembler.load('DW', SOCKET, CONTEXT, SOCK_OPS.SK);
    assembler.jumpIf64('JEQ', SOCKET, 0, out);
    emit(assembler, options, out);
    assembler.jump(out);
  });
  assembler.label(out);
  emitResult(assembler, RESULT.PASS);
}

type Branch = (assembler: Assembler, options: ProgramOptions, out: Label) => void;

/** `connect` chose the local end; the first packet is not sent yet. */
function emitConnected(assembler: Assembler, options: ProgramOptions, out: Label): void {
  const match = assembler.newLabel('connect_match');
  emitTcpRecord(assembler, options, 'connect', 'sniffed');
  emitProcess(assembler, options);
  emitUsed(assembler, STATE_NOTE.USED);
  if (endingOf(options) === 'blocked') return;
  const facts = {
    event: SOCKET_EVENT_NUMBER.connect,
    outbound: true,
    protocol: SOCKET_PROTOCOL.TCP,
  };
  emitFilter(assembler, options, facts, { match, reject: out });
  assembler.label(match);
  emitDelivery(assembler, options, 'sniffed');
}

/** The handshake is done. What is kept with the listener was copied to the new socket. */
function emitAccepted(assembler: Assembler, options: ProgramOptions, out: Label): void {
  const match = assembler.newLabel('accept_match');
  const none = assembler.newLabel();
  emitTcpRecord(assembler, options, 'accept', 'sniffed');
  emitKnownState(assembler, options, SOCKET);
  assembler.jumpIf64('JEQ', SOCKET_STATE, 0, none);
  emitParent(assembler);
  emitProcessFrom(assembler, SOCKET_STATE, STATE.PROCESS);
  assembler.label(none);
  emitUsed(assembler, STATE_NOTE.USED | STATE_NOTE.CHILD);
  if (options.reportsClose) emitStateCallbacks(assembler, CONTEXT);
  if (endingOf(options) === 'blocked') return;
  const facts = {
    event: SOCKET_EVENT_NUMBER.accept,
    outbound: false,
    protocol: SOCKET_PROTOCOL.TCP,
  };
  emitFilter(assembler, options, facts, { match, reject: out });
  assembler.label(match);
  emitDelivery(assembler, options, 'sniffed');
}

/** What was kept is the listener's, or the tracker has made it this socket's already. */
function emitParent(assembler: Assembler): void {
  const inherited = assembler.newLabel();
  assembler.load('DW', R1, SOCKET_STATE, STATE.ENDPOINT_ID);
  assembler.load('DW', R2, R10, recordAt(SOCKET_EVENT.ENDPOINT_ID));
  assembler.aluRegister('XOR', R2, R1, 64);
  assembler.jumpIf64('JNE', R2, 0, inherited);
  assembler.load('DW', R1, SOCKET_STATE, STATE.PARENT_ENDPOINT_ID);
  assembler.label(inherited);
  assembler.store('DW', R10, recordAt(SOCKET_EVENT.PARENT_ENDPOINT_ID), R1);
}

/** The socket listens already: nothing here can keep it from that. */
function emitListening(assembler: Assembler, options: ProgramOptions, out: Label): void {
  const match = assembler.newLabel('listen_match');
  const ending = endingOf(options);
  assembler.load('W', R1, CONTEXT, SOCK_OPS.REPLY);
  assembler.jumpIf('JEQ', R1, REFUSED_REPLY, out);
  emitTcpRecord(assembler, options, 'listen', ending);
  emitProcess(assembler, options);
  emitUsed(assembler, STATE_NOTE.USED);
  if (options.tracksPorts) emitPort(assembler, options);
  const facts = {
    event: SOCKET_EVENT_NUMBER.listen,
    outbound: false,
    protocol: SOCKET_PROTOCOL.TCP,
  };
  emitFilter(assembler, options, facts, { match, reject: out });
  assembler.label(match);
  if (ending === 'sniffed') {
    emitDelivery(assembler, options, ending);
    return;
  }
  emitRefuse(assembler, options);
  assembler.moveImmediate(R1, REFUSED_REPLY);
  assembler.store('W', CONTEXT, SOCK_OPS.REPLY, R1);
  assembler.storeImmediate('B', R10, recordAt(SOCKET_EVENT.NOTES), EVENT_NOTES.BLOCKED);
  emitOutputAlways(assembler, options);
}

function emitPort(assembler: Assembler, options: ProgramOptions): void {
  const done = assembler.newLabel();
  assembler.jumpIf64('JEQ', SOCKET_STATE, 0, done);
  emitBound(assembler, options, done);
  assembler.label(done);
}

/** A connection that ended without having been accepted, or was reset: no descriptor will say so. */
function emitStateChange(assembler: Assembler, options: ProgramOptions, out: Label): void {
  if (!options.reportsClose) return;
  assembler.load('W', R1, CONTEXT, SOCK_OPS.ARGS + 4);
  assembler.jumpIf('JNE', R1, TCP_STATE.CLOSE, out);
  emitKnownState(assembler, options, SOCKET);
  assembler.jumpIf64('JEQ', SOCKET_STATE, 0, out);
  assembler.load('W', R1, SOCKET_STATE, STATE.NOTES);
  assembler.alu('AND', R1, STATE_NOTE.CHILD);
  assembler.jumpIf('JEQ', R1, 0, out);
  emitRecordHead(assembler, headOf(options, 'close', 'sniffed'));
  emitRecall(assembler);
  emitClose(assembler, options, out);
}

function emitTcpRecord(
  assembler: Assembler,
  options: ProgramOptions,
  event: 'connect' | 'listen' | 'accept',
  ending: Ending,
): void {
  const { LOCAL_ADDRESS, REMOTE_ADDRESS, PROTOCOL } = SOCKET_EVENT;
  emitRecordHead(assembler, headOf(options, event, ending));
  assembler.storeImmediate('B', R10, recordAt(PROTOCOL), SOCKET_PROTOCOL.TCP);
  emitSockOpsEnds(assembler, CONTEXT);
  emitSameFamily(assembler, LOCAL_ADDRESS, REMOTE_ADDRESS);
  // Two ends that are both empty are the same.
  emitFamily(assembler, { local: true, remote: event !== 'listen' });
  emitCookie(assembler);
}

/**
 * The process of a callback in a system call, and what is kept with the socket: the process is the current one, or
 * on older kernels the one that used the socket before.
 */
function emitProcess(assembler: Assembler, options: ProgramOptions): void {
  if (options.knowsProcessInCallbacks) {
    emitState(assembler, options.stateFd, SOCKET, true);
    emitCurrentProcess(assembler, options.namesFd);
    return;
  }
  const none = assembler.newLabel();
  const done = assembler.newLabel();
  emitKnownState(assembler, options, SOCKET);
  assembler.jumpIf64('JEQ', SOCKET_STATE, 0, none);
  emitProcessFrom(assembler, SOCKET_STATE, STATE.PROCESS);
  assembler.jump(done);
  assembler.label(none);
  emitState(assembler, options.stateFd, SOCKET, true);
  assembler.label(done);
}

/** Keeps the record with its socket, and nothing of what was before. Loses r1. */
function emitUsed(assembler: Assembler, notes: number): void {
  const none = assembler.newLabel();
  assembler.jumpIf64('JEQ', SOCKET_STATE, 0, none);
  emitRemember(assembler);
  assembler.storeImmediate('W', SOCKET_STATE, STATE.NOTES, notes);
  assembler.label(none);
}
