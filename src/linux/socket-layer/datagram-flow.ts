/**
 * Remote ends that datagram sockets have to do with: the first datagram there is a connect, the
 * first one from there an accept, and what follows is neither.
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, R10 } from '../../bpf/instruction.ts';
import { SOCKET_EVENT } from '../../packet/event-layout.ts';
import { emitCopyWords, emitSlotAddress, FRAME, recordAt } from './frame.ts';
import type { ProgramOptions } from './report.ts';
import { FLOW, FLOW_KEY } from './state.ts';

const ADDRESS_WORDS = 4;

/** The key of the record's flow. Loses r1. */
export function emitFlowKey(assembler: Assembler): void {
  emitCopyWords(
    assembler,
    SOCKET_EVENT.REMOTE_ADDRESS,
    FRAME.KEY + FLOW_KEY.ADDRESS,
    ADDRESS_WORDS,
  );
  assembler.load('H', R1, R10, recordAt(SOCKET_EVENT.LOCAL_PORT));
  assembler.store('H', R10, FRAME.KEY + FLOW_KEY.LOCAL_PORT, R1);
  assembler.load('H', R1, R10, recordAt(SOCKET_EVENT.REMOTE_PORT));
  assembler.store('H', R10, FRAME.KEY + FLOW_KEY.REMOTE_PORT, R1);
}

/** r0 = what is known of the record's flow, null: nothing. Loses r1-r5. */
export function emitFlowLookup(assembler: Assembler, { flowsFd }: ProgramOptions): void {
  emitFlowKey(assembler);
  assembler.loadMap(R1, flowsFd);
  emitSlotAddress(assembler, R2, FRAME.KEY);
  assembler.call('map_lookup_elem');
}

/** r0 = kind of the record's flow, to `none` when it is not known or another socket's. Loses r1-r5. */
export function emitFlowKind(assembler: Assembler, options: ProgramOptions, none: Label): void {
  emitFlowLookup(assembler, options);
  assembler.jumpIf64('JEQ', R0, 0, none);
  assembler.load('DW', R1, R10, recordAt(SOCKET_EVENT.ENDPOINT_ID));
  assembler.load('DW', R2, R0, FLOW.ENDPOINT_ID);
  assembler.aluRegister('XOR', R1, R2, 64);
  assembler.jumpIf64('JNE', R1, 0, none);
  assembler.load('W', R0, R0, FLOW.KIND);
}

/** Takes down the record's flow as one of this kind. Loses r0-r5. */
export function emitFlow(assembler: Assembler, options: ProgramOptions, kind: number): void {
  emitFlowKey(assembler);
  assembler.load('DW', R1, R10, recordAt(SOCKET_EVENT.ENDPOINT_ID));
  assembler.store('DW', R10, FRAME.VALUE + FLOW.ENDPOINT_ID, R1);
  assembler.storeImmediate('DW', R10, FRAME.VALUE + FLOW.KIND, kind);
  assembler.loadMap(R1, options.flowsFd);
  emitSlotAddress(assembler, R2, FRAME.KEY);
  emitSlotAddress(assembler, R3, FRAME.VALUE);
  assembler.moveImmediate(R4, 0);
  assembler.call('map_update_elem');
}
