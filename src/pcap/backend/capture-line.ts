/**
 * The way of packets from a capture file through the handles, by priority, to another one. Nothing is
 * read before a handle asks, so packets are met one after the other and come out in order.
 *
 * @module
 */

import type { CaptureReader } from '../read/capture-reader.ts';
import { type CaptureInterface, type CaptureRecord, LINK_TYPE } from '../record.ts';
import type { CaptureOutput } from './capture-output.ts';
import type { PcapChannel } from './pcap-channel.ts';
import {
  type Directions,
  directionOf,
  NOT_IP,
  type Traveller,
  travellerOf,
  withDirection,
} from './traveller.ts';

/** Packets that go by before the program gets its turn. */
const PACKETS_PER_TURN = 4096;

/** How the input ended. */
interface InputEnd {
  readonly failure: { readonly error: unknown } | null;
}

/** @internal */
export interface LineOptions {
  readonly reader: CaptureReader;
  readonly directions: Directions;
  /** Dropped packets are written, too. */
  readonly keepsDropped: boolean;
  /** Told once, when no more is read. */
  readonly onEnd: (end: InputEnd) => void;
}

/** @internal */
export class CaptureLine {
  readonly #options: LineOptions;
  #output: CaptureOutput | null = null;
  /** The highest priority first. */
  #channels: readonly PcapChannel[] = [];
  /** Read, and waits until those before it are decided about. */
  #next: Traveller | null = null;
  readonly #interfaces = new Map<number, CaptureInterface>();
  /** Of the last packet that was read. */
  #nowNs = 0n;
  #end: InputEnd | null = null;
  #isFilling = false;
  #isTurnScheduled = false;
  isClosed = false;

  constructor(options: LineOptions) {
    this.#options = options;
  }

  /** Says where packets end up. */
  writeTo(output: CaptureOutput): void {
    this.#output = output;
  }

  add(channel: PcapChannel): void {
    const all = [...this.#channels, channel];
    this.#channels = all.sort((a, b) => b.options.priority - a.options.priority);
  }

  /** Ends a handle's part; with the last one everything ends. */
  async remove(channel: PcapChannel): Promise<void> {
    if (!this.#channels.includes(channel)) return;
    this.#channels = this.#channels.filter((other) => other !== channel);
    if (this.#channels.length > 0) {
      this.start();
      return;
    }
    this.isClosed = true;
    this.#endInput({ failure: null });
    await this.#options.reader.close();
    await this.#output?.close();
  }

  /** Looks, in a turn of its own, for what can be done. */
  start(): void {
    if (this.#isTurnScheduled) return;
    this.#isTurnScheduled = true;
    setTimeout(this.#onTurn, 0);
  }

  /** Reads until `asking` has as many packets as it wants, or something else has to happen first. */
  pull(asking: PcapChannel, budget: number): void {
    for (let count = 0; this.#mayPull(asking, budget); count++) {
      if (count === PACKETS_PER_TURN) {
        this.start();
        return;
      }
      const traveller = this.#next ?? this.#read();
      if (traveller === null) return;
      this.#next = traveller;
      // Behind packets that are not decided about yet it would overtake them.
      if (this.#keepsOrder(asking) && !asking.matches(traveller)) return;
      this.#next = null;
      this.#advance(traveller, 0, asking);
    }
  }

  /** Lets a packet go on behind a handle; handles of lower priority meet it. */
  route(traveller: Traveller, from: PcapChannel): void {
    const { priority } = from.options;
    const below = this.#channels.findIndex((channel) => channel.options.priority < priority);
    this.#advance(traveller, below === -1 ? this.#channels.length : below, from);
  }

  /** A new packet from a handle, at the time of the last one that was read. */
  inject(bytes: Uint8Array, flags: number, interfaceIndex: number, from: PcapChannel): void {
    const { length } = bytes;
    const packet = {
      bytes,
      timestampNs: this.#nowNs,
      linkType: LINK_TYPE.RAW,
      interface: this.#interfaces.get(interfaceIndex),
      direction: directionOf(flags),
    };
    const size = { offset: 0, length, originalLength: length };
    this.route({ packet, ...size, flags, interfaceIndex, process: null, wasMet: true }, from);
  }

  /** A packet ends here. */
  drop(traveller: Traveller, reason: string): void {
    if (!this.#options.keepsDropped) return;
    this.#output?.write({ ...withDirection(traveller), dropReason: reason });
  }

  /** Tells handles that nothing comes to them any more when that is so. */
  settle(): void {
    if (this.#end === null || this.#next !== null) return;
    for (const channel of this.#channels) {
      if (channel.waitingCount === 0) channel.end(this.#end.failure);
      if (channel.holdsPackets) return;
    }
  }

  /** The output broke. */
  fail(error: unknown): void {
    this.#endInput({ failure: { error } });
    for (const channel of this.#channels) channel.fail(error);
  }

  /** There may be something to do: handles look for it. */
  wake(): void {
    for (const channel of this.#channels) channel.wake();
    this.#goBy();
  }

  async drained(): Promise<void> {
    await this.#output?.drained();
  }

  readonly #onTurn = (): void => {
    this.#isTurnScheduled = false;
    if (!this.isClosed) this.wake();
  };

  #mayPull(asking: PcapChannel, budget: number): boolean {
    if (this.#output?.isFull || asking.isFull(budget)) return false;
    return this.#channels.every((channel) => channel === asking || channel.waitingCount === 0);
  }

  #keepsOrder(asking: PcapChannel): boolean {
    const isSeen = this.#output !== null || this.#channels.length > 1;
    return isSeen && asking.waitingCount > 0 && asking.options.mode === 'divert';
  }

  /** When no handle asks for packets, those of the file go by on their own. */
  #goBy(): void {
    if (this.#channels.length === 0 || !this.#channels.every((channel) => channel.isPassive))
      return;
    for (let count = 0; count < PACKETS_PER_TURN; count++) {
      if (this.#output?.isFull) return;
      const traveller = this.#next ?? this.#read();
      this.#next = null;
      if (traveller === null) {
        this.settle();
        return;
      }
      this.#advance(traveller, 0, null);
    }
    this.start();
  }

  /** Meets the handles from `index` on. */
  #advance(traveller: Traveller, index: number, by: PcapChannel | null): void {
    for (let next = index; next < this.#channels.length; next++) {
      const channel = this.#channels[next];
      if (!channel || traveller.offset === NOT_IP) break;
      const outcome = channel.meet(traveller);
      if (outcome === 'dropped') {
        this.drop(traveller, 'by a filter');
        return;
      }
      if (channel !== by && channel.waitingCount > 0) channel.wake();
      if (outcome === 'taken') return;
    }
    this.#output?.write(traveller.wasMet ? withDirection(traveller) : traveller.packet);
  }

  /** The next packet of the file; null when it has to be waited for, or there is none. */
  #read(): Traveller | null {
    if (this.#end !== null || this.#isFilling) return null;
    const { reader, directions } = this.#options;
    let record: CaptureRecord | null;
    try {
      record = reader.next();
    } catch (error) {
      this.#endInput({ failure: { error } });
      return null;
    }
    if (record === null) {
      if (reader.isEnded) this.#endInput({ failure: null });
      else void this.#fill();
      return null;
    }
    this.#nowNs = record.timestampNs;
    const traveller = travellerOf(record, directions);
    if (traveller.interfaceIndex === record.interface.index + 1) {
      this.#interfaces.set(traveller.interfaceIndex, record.interface);
    }
    return traveller;
  }

  async #fill(): Promise<void> {
    this.#isFilling = true;
    try {
      await this.#options.reader.fill();
    } catch (error) {
      this.#endInput({ failure: { error } });
    }
    this.#isFilling = false;
    if (!this.isClosed) this.wake();
  }

  #endInput(end: InputEnd): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.#options.onEnd(end);
  }
}
