/**
 * How long packets waited to be received: a histogram with eight steps to a doubling, so that
 * a percentile is right to 9 %.
 *
 * @module
 */

/** Waits below a microsecond count as none. */
const SMALLEST_MS = 0.001;
const STEPS_PER_DOUBLING = 8;
/** Up to 16 s, the longest queue time, and some more. */
const BUCKETS = 26 * STEPS_PER_DOUBLING;

/** In milliseconds. */
export interface WaitStats {
  p50: number;
  p99: number;
  max: number;
}

export class WaitHistogram {
  readonly #counts = new Float64Array(BUCKETS + 1);
  #total = 0;
  #maxMs = 0;
  /** Packets of one turn waited equally long: no second logarithm for them. */
  #lastMs = -1;
  #lastBucket = 0;

  add(waitMs: number): void {
    if (waitMs !== this.#lastMs) {
      this.#lastMs = waitMs;
      this.#lastBucket = waitMs <= SMALLEST_MS ? 0 : bucketOf(waitMs);
      if (waitMs > this.#maxMs) this.#maxMs = waitMs;
    }
    this.#counts[this.#lastBucket] = (this.#counts[this.#lastBucket] ?? 0) + 1;
    this.#total++;
  }

  read(): WaitStats {
    return { p50: this.#percentile(0.5), p99: this.#percentile(0.99), max: this.#maxMs };
  }

  #percentile(share: number): number {
    let left = this.#total * share;
    if (left === 0) return 0;
    for (let bucket = 0; bucket <= BUCKETS; bucket++) {
      left -= this.#counts[bucket] ?? 0;
      if (left <= 0) return Math.min(this.#maxMs, upperEdgeMs(bucket));
    }
    return this.#maxMs;
  }
}

function bucketOf(waitMs: number): number {
  const bucket = Math.ceil(Math.log2(waitMs / SMALLEST_MS) * STEPS_PER_DOUBLING);
  return Math.min(BUCKETS, bucket);
}

function upperEdgeMs(bucket: number): number {
  return bucket === 0 ? 0 : SMALLEST_MS * 2 ** (bucket / STEPS_PER_DOUBLING);
}
