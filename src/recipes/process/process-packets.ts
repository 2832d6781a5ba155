/**
 * Verdicts that take time: handlers run side by side, packets leave in order.
 *
 * @module
 */
import { HeldPacket } from '../../divert/held-packet.ts';
import type { NetworkHandle, ReceiveOptions } from '../../divert/network-handle.ts';
import { DivertError } from '../../errors.ts';
import type { Packet } from '../../packet/packet.ts';
import { type Entry, Leaving, type Order } from './leaving.ts';

/** Handlers at a time, unless said otherwise. */
const DEFAULT_CONCURRENCY = 64;
/** The kernel keeps 16,384 retained packets for a handle. */
const CONCURRENCY_MAX = 4096;
/** Packets in hand for each handler that may run: the others wait for their turn to leave. */
const IN_HAND_PER_HANDLER = 4;

/** What becomes of a packet. Nothing: it passes, unless the handler sent or dropped it itself. */
// biome-ignore lint/suspicious/noConfusingVoidType: what a handler without a return statement gives.
export type PacketVerdict = 'pass' | 'drop' | undefined | void;

/** Decides about a packet. It may change the packet, and take up to a minute. */
export type PacketHandler = (packet: Packet) => PacketVerdict | Promise<PacketVerdict>;

/** How packets are processed. */
export interface ProcessOptions {
  /** Handlers that run at a time, 1..4096, default 64; more packets wait in the handle's queue. */
  readonly concurrency?: number;
  /**
   * 'flow' (default): packets of one flow leave in the order in which they came; 'all': all packets;
   * 'none': each when its handler ends. A flow is one direction of a connection.
   */
  readonly order?: Order;
  /** A packet whose handler fails: 'throw' (default) drops it and ends processing. */
  readonly onError?: 'pass' | 'drop' | 'throw';
  /** Ends processing: no more packets are taken, those in hand are finished. */
  readonly signal?: AbortSignal;
}

/** What became of the packets, when processing has ended. */
export interface ProcessStats {
  /** Packets given to the handler. */
  readonly processed: number;
  readonly passed: number;
  readonly dropped: number;
  /** Sent or dropped by the handler itself, or given up by the handle: it was closed, or a minute over. */
  readonly decided: number;
  /** Handlers that failed; their packets are among the others. */
  readonly failed: number;
}

/**
 * Gives each packet of a handle to an asynchronous handler and does as it says. Packets are retained:
 * their bytes stay valid while the handler runs.
 *
 * @returns counters, when the handle ends or `signal` aborts and no packet is in hand any more
 * @throws {@link DivertError} `invalid-parameter` for options out of range
 * @throws what the handler throws, with `onError: 'throw'`
 * @example
 * ```ts
 * await using handle = await open('outbound and udp.DstPort == 53');
 * await processPackets(handle, async (packet) => {
 *   return (await isAllowed(dnsQuestions(packet.readPayload()))) ? 'pass' : 'drop';
 * });
 * ```
 */
export async function processPackets(
  handle: NetworkHandle,
  handler: PacketHandler,
  options: ProcessOptions = {},
): Promise<ProcessStats> {
  return new Processing(handle, handler, options).run();
}

class Processing {
  readonly #handle: NetworkHandle;
  readonly #handler: PacketHandler;
  readonly #concurrency: number;
  readonly #onError: 'pass' | 'drop' | 'throw';
  readonly #leaving: Leaving;
  readonly #ending = new AbortController();
  /** Held by itself: what AbortSignal.any makes of one that nobody else holds may never abort (Node.js 20). */
  readonly #signal: AbortSignal | undefined;
  readonly #stats = { processed: 0, passed: 0, dropped: 0, decided: 0, failed: 0 };
  #running = 0;
  #inHand = 0;
  #failure: { error: unknown } | undefined;
  /** Wakes the loop when a packet has left. */
  #wake: () => void = () => {};

  constructor(handle: NetworkHandle, handler: PacketHandler, options: ProcessOptions) {
    const { concurrency = DEFAULT_CONCURRENCY, order = 'flow', onError = 'throw' } = options;
    if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > CONCURRENCY_MAX) {
      throw refuse('concurrency', concurrency, `a whole number from 1 to ${CONCURRENCY_MAX}`);
    }
    if (!['flow', 'all', 'none'].includes(order)) {
      throw refuse('order', order, "'flow', 'all' or 'none'");
    }
    if (!['pass', 'drop', 'throw'].includes(onError)) {
      throw refuse('onError', onError, "'pass', 'drop' or 'throw'");
    }
    this.#handle = handle;
    this.#handler = handler;
    this.#concurrency = concurrency;
    this.#onError = onError;
    this.#leaving = new Leaving(order, this.#leave);
    this.#signal = options.signal;
  }

  async run(): Promise<ProcessStats> {
    const onAbort = (): void => this.#ending.abort();
    this.#signal?.addEventListener('abort', onAbort);
    if (this.#signal?.aborted) onAbort();
    try {
      return await this.#work();
    } finally {
      this.#signal?.removeEventListener('abort', onAbort);
    }
  }

  async #work(): Promise<ProcessStats> {
    const receiveOptions = { signal: this.#ending.signal };
    const inHandMax = this.#concurrency * IN_HAND_PER_HANDLER;
    for (;;) {
      while (this.#running >= this.#concurrency || this.#inHand >= inHandMax) await this.#change();
      const packet = await this.#receive(receiveOptions);
      if (!packet) break;
      this.#start(packet.retain());
    }
    while (this.#running > 0) await this.#change();
    await this.#handle.flush();
    if (this.#failure) throw this.#failure.error;
    return { ...this.#stats };
  }

  /** Null when the handle ends; a failure of it is thrown when no packet is in hand any more. */
  async #receive(options: ReceiveOptions): Promise<Packet | null> {
    try {
      return await this.#handle.receive(options);
    } catch (error) {
      this.#failure ??= { error };
      return null;
    }
  }

  /** The next time a handler ends. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #start(packet: Packet): void {
    const entry: Entry = { packet, verdict: undefined };
    const decided = this.#leaving.enter(entry);
    this.#stats.processed++;
    this.#running++;
    this.#inHand++;
    this.#ask(packet).then((verdict) => {
      entry.verdict = verdict;
      this.#running--;
      decided();
      this.#wake();
    });
  }

  /** What the handler says; its failure is a verdict too. */
  async #ask(packet: Packet): Promise<'pass' | 'drop'> {
    try {
      return (await this.#handler(packet)) === 'drop' ? 'drop' : 'pass';
    } catch (error) {
      this.#fail(error);
      return this.#onError === 'pass' ? 'pass' : 'drop';
    }
  }

  #fail(error: unknown): void {
    this.#stats.failed++;
    if (this.#onError !== 'throw') return;
    this.#failure ??= { error };
    this.#ending.abort();
  }

  readonly #leave = ({ packet, verdict }: Entry): void => {
    this.#inHand--;
    if (!isUndecided(packet)) {
      this.#stats.decided++;
      return;
    }
    if (verdict === 'drop') {
      this.#drop(packet);
      return;
    }
    try {
      this.#handle.send(packet);
      this.#stats.passed++;
    } catch (error) {
      // What the handler made of it is no packet, or sending is over.
      this.#fail(error);
      if (isUndecided(packet)) this.#drop(packet);
      else this.#stats.dropped++;
    }
  };

  #drop(packet: Packet): void {
    this.#handle.drop(packet);
    this.#stats.dropped++;
  }
}

function isUndecided(packet: Packet): boolean {
  return packet instanceof HeldPacket && packet.slot?.undecided === true;
}

function refuse(name: string, value: unknown, allowed: string): DivertError {
  return new DivertError('invalid-parameter', `Option ${name} is ${JSON.stringify(value)}.`, {
    hint: `It can be ${allowed}.`,
  });
}
