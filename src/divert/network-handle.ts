/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A handle on the network or forward layer: packets out of a channel, verdicts back into it.
 *
 * @module
 */
import { DivertError } from '../errors.ts';
import type { Filter } from '../filter/index.ts';
import { ADDRESS_FLAGS, type AddressInit } from '../packet/address.ts';
import { Packet } from '../packet/packet.ts';
import type { NetworkChannel } from './backend.ts';
import { FilterSwaps } from './filter-swaps.ts';
import { HeldPacket, stalePacket } from './held-packet.ts';
import { Ledger } from './ledger.ts';
import { invalidParameter, type ParamName, type ResolvedOptions, toFilter } from './options.ts';
import { checkOutgoing, unreachable, withOneHopLess } from './outgoing.ts';
import { PacketBatch } from './packet-batch.ts';
import { PacketQueue, type QueueLimits } from './packet-queue.ts';
import { readParam, writeParam } from './params.ts';
import type { Slot } from './slot.ts';
import type { Stats } from './stats.ts';
import { Waiters } from './waiters.ts';

/** Most packets of one batch, as in WinDivert (WINDIVERT_BATCH_MAX). */
const BATCH_MAX = 255;
/** Packets read from the kernel before the program gets its turn: a batch. */
const READ_BUDGET = BATCH_MAX;

/** A paced channel keeps what is not asked for: nothing is lost in the queue. */
const NO_LIMITS: QueueLimits = {
  length: Number.POSITIVE_INFINITY,
  timeMs: Number.POSITIVE_INFINITY,
  sizeBytes: Number.POSITIVE_INFINITY,
};

/** Options of one receive. */
export interface ReceiveOptions {
  /** Ends the wait; the receive then gives null. */
  signal?: AbortSignal;
}

export class NetworkHandle implements AsyncIterable<Packet>, AsyncDisposable {
  readonly #channel: NetworkChannel;
  readonly #options: ResolvedOptions;
  readonly #swaps: FilterSwaps;
  readonly #limits: QueueLimits;
  readonly #ledger: Ledger;
  readonly #queue: PacketQueue;
  readonly #waiters = new Waiters();
  /** Of loops that go on: what they hold at the end is unhandled. */
  readonly #batches = new Set<PacketBatch>();
  #receiveShut = false;
  #sendShut = false;
  #failure: { error: unknown; wasThrown: boolean } | undefined;
  #closing: Promise<void> | undefined;
  #isClosed = false;

  /** @internal use `open` */
  constructor(channel: NetworkChannel, options: ResolvedOptions) {
    this.#channel = channel;
    this.#options = options;
    this.#swaps = new FilterSwaps(channel, () => this.#checkOpen());
    this.#limits = {
      length: options.queueLength,
      timeMs: options.queueTimeMs,
      sizeBytes: options.queueSizeBytes,
    };
    this.#ledger = new Ledger(channel, options, this.#onFailed);
    const limits = channel.isPaced ? NO_LIMITS : this.#limits;
    this.#queue = new PacketQueue(limits, this.#ledger.evict);
    options.signal?.addEventListener('abort', this.#onAbort);
    channel.start({ ready: this.#onReady, failed: this.#onFailed, ended: this.#onEnded });
  }

  /**
   * The next packet, waiting for it if need be.
   *
   * Its bytes are valid until it is sent or dropped, or given up (1,024 packets or queueTimeMs
   * later); `retain()` gives it bytes of its own.
   *
   * @returns null once the handle is shut down or closed and nothing is queued, or when
   * `options.signal` aborts
   * @throws {@link DivertError} `invalid-parameter` on a handle that receives nothing
   */
  async receive(options: ReceiveOptions = {}): Promise<Packet | null> {
    this.#checkReceive();
    while (!options.signal?.aborted) {
      this.#prepare(1);
      const slot = this.#queue.shift();
      if (slot) {
        this.#ledger.deliver(slot);
        return new HeldPacket(this.#ledger, slot);
      }
      if (this.#isEnded()) return null;
      await this.#waiters.wait(options.signal);
    }
    return null;
  }

  /** Receives until the handle is shut down. Leaving the loop leaves the handle open. */
  [Symbol.asyncIterator](): AsyncIterator<Packet, undefined> {
    return {
      next: async (): Promise<IteratorResult<Packet, undefined>> => {
        const packet = await this.receive();
        return packet ? { done: false, value: packet } : { done: true, value: undefined };
      },
    };
  }

  /**
   * Packets as they come, many at a time, without copies. A batch and its packets are valid until
   * the next one is asked for; what is undecided then is `unhandled`.
   *
   * @param maxPackets 1..255
   */
  batches(maxPackets: number = BATCH_MAX): AsyncIterable<PacketBatch> {
    this.#checkReceive();
    if (!Number.isInteger(maxPackets) || maxPackets < 1 || maxPackets > BATCH_MAX) {
      throw invalidParameter(`A batch of ${maxPackets} packets.`, `It has 1 to ${BATCH_MAX}.`);
    }
    return { [Symbol.asyncIterator]: () => this.#iterateBatches(maxPackets) };
  }

  /**
   * Puts a received packet back as it is now, or a new one in. A retained packet that was sent
   * before goes in once more as a new one.
   *
   * A packet goes on where it was, and is injected as a new one when `address.outbound` was turned
   * or it is another handle's; a new one is seen by handles of lower priority only.
   *
   * @throws {@link DivertError} `no-data` after shutdown of sending, `closed`, `stale-packet` when
   * the packet was decided about before, `invalid-parameter` on a handle with access 'receive',
   * `host-unreachable` for an injected packet (`address.impostor`) without a hop left
   * @throws {@link SystemError} when the kernel does not take a new packet, saying why
   */
  send(packet: Packet): void;
  send(bytes: Uint8Array, address: AddressInit): void;
  send(packet: Packet | Uint8Array, address?: AddressInit): void {
    this.#checkSend();
    if (packet instanceof HeldPacket && packet.ledger === this.#ledger) this.#sendHeld(packet);
    else if (packet instanceof Packet) this.#inject(packet);
    else if (packet instanceof Uint8Array && address) this.#inject(new Packet(packet, address));
    else throw new TypeError('send() takes a packet, or bytes and an address.');
  }

  /**
   * Drops a received packet now instead of by silence.
   *
   * @throws {@link DivertError} `stale-packet` when it was decided about before
   */
  drop(packet: Packet): void {
    if (!(packet instanceof HeldPacket) || packet.ledger !== this.#ledger) {
      throw new TypeError('drop() takes a packet received from this handle.');
    }
    const slot = packet.slot;
    if (!slot?.undecided) throw stalePacket('drop');
    this.#ledger.drop(slot);
  }

  /** Resolves when all sends and drops so far are with the kernel. */
  async flush(): Promise<void> {
    this.#channel.flush();
    await this.#channel.drained?.();
  }

  /**
   * Swaps the filter without a gap: every packet meets the old one or the new one, and the new one when the promise has
   * resolved. Large sets take their time to get into the kernel first.
   *
   * @throws {@link FilterError} when the text is wrong; nothing changed then
   */
  async setFilter(filter: string | Filter): Promise<void> {
    this.#checkOpen();
    const { layer, language } = this.#options;
    await this.#swaps.swap(toFilter(filter, layer, language));
  }

  getParam(name: ParamName): number {
    return readParam(this.#limits, name);
  }

  /** @throws {@link DivertError} `invalid-parameter` out of range, or for a version */
  setParam(name: ParamName, value: number): void {
    writeParam(this.#limits, name, value);
    this.#ledger.holdTimeMs = this.#limits.timeMs;
  }

  /** Every packet accounted for. */
  stats(): Stats {
    return this.#ledger.stats(this.#queue.length);
  }

  /**
   * 'receive': nothing new is diverted, what is queued can still be received, then null.
   * 'send': sends fail from now on.
   */
  shutdown(how: 'receive' | 'send' | 'both'): void {
    this.#checkOpen();
    if (how !== 'receive' && how !== 'send' && how !== 'both') {
      throw invalidParameter(`shutdown(${JSON.stringify(how)}).`, "'receive', 'send' or 'both'.");
    }
    if (how !== 'receive') this.#sendShut = true;
    if (how !== 'send') this.#shutReceive();
  }

  /**
   * Ends the handle: waiting receives end, what still waits goes where `onExit` says, what was
   * delivered and is not decided about in this turn is `unhandled`. Idempotent.
   *
   * @throws what broke the files of a handle over files, unless a receive threw it before
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#channel.isPaced ? this.#closing.then(this.#throwUnseen) : this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #checkOpen(): void {
    if (this.#closing) throw new DivertError('closed', 'The handle is closed.');
  }

  #checkReceive(): void {
    const { mode, access } = this.#options;
    if (mode === 'drop') throw invalidParameter("A handle with mode 'drop' receives nothing.");
    if (access === 'send') throw invalidParameter("A handle with access 'send' receives nothing.");
  }

  readonly #checkSend = (): void => {
    if (this.#isClosed) throw new DivertError('closed', 'The handle is closed.');
    if (this.#sendShut) throw new DivertError('no-data', 'Sending was shut down.');
    if (this.#options.access !== 'receive') return;
    throw invalidParameter("A handle with access 'receive' cannot send.");
  };

  /** Whether nothing more will be received; throws when that is because of a failure. */
  #isEnded(): boolean {
    if (this.#failure) {
      this.#failure.wasThrown = true;
      throw this.#failure.error;
    }
    return this.#receiveShut || this.#closing !== undefined;
  }

  readonly #throwUnseen = (): void => {
    if (this.#failure?.wasThrown === false) this.#isEnded();
  };

  readonly #onAbort = (): void => {
    this.close().catch(this.#onFailed);
  };

  /** The channel is broken: receives throw the reason, and nothing of it stays in the kernel. */
  readonly #onFailed = (error: unknown): void => {
    if (this.#failure) return;
    this.#failure = { error, wasThrown: false };
    this.#waiters.wake();
    // What the program has of a file can still be sent: the failure is behind it.
    if (this.#channel.isPaced) return;
    // What closing could complain about has the same reason.
    this.#closing ??= this.#close();
    this.#closing.catch(() => {});
  };

  readonly #onEnded = (): void => {
    this.#receiveShut = true;
    this.#waiters.wake();
  };

  /** The channel has packets: reads a turn's worth and wakes who waits. */
  readonly #onReady = (): void => {
    if (this.#channel.isPaced) {
      this.#waiters.wake();
      return;
    }
    this.#channel.flush();
    this.#channel.read(READ_BUDGET, this.#onPacket);
    this.#queue.expire(this.#ledger.clock.now());
    if (this.#queue.length > 0) this.#waiters.wake();
  };

  /** Before packets are taken out of the queue: none in it is too old, or those asked for are. */
  #prepare(maxPackets: number): void {
    if (!this.#channel.isPaced) this.#queue.expire(this.#ledger.clock.now());
    else if (this.#queue.length === 0 && !this.#receiveShut && !this.#closing) {
      this.#channel.read(maxPackets, this.#onPacket);
    }
  }

  readonly #onPacket = (slot: Slot): void => {
    this.#ledger.receive();
    slot.arrivedMs = this.#ledger.clock.now();
    if (this.#receiveShut) this.#ledger.exit(slot);
    else this.#queue.push(slot);
  };

  async *#iterateBatches(maxPackets: number): AsyncGenerator<PacketBatch, undefined> {
    const batch = new PacketBatch(this.#ledger, maxPackets, this.#checkSend);
    this.#batches.add(batch);
    try {
      for (;;) {
        this.#prepare(maxPackets);
        while (this.#queue.length === 0) {
          if (this.#isEnded()) return undefined;
          await this.#waiters.wait(undefined);
          this.#prepare(maxPackets);
        }
        batch.fill(this.#queue);
        yield batch;
        batch.settle();
      }
    } finally {
      batch.settle();
      this.#batches.delete(batch);
    }
  }

  #sendHeld(packet: HeldPacket): void {
    const { slot } = packet;
    if (!slot) throw stalePacket('send');
    if (slot.undecided && !this.#isTurned(packet, slot)) {
      if (!packet.sendBack(slot)) throw unreachable();
      return;
    }
    try {
      this.#inject(packet);
    } catch (error) {
      const isSpent = error instanceof DivertError && error.code === 'host-unreachable';
      if (isSpent && slot.undecided) this.#ledger.dropUnreachable(slot);
      throw error;
    }
    if (slot.undecided) this.#ledger.drop(slot);
  }

  /** Whether a packet shall go on in the other direction; the forward layer has none. */
  #isTurned(packet: HeldPacket, slot: Slot): boolean {
    const { OUTBOUND } = ADDRESS_FLAGS;
    const differs = ((packet.currentFlags() ^ slot.flags) & OUTBOUND) !== 0;
    return differs && this.#options.layer === 'network';
  }

  #inject(packet: Packet): void {
    packet.finish();
    const bytes = checkOutgoing(packet.bytes);
    const { address } = packet;
    this.#channel.inject(address.impostor ? withOneHopLess(bytes) : bytes, address);
    this.#ledger.inject();
  }

  #shutReceive(): void {
    if (this.#receiveShut) return;
    this.#channel.detach();
    this.#readAll();
    this.#receiveShut = true;
    this.#waiters.wake();
  }

  #readAll(): void {
    if (this.#channel.isPaced) return;
    while (this.#channel.read(READ_BUDGET, this.#onPacket));
  }

  async #close(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#waiters.wake();
    try {
      // What a paced channel was not asked for stays where it is.
      if (this.#channel.isPaced) this.#receiveShut = true;
      else this.#shutReceive();
      this.#queue.expire(this.#ledger.clock.now());
      for (let slot = this.#queue.shift(); slot; slot = this.#queue.shift()) {
        this.#ledger.exit(slot);
      }
      // A loop that was just given a packet may still send it, and a packet that another
      // processor was just queueing arrives a moment later.
      await new Promise((resolve) => setImmediate(resolve));
      this.#readAll();
      for (const batch of this.#batches) batch.settle();
      this.#ledger.close();
      this.#channel.flush();
      // What came until now, and which of those verdicts came too late.
      this.#readAll();
      this.#channel.flush();
    } finally {
      this.#isClosed = true;
      await this.#channel.close();
    }
  }
}
