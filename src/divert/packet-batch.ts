/**
 * Packets received in one turn. The batch, its packets and their memory are used again for
 * the next one.
 *
 * @module
 */
import { ADDRESS_FLAGS } from '../packet/address.ts';
import type { Packet } from '../packet/packet.ts';
import { HeldPacket } from './held-packet.ts';
import type { Ledger } from './ledger.ts';
import { unreachable } from './outgoing.ts';
import type { PacketQueue } from './packet-queue.ts';
import type { Slot } from './slot.ts';

/** One loses a hop, the other may have a checksum that is not final. */
const LOOKED_AT_ON_SEND = ADDRESS_FLAGS.IMPOSTOR | ADDRESS_FLAGS.SNIFFED;

export class PacketBatch implements Iterable<Packet> {
  readonly #ledger: Ledger;
  readonly #checkSend: () => void;
  readonly #slots: (Slot | undefined)[];
  /** Serial each slot had when it was delivered. */
  readonly #serials: Float64Array;
  /** Made when first looked at, then used again. */
  readonly #packets: (HeldPacket | undefined)[];
  #length = 0;
  /** Packets below this index were looked at and may be changed. */
  #seen = 0;

  /**
   * @param checkSend throws when the handle may not send
   * @internal
   */
  constructor(ledger: Ledger, maxPackets: number, checkSend: () => void) {
    this.#ledger = ledger;
    this.#checkSend = checkSend;
    this.#slots = new Array(maxPackets);
    this.#serials = new Float64Array(maxPackets);
    this.#packets = new Array(maxPackets);
  }

  /** Number of packets, 1..255. */
  get length(): number {
    return this.#length;
  }

  *[Symbol.iterator](): Iterator<Packet> {
    for (let index = 0; index < this.#length; index++) {
      const packet = this.#packetAt(index);
      if (packet) yield packet;
    }
  }

  /**
   * Puts back every packet that was not decided about one by one.
   *
   * @throws {@link DivertError} as the handle's `send`; `host-unreachable`, when all others are
   * sent, if one that another handle injected had no hop left
   */
  send(): void {
    this.#checkSend();
    let areSent = true;
    for (let index = 0; index < this.#length; index++) {
      const slot = this.#undecidedAt(index);
      if (!slot) continue;
      const isLookedAt = index < this.#seen || (slot.flags & LOOKED_AT_ON_SEND) !== 0;
      const packet = isLookedAt ? this.#packetAt(index) : undefined;
      if (!packet) this.#ledger.send(slot);
      else if (!packet.sendBack(slot)) areSent = false;
    }
    if (!areSent) throw unreachable();
  }

  /** Drops every packet that was not decided about one by one. */
  drop(): void {
    this.#forEachUndecided(this.#drop);
  }

  /** Drops the given packets of this batch and puts back the others. */
  sendExcept(dropped: Iterable<Packet>): void {
    for (const packet of dropped) {
      if (!(packet instanceof HeldPacket) || packet.ledger !== this.#ledger) {
        throw new TypeError('sendExcept() takes packets of this batch.');
      }
      if (packet.slot?.undecided) this.#ledger.drop(packet.slot);
    }
    this.send();
  }

  /** @internal takes as many packets as fit */
  fill(queue: PacketQueue): void {
    const maximum = this.#slots.length;
    while (this.#length < maximum) {
      const slot = queue.shift();
      if (!slot) break;
      this.#slots[this.#length] = slot;
      this.#serials[this.#length] = slot.serial;
      this.#length++;
      this.#ledger.countDelivery(slot);
    }
  }

  /** @internal gives up what is undecided and empties the batch */
  settle(): void {
    this.#forEachUndecided(this.#ledger.forget);
    this.#length = 0;
    this.#seen = 0;
  }

  readonly #drop = (slot: Slot): void => this.#ledger.drop(slot);

  #forEachUndecided(decide: (slot: Slot) => void): void {
    for (let index = 0; index < this.#length; index++) {
      const slot = this.#undecidedAt(index);
      if (slot) decide(slot);
    }
  }

  #undecidedAt(index: number): Slot | undefined {
    const slot = this.#slots[index];
    return slot?.undecided && slot.serial === this.#serials[index] ? slot : undefined;
  }

  /** The packet at `index`, bound to its slot when it is first looked at. */
  #packetAt(index: number): HeldPacket | undefined {
    const slot = this.#slots[index];
    if (!slot) return undefined;
    let packet = this.#packets[index];
    if (!packet) {
      packet = new HeldPacket(this.#ledger, slot, true);
      this.#packets[index] = packet;
    } else if (index >= this.#seen) {
      packet.hold(slot);
    }
    this.#seen = Math.max(this.#seen, index + 1);
    return packet;
  }
}
