/**
 * Packets that were received and not sent yet. The program has a copy of the bytes and an address
 * with a token; the kernel has the packet. Sending the same address again finds it here, so that it
 * goes on from where it was taken out.
 *
 * @module
 */
import { HeldPacket } from '../divert/held-packet.ts';
import type { NetworkHandle } from '../divert/network-handle.ts';
import type { Packet } from '../packet/packet.ts';

/**
 * How long the kernel keeps a packet for us. What is not sent until then is taken as dropped, as
 * nothing in WinDivert says so earlier; sent later, it goes in as a new one. A longer time would
 * stall senders: what is kept counts against the send buffer of their socket.
 */
const HOLD_TIME_MS = 2000;
const SWEEP_INTERVAL_MS = 500;
/** Packets kept at a time: as many as the handle keeps. */
const HELD_LIMIT = 16384;
const TOKEN_LIMIT = 2 ** 32;

interface Held {
  readonly packet: Packet;
  /** Two handles may give the same token, but not at the same time. */
  readonly timestamp: bigint;
  readonly receivedMs: number;
}

export class HeldPackets {
  readonly #handle: NetworkHandle;
  /** By token, in order of arrival. */
  readonly #held = new Map<number, Held>();
  #lastToken = 0;
  #sweepTimer: NodeJS.Timeout | undefined;

  constructor(handle: NetworkHandle) {
    this.#handle = handle;
  }

  /** Keeps a retained packet. Returns its token. */
  add(packet: Packet, timestamp: bigint): number {
    if (this.#held.size >= HELD_LIMIT) this.#dropOldest();
    this.#lastToken = (this.#lastToken + 1) % TOKEN_LIMIT || 1;
    this.#held.set(this.#lastToken, { packet, timestamp, receivedMs: performance.now() });
    this.#sweepTimer ??= setTimeout(this.#sweep, SWEEP_INTERVAL_MS).unref();
    return this.#lastToken;
  }

  /** The packet of an address. */
  find(token: number, timestamp: bigint): Packet | undefined {
    const held = this.#held.get(token);
    return held?.timestamp === timestamp ? held.packet : undefined;
  }

  /** Drops the packet of a token, if that is not decided about. */
  drop(token: number): void {
    const held = this.#held.get(token);
    if (held) dropHeld(this.#handle, held.packet);
    this.#held.delete(token);
  }

  /** A packet was decided about. */
  delete(token: number): void {
    this.#held.delete(token);
  }

  /** Forgets all; the handle decides about them when it closes. */
  clear(): void {
    clearTimeout(this.#sweepTimer);
    this.#held.clear();
  }

  #dropOldest(): void {
    for (const token of this.#held.keys()) {
      this.drop(token);
      return;
    }
  }

  readonly #sweep = (): void => {
    this.#sweepTimer = undefined;
    const oldestMs = performance.now() - HOLD_TIME_MS;
    for (const [token, { receivedMs }] of this.#held) {
      if (receivedMs > oldestMs) {
        this.#sweepTimer = setTimeout(this.#sweep, SWEEP_INTERVAL_MS).unref();
        return;
      }
      this.drop(token);
    }
  };
}

/** Drops a received packet, if it is not decided about. */
export function dropHeld(handle: NetworkHandle, packet: Packet): void {
  if (packet instanceof HeldPacket && packet.slot?.undecided) handle.drop(packet);
}
