/**
 * Attempts to reach a listening socket (`sk_lookup`): a blocked one is answered as if nobody listened.
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R10 } from '../../bpf/instruction.ts';
import { SOCKET_EVENT } from '../../packet/event-layout.ts';
import { SK_LOOKUP } from '../bpf/contexts.ts';
import { emitContextAddresses, emitFamily } from '../events/emit-address.ts';
import { emitRecordHead } from '../events/emit-record.ts';
import { emitAnyAddress, emitBoundKey, emitBoundLookup } from './bound-port.ts';
import { RESULT, SOCKET_PROTOCOL } from './context.ts';
import { emitFlowLookup } from './datagram-flow.ts';
import { SOCKET_EVENT_NUMBER } from './event-number.ts';
import {
  CONTEXT,
  emitProcessFrom,
  emitProtocol,
  emitUnlessMapped,
  MAPPED_WORD,
  recordAt,
  SPARE,
} from './frame.ts';
import { headOf } from './record-head.ts';
import { emitDelivery, emitFilter, emitResult, type ProgramOptions } from './report.ts';
import { BOUND, FLOW, FLOW_KIND } from './state.ts';

export function emitLookup(assembler: Assembler, options: ProgramOptions): void {
  const pass = assembler.newLabel('pass');
  const block = assembler.newLabel('block');
  const match = assembler.newLabel('match');
  assembler.move(CONTEXT, R1);
  emitRecordHead(assembler, headOf(options, 'accept', 'blocked'));
  emitProtocol(assembler, CONTEXT, SK_LOOKUP.PROTOCOL, pass);
  emitEnds(assembler, pass);
  emitFamily(assembler, { local: true, remote: true });
  emitListener(assembler, options);
  emitReplyCheck(assembler, options, pass);
  emitTarget(assembler, block);
  const facts = { event: SOCKET_EVENT_NUMBER.accept, outbound: false };
  emitFilter(assembler, options, facts, { match, reject: pass });
  assembler.label(match);
  // Nobody listens there: it is refused anyway, and there is nothing to report.
  assembler.jumpIf64('JEQ', SPARE, 0, block);
  emitDelivery(assembler, options, 'blocked');
  assembler.label(block);
  emitResult(assembler, RESULT.BLOCK);
  assembler.label(pass);
  emitResult(assembler, RESULT.PASS);
}

function emitEnds(assembler: Assembler, pass: Label): void {
  const { LOCAL_PORT, REMOTE_PORT } = SOCKET_EVENT;
  emitContextAddresses(assembler, CONTEXT, SK_LOOKUP);
  assembler.load('H', R0, CONTEXT, SK_LOOKUP.REMOTE_PORT);
  assembler.swapBigEndian(R0, 16);
  assembler.store('H', R10, recordAt(REMOTE_PORT), R0);
  // Nobody sends from port 0: this is the list of sockets being searched.
  assembler.jumpIf('JEQ', R0, 0, pass);
  assembler.load('W', R0, CONTEXT, SK_LOOKUP.LOCAL_PORT);
  assembler.store('H', R10, recordAt(LOCAL_PORT), R0);
}

/** r9 = who receives there: on this address, on any of IPv4, or on any at all; otherwise null. */
function emitListener(assembler: Assembler, options: ProgramOptions): void {
  const found = assembler.newLabel('listener');
  const ipv6 = assembler.newLabel();
  emitBoundKey(assembler);
  emitBoundLookup(assembler, options);
  assembler.jumpIf64('JNE', R0, 0, found);
  emitUnlessMapped(assembler, SOCKET_EVENT.LOCAL_ADDRESS, ipv6);
  emitAnyAddress(assembler, MAPPED_WORD);
  emitBoundLookup(assembler, options);
  assembler.jumpIf64('JNE', R0, 0, found);
  assembler.label(ipv6);
  emitAnyAddress(assembler, 0);
  emitBoundLookup(assembler, options);
  assembler.label(found);
  assembler.move(SPARE, R0);
}

/** Answers to what a socket sent are no attempts. */
function emitReplyCheck(assembler: Assembler, options: ProgramOptions, pass: Label): void {
  const attempt = assembler.newLabel('attempt');
  assembler.load('B', R1, R10, recordAt(SOCKET_EVENT.PROTOCOL));
  assembler.jumpIf('JNE', R1, SOCKET_PROTOCOL.UDP, attempt);
  emitFlowLookup(assembler, options);
  assembler.jumpIf64('JEQ', R0, 0, attempt);
  assembler.load('W', R1, R0, FLOW.KIND);
  assembler.jumpIf('JNE', R1, FLOW_KIND.SENT, attempt);
  // Of a socket that was bound by its first datagram nothing else is known.
  assembler.jumpIf64('JEQ', SPARE, 0, pass);
  assembler.load('DW', R2, R0, FLOW.ENDPOINT_ID);
  assembler.load('DW', R3, SPARE, BOUND.ENDPOINT_ID);
  assembler.aluRegister('XOR', R2, R3, 64);
  assembler.jumpIf64('JEQ', R2, 0, pass);
  assembler.label(attempt);
}

/** Whose socket it is, into the record; a refused listener lets nobody in. */
function emitTarget(assembler: Assembler, block: Label): void {
  const none = assembler.newLabel();
  const datagrams = assembler.newLabel();
  assembler.jumpIf64('JEQ', SPARE, 0, none);
  assembler.load('W', R1, SPARE, BOUND.REFUSED);
  assembler.jumpIf('JNE', R1, 0, block);
  emitProcessFrom(assembler, SPARE, BOUND.PROCESS);
  assembler.load('DW', R1, SPARE, BOUND.ENDPOINT_ID);
  assembler.load('B', R2, R10, recordAt(SOCKET_EVENT.PROTOCOL));
  assembler.jumpIf('JEQ', R2, SOCKET_PROTOCOL.UDP, datagrams);
  assembler.store('DW', R10, recordAt(SOCKET_EVENT.PARENT_ENDPOINT_ID), R1);
  assembler.jump(none);
  assembler.label(datagrams);
  assembler.store('DW', R10, recordAt(SOCKET_EVENT.ENDPOINT_ID), R1);
  assembler.label(none);
}
