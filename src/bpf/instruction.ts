/**
 * One eBPF instruction and its eight bytes (RFC 9669 section 3; `struct bpf_insn`), little-endian:
 *
 *     opcode (8) | source (4) destination (4) | offset (16, signed) | immediate (32, signed)
 *
 * A 64-bit load takes two slots; here as in the kernel's listings they are two instructions, the second
 * with opcode 0 and the high half as its immediate, so that indexes and jump offsets agree.
 *
 * @module
 */

/** Bytes of one slot. */
export const INSTRUCTION_BYTES = 8;

/** A register's number. r0 has results, r1-r5 arguments, r6-r9 survive calls, r10 is the frame pointer. */
export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;

export const R0: Register = 0;
export const R1: Register = 1;
export const R2: Register = 2;
export const R3: Register = 3;
export const R4: Register = 4;
export const R5: Register = 5;
export const R6: Register = 6;
export const R7: Register = 7;
export const R8: Register = 8;
export const R9: Register = 9;
export const R10: Register = 10;

/** One slot of a program. */
export interface Instruction {
  readonly opcode: number;
  readonly destination: number;
  readonly source: number;
  /** Signed, 16 bits: bytes for loads and stores, slots after the next one for jumps. */
  readonly offset: number;
  /** Signed, 32 bits. */
  readonly immediate: number;
}

const OPCODE = 0;
const REGISTERS = 1;
const OFFSET = 2;
const IMMEDIATE = 4;

/**
 * Encodes a program as the kernel takes it on a little-endian machine.
 *
 * @param instructions any number of slots
 * @returns eight bytes for each; yours
 */
export function encodeInstructions(instructions: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(instructions.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  instructions.forEach((instruction, index) => {
    const at = index * INSTRUCTION_BYTES;
    view.setUint8(at + OPCODE, instruction.opcode);
    view.setUint8(at + REGISTERS, (instruction.source << 4) | instruction.destination);
    view.setInt16(at + OFFSET, instruction.offset, true);
    view.setInt32(at + IMMEDIATE, instruction.immediate, true);
  });
  return bytes;
}

/**
 * Reads back what {@link encodeInstructions} writes.
 *
 * @param bytes a whole number of slots
 * @returns the instructions
 * @throws {RangeError} when the length is not a multiple of eight
 */
export function decodeInstructions(bytes: Uint8Array): Instruction[] {
  if (bytes.length % INSTRUCTION_BYTES !== 0) {
    throw new RangeError(`a program has a multiple of 8 bytes, not ${bytes.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const instructions: Instruction[] = [];
  for (let at = 0; at < bytes.length; at += INSTRUCTION_BYTES) {
    const registers = view.getUint8(at + REGISTERS);
    instructions.push({
      opcode: view.getUint8(at + OPCODE),
      destination: registers & 0xf,
      source: registers >> 4,
      offset: view.getInt16(at + OFFSET, true),
      immediate: view.getInt32(at + IMMEDIATE, true),
    });
  }
  return instructions;
}
