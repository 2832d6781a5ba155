/**
 * The WebAssembly instructions that the packet helpers use, under their names in the WebAssembly Core
 * Specification, sections 5.3 and 5.4 (binary format).
 *
 * @module
 */

/** Types of values. */
export const TYPE = { I32: 0x7f, I64: 0x7e, V128: 0x7b } as const;
export type ValueType = (typeof TYPE)[keyof typeof TYPE];

/** Type of a block that leaves no value. */
export const EMPTY_BLOCK = 0x40;

export const OPCODE = {
  BLOCK: 0x02,
  LOOP: 0x03,
  END: 0x0b,
  BR: 0x0c,
  BR_IF: 0x0d,
  LOCAL_GET: 0x20,
  LOCAL_SET: 0x21,
  LOCAL_TEE: 0x22,
  I64_STORE: 0x37,
  I32_CONST: 0x41,
  I64_CONST: 0x42,
  I32_GE_U: 0x4f,
  I32_ADD: 0x6a,
  I64_ADD: 0x7c,
  I64_MUL: 0x7e,
  I64_OR: 0x84,
  I64_XOR: 0x85,
  I64_SHL: 0x86,
  I64_SHR_U: 0x88,
  I64_ROTL: 0x89,
  I64_EXTEND_I32_U: 0xad,
} as const;

/** Precedes the instructions on vectors. */
export const VECTOR_PREFIX = 0xfd;

/** Behind {@link VECTOR_PREFIX}, as LEB128. */
export const VECTOR_OPCODE = {
  V128_LOAD: 0x00,
  V128_STORE: 0x0b,
  V128_CONST: 0x0c,
  I32X4_EXTRACT_LANE: 0x1b,
  I32X4_EXTADD_PAIRWISE_I16X8_U: 0x7f,
  I32X4_ADD: 0xae,
} as const;
