/**
 * One packet that the kernel holds for us, between its arrival and its verdict.
 * Backends keep pools of them: no allocation per packet.
 *
 * @module
 */

import type { ProcessInfo } from '../packet/process-info.ts';

/** Who lends the memory of a slot, and takes it back after the verdict. */
export interface SlotOwner {
  release(slot: Slot): void;
}

const NO_BYTES = new Uint8Array(0);

/** Finds out whose packets are, while their slots have them as they came. */
export interface Attribution {
  processOf(slot: Slot): ProcessInfo | null;
}

export class Slot {
  /** Memory the packet lies in. */
  memory: Uint8Array;
  /** Where it begins in `memory`, from the IP header on. */
  offset = 0;
  /** Bytes of it that are here. */
  length = 0;
  /** Bytes it has; more than `length` when the kernel could not hand all of it over. */
  originalLength = 0;
  /** The backend's name for the packet. */
  id = 0;
  /** ADDRESS_FLAGS bits. */
  flags = 0;
  interfaceIndex = 0;
  /** It came from a wire, and nobody has verified its transport checksum. */
  isUnverified = false;
  /** A super-packet: the kernel still cuts it into segments of a size it keeps to itself. */
  isLarge = false;
  /** Monotonic nanoseconds, when it was read from the kernel. */
  timestampNs = 0n;
  /** Monotonic milliseconds, when it came to the handle. */
  arrivedMs = 0;
  /** Knows whose it is; null: nobody asked for that. */
  attribution: Attribution | null = null;
  /** Monotonic nanoseconds: it came into the kernel's queue later. */
  queuedAfterNs = 0n;
  /** Still without a verdict. */
  undecided = false;
  /** Counts the packets that went through this slot, so that a stale reference shows. */
  serial = 0;
  readonly owner: SlotOwner | null;

  constructor(memory: Uint8Array, owner: SlotOwner | null) {
    this.memory = memory;
    this.owner = owner;
  }

  /**
   * Takes over another slot's packet, without its bytes; the other one is free afterwards, its
   * memory untouched until the next read.
   */
  static detach(from: Slot): Slot {
    const slot = new Slot(NO_BYTES, null);
    slot.length = from.length;
    slot.originalLength = from.originalLength;
    slot.id = from.id;
    slot.flags = from.flags;
    slot.interfaceIndex = from.interfaceIndex;
    slot.isUnverified = from.isUnverified;
    slot.isLarge = from.isLarge;
    slot.timestampNs = from.timestampNs;
    slot.arrivedMs = from.arrivedMs;
    slot.undecided = from.undecided;
    from.undecided = false;
    from.release();
    return slot;
  }

  /** Gives the memory back; the packet's bytes are not valid any more. */
  release(): void {
    this.serial++;
    this.owner?.release(this);
  }
}
