/**
 * Flows of TCP: a connection is established, and deleted when its socket is closed or waits for late
 * packets only (TIME_WAIT).
 *
 * @module
 */
import { Assembler, type Label } from '../../bpf/assembler.ts';
import { type Instruction, R0, R1, R6, R7, R8, R9, R10 } from '../../bpf/instruction.ts';
import { ADDRESS_FLAGS } from '../../packet/address.ts';
import { EVENT_RECORD, SOCKET_EVENT } from '../../packet/event-layout.ts';
import { IPPROTO } from '../../packet/layout.ts';
import { SOCK_OPS, SOCK_OPS_OP, TCP_STATE } from '../bpf/contexts.ts';
import { emitCount } from '../bpf/emit-count.ts';
import { emitStateCallbacks } from '../bpf/emit-state-callbacks.ts';
import { EVENT_COUNTER } from '../events/counter.ts';
import { emitFamily, emitSockOpsEnds } from '../events/emit-address.ts';
import { emitOwner } from '../events/emit-owner.ts';
import { emitRecordHead, emitReport, RECORD_AT } from '../events/emit-record.ts';
import { emitAllow, emitCopy, emitStart, emitStorage, STORAGE_CREATE } from '../sockets/emit.ts';
import { SOCKET_RECORD } from '../sockets/socket-record.ts';
import { emitNamespaceCheck } from './emit-namespace.ts';
import { FLOW_EVENT } from './layout.ts';
import type { FlowProgramOptions } from './program-options.ts';

const NEW_STATE = SOCK_OPS.ARGS + 4;

/** Makes the program for `BPF_CGROUP_SOCK_OPS`. */
export function tcpFlowProgram(options: FlowProgramOptions): readonly Instruction[] {
  const assembler = new Assembler();
  const inbound = assembler.newLabel('inbound');
  const established = assembler.newLabel('established');
  const state = assembler.newLabel('state');
  const done = assembler.newLabel('done');
  emitStart(assembler);
  assembler.load('W', R1, R6, SOCK_OPS.OP);
  assembler.jumpIf('JEQ', R1, SOCK_OPS_OP.STATE_CB, state);
  assembler.jumpIf('JEQ', R1, SOCK_OPS_OP.PASSIVE_ESTABLISHED_CB, inbound);
  assembler.jumpIf('JNE', R1, SOCK_OPS_OP.ACTIVE_ESTABLISHED_CB, done);
  assembler.moveImmediate(R8, ADDRESS_FLAGS.OUTBOUND);
  assembler.jump(established);
  assembler.label(inbound);
  assembler.moveImmediate(R8, 0);
  assembler.label(established);
  emitEstablished(assembler, options, done);
  assembler.label(state);
  assembler.load('W', R1, R6, NEW_STATE);
  assembler.jumpIf('JNE', R1, TCP_STATE.CLOSE, done);
  emitDeleted(assembler, options, done);
  assembler.label(done);
  emitAllow(assembler);
  return assembler.assemble().instructions;
}

/** With the flags in r8. */
function emitEstablished(assembler: Assembler, options: FlowProgramOptions, done: Label): void {
  const { tests, sets, sink, generation } = options;
  assembler.move(R1, R6);
  assembler.call('get_netns_cookie');
  emitNamespaceCheck(assembler, R0, options.namespaceCookie, done);
  assembler.load('DW', R9, R6, SOCK_OPS.SK);
  assembler.jumpIf64('JEQ', R9, 0, done);
  emitRecordHead(assembler, { layer: 'flow', event: FLOW_EVENT.ESTABLISHED, flags: 0, generation });
  assembler.store('B', R10, RECORD_AT + EVENT_RECORD.FLAGS, R8);
  emitSockOpsEnds(assembler, R6);
  assembler.storeImmediate('B', R10, RECORD_AT + SOCKET_EVENT.PROTOCOL, IPPROTO.TCP);
  assembler.move(R1, R6);
  assembler.call('get_socket_cookie');
  assembler.store('DW', R10, RECORD_AT + SOCKET_EVENT.ENDPOINT_ID, R0);
  emitProcess(assembler, options.ownersFd);
  emitFamily(assembler, { local: true, remote: true });
  emitKeep(assembler, options);
  const facts = { event: FLOW_EVENT.ESTABLISHED, protocol: IPPROTO.TCP };
  emitReport(assembler, { tests, layer: 'flow', sets, facts }, sink, { reject: done, done });
}

function emitProcess(assembler: Assembler, ownersFd: number): void {
  const unknown = assembler.newLabel('not_tracked');
  emitStorage(assembler, ownersFd, R9, unknown);
  emitOwner(assembler, R7);
  assembler.load('DW', R1, R7, SOCKET_RECORD.PARENT_COOKIE);
  assembler.store('DW', R10, RECORD_AT + SOCKET_EVENT.PARENT_ENDPOINT_ID, R1);
  assembler.label(unknown);
}

/** Keeps the record with the socket, and asks to be told when its state changes. */
function emitKeep(assembler: Assembler, { recordsFd, sink }: FlowProgramOptions): void {
  const full = assembler.newLabel('not_kept');
  const kept = assembler.newLabel('kept');
  emitStateCallbacks(assembler, R6);
  emitStorage(assembler, recordsFd, R9, full, STORAGE_CREATE);
  emitCopy(assembler, R7, 0, R10, RECORD_AT, SOCKET_EVENT.BYTES);
  assembler.jump(kept);
  assembler.label(full);
  emitCount(assembler, sink.countersFd, EVENT_COUNTER.TABLE_FULL);
  assembler.label(kept);
}

/** Of connections whose beginning this handle has seen. */
function emitDeleted(assembler: Assembler, options: FlowProgramOptions, done: Label): void {
  const { tests, sets, sink, generation } = options;
  const { EVENT, TIMESTAMP, GENERATION } = EVENT_RECORD;
  assembler.load('DW', R9, R6, SOCK_OPS.SK);
  assembler.jumpIf64('JEQ', R9, 0, done);
  emitStorage(assembler, options.recordsFd, R9, done);
  assembler.load('B', R1, R7, EVENT);
  assembler.jumpIf('JNE', R1, FLOW_EVENT.ESTABLISHED, done);
  assembler.storeImmediate('B', R7, EVENT, FLOW_EVENT.DELETED);
  emitCopy(assembler, R10, RECORD_AT, R7, 0, SOCKET_EVENT.BYTES);
  assembler.call('ktime_get_ns');
  assembler.store('DW', R10, RECORD_AT + TIMESTAMP, R0);
  assembler.storeImmediate('W', R10, RECORD_AT + GENERATION, generation);
  const facts = { event: FLOW_EVENT.DELETED, protocol: IPPROTO.TCP };
  emitReport(assembler, { tests, layer: 'flow', sets, facts }, sink, { reject: done, done });
}
