/**
 * XXH64's round, merge and avalanche over four inputs and four lanes as a WebAssembly function: 64-bit
 * multiplications, which JavaScript's numbers do not have.
 *
 * @module
 */

import {
  HASHED_BYTES,
  KEYS,
  LANE_ROTATIONS,
  PRIME64_1,
  PRIME64_2,
  PRIME64_3,
  PRIME64_4,
  ROUND_ROTATION,
} from '../hash-constants.ts';
import {
  type Code,
  getLocal,
  i32,
  i64,
  memoryAt,
  setLocal,
  teeLocal,
  type WasmFunction,
} from './encode.ts';
import { OPCODE, TYPE } from './opcode.ts';

const VALUES = 4;
/** 32-bit words of the inputs and lanes, each value's lower half first: the parameters. */
const WORDS = 2 * (VALUES + VALUES);
/** Behind the parameters: the four rounds' results, then scratch of the avalanche. */
const FIRST_VALUE: number = WORDS;
const SCRATCH: number = FIRST_VALUE + VALUES;

/** The 64-bit value of two parameters, exclusive-ored with its key. */
function keyed(value: number): Code {
  const low = [...getLocal(2 * value), OPCODE.I64_EXTEND_I32_U];
  const high = [...getLocal(2 * value + 1), OPCODE.I64_EXTEND_I32_U];
  const wide = [...low, ...high, ...i64(32n), OPCODE.I64_SHL, OPCODE.I64_OR];
  return [...wide, ...i64(KEYS[value] ?? 0n), OPCODE.I64_XOR];
}

/** `rotate(accumulator + input * PRIME64_2, 31) * PRIME64_1`; no accumulator is 0. */
function round(input: Code, accumulator: Code): Code {
  const sum = accumulator.length === 0 ? [] : [...accumulator, OPCODE.I64_ADD];
  return [
    ...input,
    ...[...i64(PRIME64_2), OPCODE.I64_MUL],
    ...sum,
    ...[...i64(ROUND_ROTATION), OPCODE.I64_ROTL],
    ...[...i64(PRIME64_1), OPCODE.I64_MUL],
  ];
}

/** `hash ^= hash >> bits`, with the hash on the stack. */
function mixDown(bits: bigint): Code {
  return [
    ...teeLocal(SCRATCH),
    ...getLocal(SCRATCH),
    ...[...i64(bits), OPCODE.I64_SHR_U, OPCODE.I64_XOR],
  ];
}

function hashCode(): Code {
  const values = [0, 1, 2, 3];
  const rounds = values.flatMap((value) => [
    ...round(keyed(value), keyed(VALUES + value)),
    ...setLocal(FIRST_VALUE + value),
  ]);
  const start = values.flatMap((value) => [
    ...getLocal(FIRST_VALUE + value),
    ...[...i64(LANE_ROTATIONS[value] ?? 0n), OPCODE.I64_ROTL],
    ...(value === 0 ? [] : [OPCODE.I64_ADD]),
  ]);
  const merges = values.flatMap((value) => [
    ...[...round(getLocal(FIRST_VALUE + value), []), OPCODE.I64_XOR],
    ...[...i64(PRIME64_1), OPCODE.I64_MUL],
    ...[...i64(PRIME64_4), OPCODE.I64_ADD],
  ]);
  const avalanche = [
    ...[...i64(HASHED_BYTES), OPCODE.I64_ADD],
    ...[...mixDown(33n), ...i64(PRIME64_2), OPCODE.I64_MUL],
    ...[...mixDown(29n), ...i64(PRIME64_3), OPCODE.I64_MUL],
    ...mixDown(32n),
  ];
  // The address of the store comes first on the stack.
  return [
    ...i32(0),
    ...rounds,
    ...start,
    ...merges,
    ...avalanche,
    ...[OPCODE.I64_STORE, ...memoryAt(3, 0)],
  ];
}

/** `hash(16 words)`: writes the hash to the first eight bytes of the memory. */
export const HASH_FUNCTION: WasmFunction = {
  name: 'hash',
  parameters: new Array<typeof TYPE.I32>(WORDS).fill(TYPE.I32),
  results: [],
  locals: new Array<typeof TYPE.I64>(VALUES + 1).fill(TYPE.I64),
  code: hashCode(),
};
