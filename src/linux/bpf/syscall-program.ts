/**
 * Programs that run when a process asks for it, in that process (`BPF_PROG_TYPE_SYSCALL`, Linux 5.14).
 *
 * @module
 */
import type { Instruction } from '../../bpf/instruction.ts';
import { allocate, type Memory } from '../sys/memory.ts';
import { type BpfResult, callBpfPatiently } from './call.ts';
import { BPF_COMMAND, BPF_PROG_TYPE } from './constants.ts';
import { loadProgram, type Program } from './program.ts';

/** Offsets in the `BPF_PROG_TEST_RUN` part of `union bpf_attr`; the others must be zero here. */
const ATTRIBUTE = { PROG_FD: 0, RETVAL: 4, CTX_SIZE_IN: 40, CTX_IN: 48, BYTES: 80 } as const;

/** Flag of program loading: such programs must say that they may sleep. */
const BPF_F_SLEEPABLE = 1 << 4;

const attribute: Memory = allocate(ATTRIBUTE.BYTES);

/**
 * Loads such a program.
 *
 * @param name as for {@link loadProgram}
 * @throws {@link VerifierError} {@link UnsupportedError} as {@link loadProgram}
 */
export function loadSyscallProgram(instructions: readonly Instruction[], name: string): Program {
  const options = { name, type: BPF_PROG_TYPE.SYSCALL, flags: BPF_F_SLEEPABLE };
  return loadProgram(instructions, options);
}

/**
 * Runs such a program.
 *
 * @param context what it gets, and may write to
 * @param contextBytes how much of that
 * @returns what the program returned, or the errno of the call
 */
export function runSyscallProgram(
  fd: number,
  context: Memory | null = null,
  contextBytes = 0,
): BpfResult {
  const { view, bytes } = attribute;
  view.setUint32(ATTRIBUTE.PROG_FD, fd, true);
  view.setUint32(ATTRIBUTE.CTX_SIZE_IN, contextBytes, true);
  view.setBigUint64(ATTRIBUTE.CTX_IN, context?.address ?? 0n, true);
  const { errno } = callBpfPatiently(BPF_COMMAND.BPF_PROG_TEST_RUN, bytes);
  return { result: view.getUint32(ATTRIBUTE.RETVAL, true), errno };
}
