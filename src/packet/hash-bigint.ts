/**
 * XXH64's round, merge and avalanche in BigInt arithmetic: what runs where WebAssembly does not.
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
} from './hash-constants.ts';

const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotate = (value: bigint, bits: bigint): bigint =>
  wrap(value << bits) | (value >> (64n - bits));
const mixDown = (value: bigint, bits: bigint): bigint => value ^ (value >> bits);

function round(accumulator: bigint, input: bigint): bigint {
  return wrap(rotate(wrap(accumulator + input * PRIME64_2), ROUND_ROTATION) * PRIME64_1);
}

/**
 * Hashes four inputs and four lanes.
 *
 * @param words - their 32-bit halves, the lower ones first
 * @returns 64 bits
 */
export function hashWords(words: readonly number[]): bigint {
  const keyed = KEYS.map(
    (key, index) =>
      key ^
      BigInt.asUintN(32, BigInt(words[2 * index] ?? 0)) ^
      (BigInt.asUintN(32, BigInt(words[2 * index + 1] ?? 0)) << 32n),
  );
  const lanes = keyed.slice(LANE_ROTATIONS.length);
  const values = lanes.map((lane, index) => round(lane, keyed[index] ?? 0n));
  let hash = 0n;
  for (const [index, bits] of LANE_ROTATIONS.entries()) hash += rotate(values[index] ?? 0n, bits);
  hash = wrap(hash);
  for (const value of values) hash = wrap((hash ^ round(0n, value)) * PRIME64_1 + PRIME64_4);
  hash = wrap(mixDown(wrap(hash + HASHED_BYTES), 33n) * PRIME64_2);
  hash = wrap(mixDown(hash, 29n) * PRIME64_3);
  return mixDown(hash, 32n);
}
