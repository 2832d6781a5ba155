/**
 * Decides what happens to each packet of one direction. Knows nothing of packets but their length,
 * and no clock but the one it is told.
 *
 * @module
 */
import { Chance } from './chance.ts';
import type { ResolvedImpairment } from './impairment.ts';
import { TokenBucket } from './token-bucket.ts';

/** 'rate': too much waits for the rate; 'full': too many packets are delayed. */
export type PacketFate = 'send' | 'lose' | 'rate' | 'full' | 'reset';

/** What happens to a packet. */
export interface Decision {
  fate: PacketFate;
  /** When it leaves. */
  dueMs: number;
  /** It leaves twice. */
  isDuplicated: boolean;
  /** It leaves later than its turn is. */
  isReordered: boolean;
  /** 32 random bits that say where a bit turns over; -1: none does. */
  corruption: number;
}

/** What happened so far, in packets. */
export interface LinkStats {
  /** Packets that came: all of the others together, and `waiting`. */
  packets: number;
  /** Sent on; a second copy is `duplicated`. */
  sent: number;
  /** Of those that came, packets that did not leave at once. */
  delayed: number;
  lost: number;
  duplicated: number;
  corrupted: number;
  reordered: number;
  /** Dropped because too much waited for the rate. */
  rateDropped: number;
  /** Dropped because too many packets were delayed. */
  overflow: number;
  /** Segments that reset their connection. */
  reset: number;
  /** Dropped because the kernel did not take them any more. */
  failed: number;
  /** Delayed now. */
  waiting: number;
}

export class Link {
  readonly stats: LinkStats = {
    packets: 0,
    sent: 0,
    delayed: 0,
    lost: 0,
    duplicated: 0,
    corrupted: 0,
    reordered: 0,
    rateDropped: 0,
    overflow: 0,
    reset: 0,
    failed: 0,
    waiting: 0,
  };
  readonly #impairment: ResolvedImpairment;
  readonly #chance: Chance;
  readonly #bucket: TokenBucket;
  /** Of the packets in order: none leaves before this. */
  #lastDueMs = Number.NEGATIVE_INFINITY;
  /** Used again for each packet. */
  readonly #decision: Decision = {
    fate: 'send',
    dueMs: 0,
    isDuplicated: false,
    isReordered: false,
    corruption: -1,
  };

  constructor(impairment: ResolvedImpairment, seed: number) {
    this.#impairment = impairment;
    this.#chance = new Chance(seed);
    const { rateBitsPerSecond, burstBytes, queueBytes } = impairment;
    this.#bucket = new TokenBucket(rateBitsPerSecond, burstBytes, queueBytes);
  }

  /**
   * Decides about a packet and counts the decision. The same seed, lengths and times give the same
   * decisions; chances do not depend on lengths and times, nor on each other.
   *
   * @param isTcp a reset is possible
   * @returns valid until the next call
   */
  decide(lengthBytes: number, nowMs: number, isTcp: boolean): Decision {
    const { loss, duplicate, reorder, reorderMs, corrupt, reset } = this.#impairment;
    const chance = this.#chance;
    // As many numbers for each packet, whatever becomes of it.
    const isReset = chance.fraction() < reset;
    const isLost = chance.fraction() < loss;
    const isDuplicated = chance.fraction() < duplicate;
    const isReordered = chance.fraction() < reorder;
    const isCorrupted = chance.fraction() < corrupt;
    const corruption = chance.bits();
    const delayMs = this.#delay(chance.fraction());
    const decision = this.#decision;
    decision.fate = isReset && isTcp ? 'reset' : isLost ? 'lose' : 'send';
    if (decision.fate === 'send') {
      decision.isDuplicated = isDuplicated;
      decision.isReordered = isReordered;
      decision.corruption = isCorrupted ? corruption : -1;
      this.#schedule(decision, lengthBytes, nowMs, delayMs + (isReordered ? reorderMs : 0));
    }
    this.#count(decision, nowMs);
    return decision;
  }

  #delay(fraction: number): number {
    const { latencyMs, jitterMs } = this.#impairment;
    return Math.max(0, latencyMs + (2 * fraction - 1) * jitterMs);
  }

  #schedule(decision: Decision, lengthBytes: number, nowMs: number, delayMs: number): void {
    if (this.stats.waiting >= this.#impairment.queuePackets) {
      decision.fate = 'full';
      return;
    }
    const departureMs = this.#bucket.take(lengthBytes, nowMs);
    if (departureMs < 0) {
      decision.fate = 'rate';
      return;
    }
    decision.dueMs = Math.max(departureMs + delayMs, this.#lastDueMs);
    if (!decision.isReordered) this.#lastDueMs = decision.dueMs;
  }

  #count(decision: Decision, nowMs: number): void {
    const { stats } = this;
    stats.packets++;
    switch (decision.fate) {
      case 'lose':
        stats.lost++;
        break;
      case 'rate':
        stats.rateDropped++;
        break;
      case 'full':
        stats.overflow++;
        break;
      case 'reset':
        stats.reset++;
        break;
      default:
        if (decision.isDuplicated) stats.duplicated++;
        if (decision.isReordered) stats.reordered++;
        if (decision.corruption >= 0) stats.corrupted++;
        if (decision.dueMs > nowMs) stats.delayed++;
    }
  }
}
