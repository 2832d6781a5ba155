/**
 * Tells that a socket is gone which had flows without connections.
 *
 * @module
 */
import { Assembler } from '../../bpf/assembler.ts';
import { type Instruction, R0, R1, R6, R10 } from '../../bpf/instruction.ts';
import { SOCKET_EVENT } from '../../packet/event-layout.ts';
import { IPPROTO } from '../../packet/layout.ts';
import { SOCK } from '../bpf/contexts.ts';
import { emitRecordHead, emitRingOutput, RECORD_AT } from '../events/emit-record.ts';
import { emitAllow, emitStart, emitStorage } from '../sockets/emit.ts';
import { FLOW_EVENT, RELEASED_NOTE } from './layout.ts';
import type { FlowProgramOptions } from './program-options.ts';

/** No filter judges these records. */
const NO_FILTER = 0;

/** Makes the program for `BPF_CGROUP_INET_SOCK_RELEASE`. */
export function releaseFlowProgram({
  recordsFd,
  sink,
}: FlowProgramOptions): readonly Instruction[] {
  const assembler = new Assembler();
  const done = assembler.newLabel('done');
  emitStart(assembler);
  assembler.load('W', R1, R6, SOCK.PROTOCOL);
  assembler.jumpIf('JEQ', R1, IPPROTO.TCP, done);
  emitStorage(assembler, recordsFd, R6, done);
  const event = FLOW_EVENT.DELETED;
  const notes = RELEASED_NOTE;
  emitRecordHead(assembler, { layer: 'flow', event, flags: 0, notes, generation: NO_FILTER });
  assembler.move(R1, R6);
  assembler.call('get_socket_cookie');
  assembler.store('DW', R10, RECORD_AT + SOCKET_EVENT.ENDPOINT_ID, R0);
  // Without room for it, the flows end by silence.
  emitRingOutput(assembler, sink.ringFd);
  assembler.label(done);
  emitAllow(assembler);
  return assembler.assemble().instructions;
}
