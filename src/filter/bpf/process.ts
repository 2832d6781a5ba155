/**
 * The process behind a packet: looked up once, its words are then kept on the stack.
 *
 * @module
 */

import type { Assembler } from '../../bpf/assembler.ts';
import { R0, R1 } from '../../bpf/instruction.ts';
import { PROCESS_RECORD } from '../../packet/process-record.ts';
import { FRAME, storeSlot } from './frame.ts';
import type { ProcessLookup } from './options.ts';

const WORD_BYTES = 4;

/** The words of the record that are kept: offset there, slot here. */
const COPIED: readonly (readonly [offset: number, slot: number])[] = [
  [PROCESS_RECORD.PROCESS_ID, FRAME.PROCESS_ID],
  [PROCESS_RECORD.USER_ID, FRAME.USER_ID],
  ...FRAME.PROCESS_NAME.map(
    (slot, word) => [PROCESS_RECORD.NAME + word * WORD_BYTES, slot] as const,
  ),
];

/** Looks the process up; r0-r5 are lost. Without one all slots are zero. */
export function emitProcess(assembler: Assembler, lookup: ProcessLookup): void {
  const missing = assembler.newLabel('no_process');
  const done = assembler.newLabel('process');
  assembler.comment('process');
  lookup.emitLookup(assembler);
  assembler.jumpIf64('JEQ', R0, 0, missing);
  for (const [offset, slot] of COPIED) {
    assembler.load('W', R1, R0, offset);
    storeSlot(assembler, slot, R1);
  }
  assembler.moveImmediate(R1, 1);
  storeSlot(assembler, FRAME.HAS_PROCESS, R1);
  assembler.jump(done);
  assembler.label(missing);
  assembler.moveImmediate(R1, 0);
  for (const [, slot] of COPIED) storeSlot(assembler, slot, R1);
  storeSlot(assembler, FRAME.HAS_PROCESS, R1);
  assembler.label(done);
}
