/**
 * What a bad link does to packets.
 *
 * @module
 */
import { DivertError } from '../../errors.ts';

/**
 * What happens to packets in one direction. Chances are 0 to 1 and decided for each packet by itself.
 */
export interface Impairment {
  /** How long each packet takes, in milliseconds, 0 to 3,600,000. */
  readonly latencyMs?: number;
  /**
   * How much longer or shorter at most, in milliseconds; evenly distributed. Packets stay in their
   * order: one does not leave before those that came before it.
   */
  readonly jitterMs?: number;
  /** Chance to be dropped. */
  readonly loss?: number;
  /** Chance to come twice. */
  readonly duplicate?: number;
  /** Chance to leave later, so that those that come after it overtake it. */
  readonly reorder?: number;
  /** How much later, in milliseconds, default 50. */
  readonly reorderMs?: number;
  /**
   * Chance of one wrong bit behind the IP header. The checksum stays what it was: receivers drop the
   * packet, as they do on a bad line.
   */
  readonly corrupt?: number;
  /** Chance of a TCP segment to reset its connection, at both ends. */
  readonly reset?: number;
  /** Bits of IP packets a second. */
  readonly rateBitsPerSecond?: number;
  /** Bytes that may go at once after a pause, default 3000. */
  readonly burstBytes?: number;
  /** Bytes that may wait for the rate, default what it carries in 100 ms, 30,000 at least; more are dropped. */
  readonly queueBytes?: number;
  /** Packets that may be delayed at a time, default 65,536; more are dropped. */
  readonly queuePackets?: number;
}

/** An impairment with its defaults. */
export type ResolvedImpairment = { readonly [Key in keyof Impairment]-?: number };

const LATENCY_MS_MAX = 3_600_000;
const RATE_MAX = 1e12;
const QUEUE_MS = 100;
const QUEUE_BYTES_MIN = 30_000;
const COUNT_MAX = 2 ** 31;

/** Those that do not depend on the rate. */
const DEFAULTS = {
  latencyMs: 0,
  jitterMs: 0,
  loss: 0,
  duplicate: 0,
  reorder: 0,
  reorderMs: 50,
  corrupt: 0,
  reset: 0,
  burstBytes: 3000,
  queuePackets: 65_536,
} as const;

/** Lowest and highest value of each setting. */
const RANGES: { readonly [Key in keyof Impairment]-?: readonly [number, number] } = {
  latencyMs: [0, LATENCY_MS_MAX],
  jitterMs: [0, LATENCY_MS_MAX],
  loss: [0, 1],
  duplicate: [0, 1],
  reorder: [0, 1],
  reorderMs: [0, LATENCY_MS_MAX],
  corrupt: [0, 1],
  reset: [0, 1],
  rateBitsPerSecond: [1, RATE_MAX],
  burstBytes: [1, COUNT_MAX],
  queueBytes: [0, COUNT_MAX],
  queuePackets: [1, COUNT_MAX],
};

/**
 * Checks settings and fills the defaults in.
 *
 * @param name of the direction, for messages
 * @throws {@link DivertError} `invalid-parameter` naming the setting and its range
 */
export function resolveImpairment(given: Impairment, name: string): ResolvedImpairment {
  for (const [key, value] of Object.entries(given)) checkSetting(key, value, name);
  const rateBitsPerSecond = given.rateBitsPerSecond ?? Number.POSITIVE_INFINITY;
  const queueBytes = Math.max(QUEUE_BYTES_MIN, (rateBitsPerSecond / 8 / 1000) * QUEUE_MS);
  return { ...DEFAULTS, rateBitsPerSecond, queueBytes, ...given };
}

function checkSetting(key: string, value: unknown, name: string): void {
  if (!Object.hasOwn(RANGES, key)) {
    throw new DivertError('invalid-parameter', `There is no setting ${name}.${key}.`, {
      hint: `There are ${Object.keys(RANGES).join(', ')}.`,
    });
  }
  const [lowest, highest] = RANGES[key as keyof Impairment];
  if (typeof value === 'number' && value >= lowest && value <= highest) return;
  throw new DivertError('invalid-parameter', `Setting ${name}.${key} is ${value}.`, {
    hint: `It is a number from ${lowest} to ${highest}.`,
  });
}
