/**
 * Random numbers that are the same for the same seed.
 *
 * @module
 */

/** Steps of a Weyl sequence: 2^32 divided by the golden ratio. */
const STEP = 0x9e37_79b9;
const MIX = [0x21f0_aaad, 0x735a_2d97] as const;
const WORDS = 2 ** 32;

/** A Weyl sequence through a multiply-xorshift mixer: each of the 2^32 numbers comes once a round. */
export class Chance {
  #state: number;

  /** @param seed any number; its low 32 bits count */
  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 32 random bits. */
  bits(): number {
    this.#state = (this.#state + STEP) | 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), MIX[0]);
    mixed = Math.imul(mixed ^ (mixed >>> 15), MIX[1]);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  /** A number from 0 up to but not including 1. */
  fraction(): number {
    return this.bits() / WORDS;
  }
}
