/**
 * Programs at the root of the control groups see all network namespaces.
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R1, type Register } from '../../bpf/instruction.ts';

/** Goes to `other` when the namespace cookie in a register is another one. Loses r1. */
export function emitNamespaceCheck(
  assembler: Assembler,
  cookie: Register,
  expected: bigint,
  other: Label,
): void {
  assembler.comment('network namespace');
  assembler.loadImmediate64(R1, expected);
  assembler.aluRegister('XOR', R1, cookie, 64);
  assembler.jumpIf64('JNE', R1, 0, other);
}
