/**
 * Parts of an eBPF opcode byte (`include/uapi/linux/bpf.h`, `include/uapi/linux/bpf_common.h`;
 * RFC 9669 section 3).
 *
 *     loads, stores   mode (3 bits) | size (2) | class (3)
 *     arithmetic      operation (4) | source (1) | class (3)
 *     jumps           operation (4) | source (1) | class (3)
 *
 * @module
 */

/** The low three bits. */
export const CLASS = {
  LD: 0x00,
  LDX: 0x01,
  ST: 0x02,
  STX: 0x03,
  ALU: 0x04,
  JMP: 0x05,
  JMP32: 0x06,
  ALU64: 0x07,
} as const;

/** Width of a load or store. */
export const SIZE = { W: 0x00, H: 0x08, B: 0x10, DW: 0x18 } as const;

/** How a load or store finds its operand. */
export const MODE = { IMM: 0x00, ABS: 0x20, IND: 0x40, MEM: 0x60 } as const;

/** Where the second operand of arithmetic and jumps is. */
export const SOURCE = { K: 0x00, X: 0x08 } as const;

/** Arithmetic. `END` converts byte order. */
export const ALU = {
  ADD: 0x00,
  SUB: 0x10,
  MUL: 0x20,
  DIV: 0x30,
  OR: 0x40,
  AND: 0x50,
  LSH: 0x60,
  RSH: 0x70,
  NEG: 0x80,
  MOD: 0x90,
  XOR: 0xa0,
  MOV: 0xb0,
  ARSH: 0xc0,
  END: 0xd0,
} as const;

/** Jumps. Comparisons without an S are unsigned. */
export const JUMP = {
  JA: 0x00,
  JEQ: 0x10,
  JGT: 0x20,
  JGE: 0x30,
  JSET: 0x40,
  JNE: 0x50,
  JSGT: 0x60,
  JSGE: 0x70,
  CALL: 0x80,
  EXIT: 0x90,
  JLT: 0xa0,
  JLE: 0xb0,
  JSLT: 0xc0,
  JSLE: 0xd0,
} as const;

export type AluName = keyof typeof ALU;
export type JumpName = Exclude<keyof typeof JUMP, 'JA' | 'CALL' | 'EXIT'>;
export type SizeName = keyof typeof SIZE;

/** Bytes of each width. */
export const SIZE_BYTES: Readonly<Record<SizeName, number>> = { B: 1, H: 2, W: 4, DW: 8 };

/** `src` of the first half of a 64-bit load: the immediate is a map's file descriptor. */
export const BPF_PSEUDO_MAP_FD = 1;
/** `src` of the first half of a 64-bit load: file descriptor of a map, and an offset into its value. */
export const BPF_PSEUDO_MAP_VALUE = 2;

/** First half of the only instruction that takes two slots. */
export const LD_IMM64: number = CLASS.LD | MODE.IMM | SIZE.DW;
