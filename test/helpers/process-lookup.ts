/**
 * Stands in for the maps that programs find the process of a packet in: a record on the program's own stack.
 *
 * @module
 */

import type { Assembler } from '../../src/bpf/assembler.ts';
import { R0, R10 } from '../../src/bpf/instruction.ts';
import type { ProcessLookup } from '../../src/filter/emit-bpf.ts';
import { encodeProcessName } from '../../src/filter/extended/process-name.ts';
import type { AddressInit } from '../../src/packet/address.ts';
import { PROCESS_RECORD } from '../../src/packet/process-record.ts';

const RECORD = -512;

/** @param process nothing in it: the process is not known */
export function fixedProcess(process: AddressInit): ProcessLookup {
  const { processId, userId, processName } = process;
  const isKnown = [processId, userId, processName].some((value) => value !== undefined);
  return {
    emitLookup(assembler: Assembler): void {
      if (!isKnown) {
        assembler.moveImmediate(R0, 0);
        return;
      }
      assembler.storeImmediate('W', R10, RECORD + PROCESS_RECORD.PROCESS_ID, processId ?? 0);
      assembler.storeImmediate('W', R10, RECORD + PROCESS_RECORD.USER_ID, userId ?? 0);
      encodeProcessName(processName ?? '').forEach((word, index) => {
        assembler.storeImmediate('W', R10, RECORD + PROCESS_RECORD.NAME + index * 4, word);
      });
      assembler.move(R0, R10);
      assembler.alu('ADD', R0, RECORD, 64);
    },
  };
}
