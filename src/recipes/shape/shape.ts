/**
 * A bad link in software: latency, loss, limits.
 *
 * @module
 */
import { NetworkHandle } from '../../divert/network-handle.ts';
import type { NetworkOpenOptions } from '../../divert/options.ts';
import { DivertError } from '../../errors.ts';
import type { Filter } from '../../filter/index.ts';
import { open } from '../../open.ts';
import type { Packet } from '../../packet/packet.ts';
import { reject } from '../reject/reject.ts';
import { corruptPacket } from './corrupt.ts';
import { type DelayedPacket, DelayedPackets } from './delayed-packets.ts';
import { type Impairment, resolveImpairment } from './impairment.ts';
import { type Decision, Link, type LinkStats } from './link.ts';

/**
 * What the kernel may hold for us: it keeps 16,384 packets of a handle for a minute. What is more or
 * takes longer is dropped there and put in anew when it is due.
 */
const HELD_PACKETS_MAX = 12_000;
const HOLD_TIME_MS_MAX = 45_000;
/** So that the directions do not lose the same packets. */
const SEED_STEP = 0x517c_c1b7;

/** What is done to which packets. */
export interface ShapeOptions
  extends Pick<NetworkOpenOptions, 'layer' | 'namespace' | 'priority' | 'backend'> {
  /** Packets that leave this host; loopback packets too. */
  readonly outbound?: Impairment;
  /** Packets that come in. */
  readonly inbound?: Impairment;
  /** Packets that pass through this host: with layer 'forward', instead of the other two. */
  readonly forward?: Impairment;
  /** The same seed gives the same decisions for the same packets; default: another one each time. */
  readonly seed?: number;
  /** Ends it, as `close`. */
  readonly signal?: AbortSignal;
}

/** Counters by direction. */
export interface ShapeStats {
  readonly outbound: Readonly<LinkStats>;
  readonly inbound: Readonly<LinkStats>;
  readonly forward: Readonly<LinkStats>;
}

/** A running bad link. */
export interface Shaper extends AsyncDisposable {
  /** Where its packets come from. */
  readonly handle: NetworkHandle;
  readonly seed: number;
  stats(): ShapeStats;
  /** Resolves when it has ended, by itself or closed; rejects when the handle failed. */
  readonly ended: Promise<void>;
  /** Ends it: delayed packets leave at once; a handle that it opened is closed. Idempotent. */
  close(): Promise<void>;
}

/**
 * Makes the link of packets worse: later, fewer, wrong, out of order, twice, or slower.
 *
 * A direction without settings lets packets pass.
 *
 * @param target filter text or a compiled filter, for which a handle is opened; or a handle that is
 * open, which nobody else may receive from meanwhile
 * @throws {@link DivertError} `invalid-parameter` for a setting out of range
 * @throws {@link FilterError} and {@link UnsupportedError} as `open`
 * @example
 * ```ts
 * await using shaper = await shape('tcp or udp', {
 *   outbound: { latencyMs: 50, jitterMs: 10, loss: 0.01 },
 *   inbound: { latencyMs: 50, rateBitsPerSecond: 1_000_000 },
 * });
 * ```
 */
export async function shape(
  target: string | Filter | NetworkHandle,
  options: ShapeOptions,
): Promise<Shaper> {
  const { signal, seed = Math.floor(Math.random() * 2 ** 32) } = options;
  if (!Number.isSafeInteger(seed)) {
    throw new DivertError('invalid-parameter', `Option seed is ${seed}.`, {
      hint: 'It is a whole number.',
    });
  }
  const links = createLinks(options, seed);
  const isOwn = !(target instanceof NetworkHandle);
  const handle = isOwn ? await openFor(target, options) : target;
  const shaper = new Running(handle, isOwn, links, seed);
  signal?.addEventListener('abort', () => void shaper.close(), { once: true });
  if (signal?.aborted) await shaper.close();
  return shaper;
}

type Links = { readonly [Direction in keyof ShapeStats]: Link };

function createLinks(options: ShapeOptions, seed: number): Links {
  const create = (name: keyof ShapeStats, index: number): Link =>
    new Link(resolveImpairment(options[name] ?? {}, name), seed + index * SEED_STEP);
  return {
    outbound: create('outbound', 0),
    inbound: create('inbound', 1),
    forward: create('forward', 2),
  };
}

function openFor(filter: string | Filter, options: ShapeOptions): Promise<NetworkHandle> {
  const { layer, namespace, priority, backend } = options;
  return open(filter, {
    ...(layer === undefined ? {} : { layer }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(priority === undefined ? {} : { priority }),
    ...(backend === undefined ? {} : { backend }),
  });
}

class Running implements Shaper {
  readonly handle: NetworkHandle;
  readonly seed: number;
  readonly ended: Promise<void>;
  readonly #isOwn: boolean;
  readonly #links: Links;
  readonly #stopping = new AbortController();
  readonly #delayed = new DelayedPackets((delayed) => this.#leave(delayed));
  #heldCount = 0;
  /** Tells the end that the last delayed packet has left. */
  #drained: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(handle: NetworkHandle, isOwn: boolean, links: Links, seed: number) {
    this.handle = handle;
    this.seed = seed;
    this.#isOwn = isOwn;
    this.#links = links;
    this.ended = this.#run();
    // Whoever does not wait for the end does not care for its reason.
    this.ended.catch(() => {});
  }

  stats(): ShapeStats {
    const { outbound, inbound, forward } = this.#links;
    return {
      outbound: { ...outbound.stats },
      inbound: { ...inbound.stats },
      forward: { ...forward.stats },
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#stopping.abort();
    this.#delayed.release();
    await this.ended.catch(() => {});
    if (this.#isOwn) await this.handle.close();
    else await this.handle.flush();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    try {
      for (;;) {
        const packet = await this.handle.receive({ signal });
        if (!packet) break;
        this.#take(packet);
      }
      // Shut down: what is delayed still leaves in time. Closed: it is gone.
      const isDraining = this.#delayed.length > 0 && !signal.aborted;
      if (isDraining && this.#attempt(() => this.handle.shutdown('receive'))) {
        await new Promise<void>((resolve) => {
          this.#drained = resolve;
        });
      }
    } finally {
      this.#delayed.release();
    }
  }

  #take(packet: Packet): void {
    const { address } = packet;
    const isForward = address.layer === 'forward';
    const link = this.#links[isForward ? 'forward' : address.outbound ? 'outbound' : 'inbound'];
    const nowMs = performance.now();
    const decision = link.decide(packet.originalLength, nowMs, packet.tcp !== null);
    if (decision.fate === 'reset') reject(this.handle, packet);
    else if (decision.fate !== 'send') this.handle.drop(packet);
    else this.#delay(packet, link, decision, nowMs);
  }

  #delay(packet: Packet, link: Link, decision: Decision, nowMs: number): void {
    const { dueMs, isDuplicated, corruption } = decision;
    if (corruption >= 0) corruptPacket(packet, corruption);
    const isNow = dueMs <= nowMs;
    const isHeld = isNow || this.#canHold(packet, dueMs - nowMs);
    const kept = isNow && !isDuplicated ? packet : packet.retain();
    const delayed: DelayedPacket = { packet: kept, link, dueMs, isDuplicated, isHeld, serial: 0 };
    if (!isHeld) this.handle.drop(kept);
    else this.#heldCount++;
    link.stats.waiting++;
    if (isNow) this.#leave(delayed);
    else this.#delayed.add(delayed);
  }

  /**
   * Whether the kernel shall keep a packet. Those of its own TCP it shall not: it lets a connection
   * have about a millisecond's worth of data in queues of this host (TCP small queues), so that 20 ms
   * of latency would leave 2 Mbit/s of 80 (measured).
   */
  #canHold(packet: Packet, delayMs: number): boolean {
    if (this.#heldCount >= HELD_PACKETS_MAX || delayMs >= HOLD_TIME_MS_MAX) return false;
    return packet.tcp === null || !packet.address.outbound;
  }

  #leave({ packet, link, isDuplicated, isHeld }: DelayedPacket): void {
    const { stats } = link;
    stats.waiting--;
    if (isHeld) this.#heldCount--;
    if (this.#send(packet)) {
      stats.sent++;
    } else {
      stats.failed++;
      // The kernel need not keep it for a minute.
      if (isHeld) this.#attempt(() => this.handle.drop(packet));
    }
    if (isDuplicated) this.#send(packet);
    if (this.#delayed.length === 0) this.#drained?.();
  }

  /** False when the kernel does not take it, or nobody does any more. */
  #send(packet: Packet): boolean {
    return this.#attempt(() => this.handle.send(packet));
  }

  #attempt(act: () => void): boolean {
    try {
      act();
      return true;
    } catch (error) {
      if (error instanceof DivertError) return false;
      throw error;
    }
  }
}
