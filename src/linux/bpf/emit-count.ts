/**
 * Counting in programs.
 *
 * @module
 */
import type { Assembler } from '../../bpf/assembler.ts';
import { R1, R2 } from '../../bpf/instruction.ts';
import { BPF_PSEUDO_MAP_VALUE, CLASS, SIZE } from '../../bpf/opcode.ts';

/** BPF_ATOMIC: `lock *(u64 *)(destination + offset) += source` with immediate 0. */
const ATOMIC_ADD_64: number = CLASS.STX | 0xc0 | SIZE.DW;

/**
 * Adds one to a 64-bit counter that other processors add to as well. Loses r1 and r2.
 *
 * @param countersFd an array map with one value
 * @param offset of the counter in that value
 */
export function emitCount(assembler: Assembler, countersFd: number, offset: number): void {
  const address = BigInt(countersFd) | (BigInt(offset) << 32n);
  assembler.loadImmediate64(R1, address, BPF_PSEUDO_MAP_VALUE);
  assembler.moveImmediate(R2, 1);
  assembler.emit(ATOMIC_ADD_64, R1, R2, 0, 0);
}
