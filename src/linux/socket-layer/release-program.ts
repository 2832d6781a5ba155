/**
 * `close` (`sock_release`): the last descriptor of a socket is gone.
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R1, R10 } from '../../bpf/instruction.ts';
import { ADDRESS_FLAGS } from '../../packet/address.ts';
import { EVENT_NOTES, SOCKET_EVENT } from '../../packet/event-layout.ts';
import { emitFamily } from '../events/emit-address.ts';
import { emitRecordHead } from '../events/emit-record.ts';
import { emitKnownState } from './adopt.ts';
import { emitUnbound } from './bound-port.ts';
import { RESULT } from './context.ts';
import { SOCKET_EVENT_NUMBER } from './event-number.ts';
import {
  CONTEXT,
  emitNamespaceCheck,
  emitNote,
  emitRecall,
  recordAt,
  SOCKET_STATE,
} from './frame.ts';
import { headOf } from './record-head.ts';
import { emitDelivery, emitFilter, emitResult, type ProgramOptions } from './report.ts';
import { STATE, STATE_NOTE } from './state.ts';

export function emitRelease(assembler: Assembler, options: ProgramOptions): void {
  const out = assembler.newLabel('out');
  assembler.move(CONTEXT, R1);
  emitNamespaceCheck(assembler, options.namespaceCookie, out);
  emitKnownState(assembler, options, CONTEXT);
  assembler.jumpIf64('JEQ', SOCKET_STATE, 0, out);
  emitRecordHead(assembler, headOf(options, 'close', 'sniffed'));
  emitRecall(assembler);
  if (options.tracksPorts) emitUnbound(assembler, options);
  if (options.reportsClose) emitClose(assembler, options, out);
  assembler.label(out);
  emitResult(assembler, RESULT.PASS);
}

/** Reports the end of a socket once, from the record that was recalled. */
export function emitClose(assembler: Assembler, options: ProgramOptions, out: Label): void {
  const match = assembler.newLabel('close_match');
  const known = assembler.newLabel('local_known');
  const facts = { event: SOCKET_EVENT_NUMBER.close };
  assembler.load('W', R1, SOCKET_STATE, STATE.NOTES);
  assembler.jumpIf('JSET', R1, STATE_NOTE.CLOSED, out);
  assembler.alu('AND', R1, STATE_NOTE.USED);
  assembler.jumpIf('JEQ', R1, 0, out);
  emitNote(assembler, STATE_NOTE.CLOSED);
  emitAdoptedFamily(assembler);
  assembler.load('B', R1, R10, recordAt(SOCKET_EVENT.FLAGS));
  assembler.alu('OR', R1, ADDRESS_FLAGS.SNIFFED);
  assembler.store('B', R10, recordAt(SOCKET_EVENT.FLAGS), R1);
  assembler.load('W', R1, SOCKET_STATE, STATE.NOTES);
  assembler.alu('AND', R1, STATE_NOTE.LOCAL_UNKNOWN);
  assembler.jumpIf('JEQ', R1, 0, known);
  assembler.storeImmediate('B', R10, recordAt(SOCKET_EVENT.NOTES), EVENT_NOTES.LOCAL_UNKNOWN);
  emitFilter(assembler, options, facts, { match, reject: out, localUnknown: true });
  assembler.label(known);
  emitFilter(assembler, options, facts, { match, reject: out });
  assembler.label(match);
  emitDelivery(assembler, options, 'sniffed');
}

/** The tracker keeps no flags. */
function emitAdoptedFamily(assembler: Assembler): void {
  const own = assembler.newLabel();
  assembler.load('W', R1, SOCKET_STATE, STATE.NOTES);
  assembler.alu('AND', R1, STATE_NOTE.ADOPTED);
  assembler.jumpIf('JEQ', R1, 0, own);
  emitFamily(assembler, { local: true, remote: true });
  assembler.label(own);
}
