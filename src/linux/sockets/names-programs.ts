/**
 * The programs that keep the names of processes: what a worker thread calls itself is not one.
 *
 * @module
 */
import { Assembler } from '../../bpf/assembler.ts';
import { type Instruction, R0, R1, R2, R3, R4, R8, R9, R10 } from '../../bpf/instruction.ts';
import { emitLowHalf, emitStackPointer, emitThreadName } from './emit.ts';
import { NAME_VALUE } from './maps.ts';

const FRAME = { VALUE: -24, PROCESS_ID: -32 } as const;

/** At `sched_process_exec`: the process has the name of its new program. */
export function execProgram(namesFd: number): readonly Instruction[] {
  const assembler = new Assembler();
  assembler.call('get_current_pid_tgid');
  assembler.alu('RSH', R0, 32, 64);
  assembler.store('W', R10, FRAME.PROCESS_ID, R0);
  emitThreadName(assembler, FRAME.VALUE + NAME_VALUE.NAME);
  assembler.storeImmediate('DW', R10, FRAME.VALUE + NAME_VALUE.ANNOUNCED, 0);
  emitStackPointer(assembler, R2, FRAME.PROCESS_ID);
  emitStackPointer(assembler, R3, FRAME.VALUE);
  assembler.moveImmediate(R4, 0);
  assembler.loadMap(R1, namesFd);
  assembler.call('map_update_elem');
  assembler.moveImmediate(R0, 0);
  assembler.exit();
  return assembler.assemble().instructions;
}

/** At `sched_process_exit`: its id may be another process's next. */
export function exitProgram(namesFd: number): readonly Instruction[] {
  const assembler = new Assembler();
  const thread = assembler.newLabel('thread');
  assembler.call('get_current_pid_tgid');
  assembler.move(R8, R0);
  assembler.alu('RSH', R8, 32, 64);
  emitLowHalf(assembler, R9, R0);
  assembler.jumpIfRegister('JNE', R8, R9, thread);
  assembler.store('W', R10, FRAME.PROCESS_ID, R8);
  emitStackPointer(assembler, R2, FRAME.PROCESS_ID);
  assembler.loadMap(R1, namesFd);
  assembler.call('map_delete_elem');
  assembler.label(thread);
  assembler.moveImmediate(R0, 0);
  assembler.exit();
  return assembler.assemble().instructions;
}
