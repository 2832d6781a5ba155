/**
 * A rate limit: tokens for bytes come at the rate, as many as the bucket holds at most; who comes when
 * there are too few waits for them.
 *
 * @module
 */
export class TokenBucket {
  readonly #bytesPerMs: number;
  readonly #burstBytes: number;
  readonly #queueBytes: number;
  /** Negative: bytes that wait. */
  #tokens: number;
  #lastMs = 0;

  /**
   * @param rateBitsPerSecond Infinity: no limit
   * @param burstBytes what the bucket holds
   * @param queueBytes what may wait
   */
  constructor(rateBitsPerSecond: number, burstBytes: number, queueBytes: number) {
    this.#bytesPerMs = rateBitsPerSecond / 8 / 1000;
    this.#burstBytes = burstBytes;
    this.#queueBytes = queueBytes;
    this.#tokens = burstBytes;
  }

  /**
   * Takes tokens for a packet.
   *
   * @param nowMs not before that of the call before
   * @returns when it may go; -1 when too much waits already, and none were taken
   */
  take(lengthBytes: number, nowMs: number): number {
    if (this.#bytesPerMs === Number.POSITIVE_INFINITY) return nowMs;
    const earned = (nowMs - this.#lastMs) * this.#bytesPerMs;
    this.#tokens = Math.min(this.#burstBytes, this.#tokens + earned);
    this.#lastMs = nowMs;
    const missing = lengthBytes - this.#tokens;
    if (missing > this.#queueBytes) return -1;
    this.#tokens -= lengthBytes;
    return missing > 0 ? nowMs + missing / this.#bytesPerMs : nowMs;
  }
}
