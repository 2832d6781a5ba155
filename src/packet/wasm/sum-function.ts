/**
 * The sum of 16-bit words as a WebAssembly function, eight words at a time.
 *
 * @module
 */

import {
  type Code,
  getLocal,
  i32,
  loopUntil,
  memoryAt,
  setLocal,
  vector,
  type WasmFunction,
} from './encode.ts';
import { OPCODE, TYPE } from './opcode.ts';

const VECTOR_BYTES = 16;
const ZEROS = new Array<number>(VECTOR_BYTES).fill(0);
const LANES = [0, 1, 2, 3];

const AT = 0;
const END = 1;
const SUMS = 2;

function sumCode(): Code {
  // What is left of an earlier packet behind this one must not count.
  const padding = [
    ...getLocal(END),
    ...vector('V128_CONST', ...ZEROS),
    ...vector('V128_STORE', ...memoryAt(0, 0)),
  ];
  const isEnd = [...getLocal(AT), ...getLocal(END), OPCODE.I32_GE_U];
  const step = [
    ...getLocal(AT),
    ...vector('V128_LOAD', ...memoryAt(4, 0)),
    ...vector('I32X4_EXTADD_PAIRWISE_I16X8_U'),
    ...[...getLocal(SUMS), ...vector('I32X4_ADD'), ...setLocal(SUMS)],
    ...[...getLocal(AT), ...i32(VECTOR_BYTES), OPCODE.I32_ADD, ...setLocal(AT)],
  ];
  const total = LANES.flatMap((lane) => [
    ...getLocal(SUMS),
    ...vector('I32X4_EXTRACT_LANE', lane),
    ...(lane === 0 ? [] : [OPCODE.I32_ADD]),
  ]);
  return [...padding, ...loopUntil(isEnd, step), ...total];
}

/**
 * `sum(start, end)`: the sum of the little-endian words between two places of the memory, modulo 2^32;
 * writes zeros to the 16 bytes behind them. The sum of 65,575 bytes is below 2^32.
 */
export const SUM_FUNCTION: WasmFunction = {
  name: 'sum',
  parameters: [TYPE.I32, TYPE.I32],
  results: [TYPE.I32],
  locals: [TYPE.V128],
  code: sumCode(),
};
