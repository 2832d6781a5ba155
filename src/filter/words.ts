/**
 * 128-bit constants as four 32-bit words, least significant first.
 *
 * @module
 */

/** A 128-bit magnitude: four unsigned 32-bit words, least significant first. */
export type Words = readonly [number, number, number, number];

const WORD = 0xffff_ffffn;

/**
 * Splits a magnitude.
 *
 * @param value - 0 to 2^128 - 1
 */
export function wordsOf(value: bigint): Words {
  if (value <= WORD) return [Number(value), 0, 0, 0];
  return [
    Number(value & WORD),
    Number((value >> 32n) & WORD),
    Number((value >> 64n) & WORD),
    Number((value >> 96n) & WORD),
  ];
}

/** Puts a magnitude together again. */
export function bigintOf(words: Words): bigint {
  const [w0, w1, w2, w3] = words;
  if (w1 === 0 && w2 === 0 && w3 === 0) return BigInt(w0);
  return (BigInt(w3) << 96n) | (BigInt(w2) << 64n) | (BigInt(w1) << 32n) | BigInt(w0);
}
