/**
 * A clock that is read once a turn of the event loop.
 *
 * @module
 */

export class TurnClock {
  #nowMs = 0;
  #isFresh = false;

  /** Monotonic milliseconds, the same for the rest of this turn. */
  now(): number {
    if (!this.#isFresh) {
      this.#nowMs = performance.now();
      this.#isFresh = true;
      process.nextTick(this.#expire);
    }
    return this.#nowMs;
  }

  readonly #expire = (): void => {
    this.#isFresh = false;
  };
}
