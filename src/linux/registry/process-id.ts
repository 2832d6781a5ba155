/**
 * This process's number, as the kernel counts processes of the whole machine.
 *
 * @module
 */
import { readlinkSync } from 'node:fs';
import { Assembler } from '../../bpf/assembler.ts';
import { R0 } from '../../bpf/instruction.ts';
import { loadSyscallProgram, runSyscallProgram } from '../bpf/syscall-program.ts';

/** Of the initial pid namespace on every machine (PROC_PID_INIT_INO, linux/proc_ns.h). */
const INITIAL_NAMESPACE = 'pid:[4026531836]';
/** The upper half of `bpf_get_current_pid_tgid` is the process, the lower one the thread. */
const PROCESS_SHIFT = 32;

/** Whether this process's numbers of processes are the machine's. */
export function isInitialPidNamespace(): boolean {
  try {
    return readlinkSync('/proc/self/ns/pid') === INITIAL_NAMESPACE;
  } catch {
    // Without /proc nothing is known.
    return false;
  }
}

let known: number | undefined;

/** In the initial pid namespace; in another one before Linux 5.14 the number there. */
export function globalProcessId(): number {
  known ??= isInitialPidNamespace() ? process.pid : askKernel();
  return known;
}

/** In a container only a program in the kernel sees the number outside. */
function askKernel(): number {
  const assembler = new Assembler();
  assembler.call('get_current_pid_tgid');
  assembler.alu('RSH', R0, PROCESS_SHIFT, 64);
  assembler.exit();
  const { instructions } = assembler.assemble();
  try {
    const program = loadSyscallProgram(instructions, `ndivert_${process.pid}`);
    const { result, errno } = runSyscallProgram(program.fd);
    program.close();
    return errno === 0 ? result : process.pid;
  } catch {
    // A handle is opened all the same.
    return process.pid;
  }
}
