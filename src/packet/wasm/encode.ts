/**
 * Writes a WebAssembly module down in its binary format (WebAssembly Core Specification, section 5).
 *
 * @module
 */

import { EMPTY_BLOCK, OPCODE, type ValueType, VECTOR_OPCODE, VECTOR_PREFIX } from './opcode.ts';

/** Instructions as bytes. */
export type Code = readonly number[];

/** A function that the module exports. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
  /** Local variables; their indexes follow those of the parameters. */
  readonly locals: readonly ValueType[];
  /** Without the final `end`. */
  readonly code: Code;
}

/** Bytes of a memory page. */
export const PAGE_BYTES = 65_536;

const SEVEN_BITS = 0x7f;
const MORE = 0x80;

/** LEB128 of an unsigned number below 2^32. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > SEVEN_BITS; rest >>>= 7) bytes.push((rest & SEVEN_BITS) | MORE);
  return [...bytes, rest];
}

/** LEB128 of a signed number: the last byte's second highest bit is the sign. */
function signed(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest < -64n || rest > 63n; rest >>= 7n) {
    bytes.push(Number(BigInt.asUintN(7, rest)) | MORE);
  }
  return [...bytes, Number(BigInt.asUintN(7, rest))];
}

/** The instruction `local.get` and so on: one with an index. */
export const getLocal = (index: number): Code => [OPCODE.LOCAL_GET, ...unsigned(index)];
export const setLocal = (index: number): Code => [OPCODE.LOCAL_SET, ...unsigned(index)];
export const teeLocal = (index: number): Code => [OPCODE.LOCAL_TEE, ...unsigned(index)];

/** Constants; of 64 bits, signed or unsigned. */
export const i32 = (value: number): Code => [OPCODE.I32_CONST, ...signed(BigInt(value))];
export const i64 = (value: bigint): Code => [OPCODE.I64_CONST, ...signed(BigInt.asIntN(64, value))];

/** An instruction on vectors. */
export const vector = (name: keyof typeof VECTOR_OPCODE, ...operands: readonly number[]): Code => [
  VECTOR_PREFIX,
  ...unsigned(VECTOR_OPCODE[name]),
  ...operands,
];

/** Alignment (a power of two; a hint) and offset of a load or store. */
export const memoryAt = (alignment: number, offset: number): Code => [
  ...unsigned(alignment),
  ...unsigned(offset),
];

/** Repeats its code until `leave` is not zero. */
export function loopUntil(leave: Code, code: Code): Code {
  return [
    ...[OPCODE.BLOCK, EMPTY_BLOCK, OPCODE.LOOP, EMPTY_BLOCK],
    ...leave,
    ...[OPCODE.BR_IF, 1],
    ...code,
    ...[OPCODE.BR, 0, OPCODE.END, OPCODE.END],
  ];
}

function list(items: readonly Code[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function sized(content: Code): number[] {
  return [...unsigned(content.length), ...content];
}

function text(value: string): number[] {
  return sized([...new TextEncoder().encode(value)]);
}

const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const SECTION = { TYPE: 1, FUNCTION: 3, MEMORY: 5, EXPORT: 7, CODE: 10 } as const;
const FUNCTION_TYPE = 0x60;
const EXPORTED = { FUNCTION: 0x00, MEMORY: 0x02 } as const;
const NO_MAXIMUM = 0x00;

/** Name under which a module exports its memory. */
export const MEMORY_NAME = 'memory';

/**
 * Encodes a module of functions that share one memory.
 *
 * @param functions - exported by their names
 * @param pages - size of the memory in {@link PAGE_BYTES}
 */
export function encodeModule(functions: readonly WasmFunction[], pages: number): Uint8Array {
  const types = functions.map(({ parameters, results }) => [
    FUNCTION_TYPE,
    ...sized(parameters),
    ...sized(results),
  ]);
  const exports = functions.map(({ name }, index) => [
    ...text(name),
    EXPORTED.FUNCTION,
    ...unsigned(index),
  ]);
  const bodies = functions.map(({ locals, code }) =>
    sized([...list(locals.map((type) => [1, type])), ...code, OPCODE.END]),
  );
  return Uint8Array.from([
    ...HEADER,
    ...[SECTION.TYPE, ...sized(list(types))],
    ...[SECTION.FUNCTION, ...sized(list(functions.map((_, index) => unsigned(index))))],
    ...[SECTION.MEMORY, ...sized(list([[NO_MAXIMUM, ...unsigned(pages)]]))],
    ...[SECTION.EXPORT, ...sized(list([...exports, [...text(MEMORY_NAME), EXPORTED.MEMORY, 0]]))],
    ...[SECTION.CODE, ...sized(list(bodies))],
  ]);
}
