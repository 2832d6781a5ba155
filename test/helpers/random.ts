/**
 * A small seeded generator of random numbers, so that every failure can be run again: `SEED=<number>`.
 *
 * @module
 */

export class Random {
  readonly seed: number;
  #state: number;

  constructor(seed: number = seedFromEnvironment()) {
    this.seed = seed >>> 0;
    this.#state = this.seed;
  }

  /** 32 random bits (a Weyl sequence through a multiply-xorshift mixer). */
  bits(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  /** 0 up to but not including `end`. */
  below(end: number): number {
    return this.bits() % end;
  }

  /** Both ends included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.bits());
  }
}

function seedFromEnvironment(): number {
  const given = process.env.SEED;
  return given === undefined ? Date.now() : Number(given);
}
