/**
 * A packet out of a handle: it knows what the kernel calls it.
 *
 * @module
 */
import { DivertError } from '../errors.ts';
import { ADDRESS_FLAGS, type Address } from '../packet/address.ts';
import { Packet } from '../packet/packet.ts';
import type { ProcessInfo } from '../packet/process-info.ts';
import { CHECKSUM_BITS } from '../packet/stale-checksums.ts';
import { decrementTtl } from '../packet/ttl.ts';
import type { Ledger } from './ledger.ts';
import { invalidParameter } from './options.ts';
import { checkOutgoing } from './outgoing.ts';
import { Slot } from './slot.ts';
import { verifyChecksums } from './verify-checksums.ts';

/** @internal */
export class HeldPacket extends Packet {
  readonly ledger: Ledger;
  /** A batch uses the object again for its next packet. */
  readonly #isPooled: boolean;
  #slot: Slot;
  #serial = 0;
  #originalLength = 0;
  /** Of a packet that the kernel handed over in part: what came, to see whether it is changed. */
  #received: Uint8Array | null = null;
  /** Which checksums are right was not looked at yet. */
  #isUnverified = false;
  /** Whose it is was not looked up yet. */
  #isUnattributed = false;

  constructor(ledger: Ledger, slot: Slot, isPooled = false) {
    super(slot.memory, null);
    this.ledger = ledger;
    this.#isPooled = isPooled;
    this.#slot = slot;
    this.hold(slot);
  }

  /** Makes this the object of another packet. */
  hold(slot: Slot): void {
    this.#slot = slot;
    this.#serial = slot.serial;
    const { memory, offset, length, flags, interfaceIndex, timestampNs } = slot;
    this.#originalLength = slot.originalLength;
    const isPart = length < slot.originalLength && (flags & ADDRESS_FLAGS.SNIFFED) === 0;
    this.#received = isPart ? memory.slice(offset, offset + length) : null;
    this.#isUnverified = (flags & ADDRESS_FLAGS.SNIFFED) !== 0;
    const { layer } = this.ledger;
    // A checksum that is to be found wrong is computed on send, as one whose flag was cleared.
    const atFirst = this.#isUnverified ? flags | CHECKSUM_BITS : flags;
    this.rebind(memory, offset, length, atFirst, interfaceIndex, 0, timestampNs, layer);
    this.flags = flags;
    if (slot.isUnverified) this.doubt();
    this.#isUnattributed = slot.attribution !== null;
  }

  override get originalLength(): number {
    return this.#originalLength;
  }

  /** @internal the checksums of a sniffed packet are computed when this is first asked for */
  override get address(): Address {
    if (this.#isUnverified) {
      this.#isUnverified = false;
      this.flags |= verifyChecksums(this.memory, this.offset, this.length);
    }
    return super.address;
  }

  override get process(): ProcessInfo | null {
    if (this.#isUnattributed) this.#findProcess();
    return super.process;
  }

  /** The owner is found by the addresses that the packet came with. */
  override get bytes(): Uint8Array {
    if (this.#isUnattributed) this.#findProcess();
    return super.bytes;
  }

  /** @internal */
  override mark(changes: number): void {
    if (this.#isUnattributed) this.#findProcess();
    super.mark(changes);
  }

  #findProcess(): void {
    this.#isUnattributed = false;
    const { slot } = this;
    if (slot?.attribution) this.attribute(slot.attribution.processOf(slot));
  }

  /** What the kernel holds for this packet; null when it was decided about and the memory given back. */
  get slot(): Slot | null {
    return this.#slot.owner === null || this.#slot.serial === this.#serial ? this.#slot : null;
  }

  /**
   * Gives the packet bytes of its own, valid for as long as it is referenced. The kernel keeps it
   * until it is sent or dropped, for a minute at most.
   *
   * @returns this packet, or a new one where this object belongs to a batch
   * @throws {@link DivertError} `stale-packet` when it was decided about before
   */
  override retain(): Packet {
    const { slot } = this;
    if (!slot) throw stalePacket('retain');
    if (slot.owner === null) return this;
    if (this.#isUnattributed) this.#findProcess();
    const detached = Slot.detach(slot);
    if (detached.undecided) this.ledger.retain(detached);
    const owner = this.#isPooled ? new HeldPacket(this.ledger, detached) : this;
    if (this.#isPooled) owner.assume(this);
    else this.own();
    owner.#slot = detached;
    owner.#received = this.#received;
    detached.memory = owner.memory;
    detached.offset = owner.offset;
    return owner;
  }

  /**
   * Puts it back in the direction it had. One that another handle injected loses a hop.
   *
   * @returns false when it had no hop left and was dropped
   */
  sendBack(slot: Slot): boolean {
    if (this.#received !== null) {
      // It may have been looked at, and that is all.
      if (Buffer.compare(this.bytes, this.#received) === 0) this.ledger.send(slot);
      else this.ledger.sendChanged(slot, this.bytes);
      return true;
    }
    const isChanged = this.finish();
    const losesHop = (this.flags & ADDRESS_FLAGS.IMPOSTOR) !== 0;
    if (losesHop && !decrementTtl(this.bytes)) {
      this.ledger.dropUnreachable(slot);
      return false;
    }
    if (isChanged || losesHop) this.#sendChanged(slot);
    else this.ledger.send(slot);
    return true;
  }

  #sendChanged(slot: Slot): void {
    const bytes = checkOutgoing(this.bytes);
    const isIPv6 = (bytes[0] ?? 0) >> 4 === 6;
    if (isIPv6 !== ((slot.flags & ADDRESS_FLAGS.IPV6) !== 0)) {
      throw invalidParameter(
        'A packet cannot change between IPv4 and IPv6.',
        'Drop it and send a new one.',
      );
    }
    this.ledger.sendChanged(slot, bytes);
  }
}

/** @internal */
export function stalePacket(action: string): DivertError {
  return new DivertError(
    'stale-packet',
    `Cannot ${action} a packet that was sent, dropped or given up before.`,
    { hint: 'Call packet.retain() before, to keep a packet or to send it more than once.' },
  );
}
