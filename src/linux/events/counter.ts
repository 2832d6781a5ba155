/**
 * What the programs of an event handle count.
 *
 * @module
 */

/** Offsets in the value of the counters' map, 64 bits each. */
export const EVENT_COUNTER = {
  /** Events the filter matched. */
  MATCHED: 0,
  /** Of those, not reported because the ring buffer was full. */
  RING_FULL: 8,
  /** Flows not noticed because the table of flows was full. */
  TABLE_FULL: 16,
  BYTES: 24,
} as const;
