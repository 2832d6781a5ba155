/**
 * The ring buffer of a sniffing handle: records in, slots out.
 *
 * @module
 */
import type { Attribution, Slot } from '../divert/slot.ts';
import { ADDRESS_FLAGS } from '../packet/address.ts';
import { BpfMap } from './bpf/map.ts';
import { isDiscarded, RECORD_HEADER_BYTES, RingBuffer, recordBytes } from './bpf/ringbuf.ts';
import { type SniffChunk, SniffChunks } from './sniff-chunk.ts';
import {
  CONSTANTS,
  MAX_RECORD_BYTES,
  packetOffset,
  RECORD,
  SNIFF_COUNTER,
} from './sniff-record.ts';

/**
 * Of the ring, for each byte of the handle's own queue. By default that makes 32 MB, 250,000
 * datagrams of 64 bytes: a fifth of a second at the rate one processor can send them, so that a slow
 * callback or a busy machine costs no packet.
 */
const RING_TO_QUEUE = 8;
const IPV6_FIRST_BYTE = 0x60;
const COUNTER_KEY: Uint8Array = new Uint8Array(4);

/** What the programs counted. */
export interface SniffCounts {
  readonly matched: number;
  readonly ringFull: number;
}

export class SniffReader {
  readonly ring: RingBuffer;
  readonly #counters: BpfMap;
  readonly #chunks: SniffChunks = new SniffChunks();
  readonly #limits = { records: 0, offset: 0 };
  #last: SniffCounts = { matched: 0, ringFull: 0 };
  /** Knows whose packets are, where that is in the records. */
  attribution: Attribution | null = null;
  #isOpen = true;

  /**
   * @param name of the maps, for listings
   * @param queueSizeBytes of the handle
   * @throws {@link UnsupportedError} when a capability is missing
   */
  constructor(name: string, queueSizeBytes: number) {
    const ringBytes = 2 ** Math.ceil(Math.log2(queueSizeBytes * RING_TO_QUEUE));
    this.ring = new RingBuffer(name, ringBytes);
    try {
      this.#counters = new BpfMap({
        name,
        type: 'ARRAY',
        keyBytes: COUNTER_KEY.length,
        valueBytes: SNIFF_COUNTER.BYTES,
        maxEntries: 1,
      });
    } catch (error) {
      this.ring.close();
      throw error;
    }
  }

  /** For programs to count in. */
  get countersFd(): number {
    return this.#counters.fd;
  }

  /**
   * Reads what is there, `budget` packets at most.
   *
   * @param quiet as for {@link RingBuffer.take}
   * @param sink gets a slot for each packet, its `id` being the generation of the filter
   * @returns number of packets
   */
  read(budget: number, quiet: boolean, sink: (slot: Slot) => void): number {
    const limits = this.#limits;
    limits.records = budget;
    while (limits.records > 0) {
      const chunk = this.#chunks.withRoom(MAX_RECORD_BYTES);
      limits.offset = chunk.used;
      const bytes = this.ring.take(chunk.memory.bytes, limits, quiet);
      if (bytes === 0) break;
      chunk.used += bytes;
      // A sink that releases at once must not free the chunk while it is being walked.
      chunk.retain();
      limits.records -= this.#fill(chunk, limits.offset, sink);
      chunk.release();
    }
    return budget - limits.records;
  }

  /** What the programs counted so far; stays readable after `close`. */
  counts(): SniffCounts {
    const value = this.#isOpen ? this.#counters.lookup(COUNTER_KEY) : null;
    if (value) {
      const view = new DataView(value.buffer, value.byteOffset);
      this.#last = {
        matched: Number(view.getBigUint64(SNIFF_COUNTER.MATCHED, true)),
        ringFull: Number(view.getBigUint64(SNIFF_COUNTER.RING_FULL, true)),
      };
    }
    return this.#last;
  }

  /** Slots stay valid. Idempotent. */
  close(): void {
    if (!this.#isOpen) return;
    try {
      this.counts();
    } catch {
      // What was read last stays.
    }
    this.#isOpen = false;
    this.ring.close();
    this.#counters.close();
  }

  /** Hands on the packets from `offset` up to where the chunk is used; returns how many records there are. */
  #fill(chunk: SniffChunk, offset: number, sink: (slot: Slot) => void): number {
    const { words } = chunk.memory;
    const end = chunk.used;
    let records = 0;
    for (let at = offset; at < end; records++) {
      const header = words[at >> 2] ?? 0;
      if (!isDiscarded(header)) sink(this.#fillSlot(chunk, at + RECORD_HEADER_BYTES));
      at += recordBytes(header);
    }
    return records;
  }

  #fillSlot(chunk: SniffChunk, record: number): Slot {
    const { words, bytes } = chunk.memory;
    const slot = chunk.nextSlot();
    const constants = words[(record + RECORD.CONSTANTS) >> 2] ?? 0;
    const hasOwner = (constants & CONSTANTS.HAS_OWNER) !== 0;
    slot.attribution = hasOwner ? this.attribution : null;
    slot.offset = record + packetOffset(hasOwner);
    slot.length = words[(record + RECORD.LENGTH) >> 2] ?? 0;
    slot.originalLength = words[(record + RECORD.ORIGINAL_LENGTH) >> 2] ?? 0;
    slot.timestampNs = chunk.longs[(record + RECORD.TIMESTAMP) >> 3] ?? 0n;
    slot.interfaceIndex = words[(record + RECORD.INTERFACE_INDEX) >> 2] ?? 0;
    slot.id = (constants >>> CONSTANTS.GENERATION_SHIFT) & CONSTANTS.GENERATION_MASK;
    slot.flags = constants & CONSTANTS.FLAGS_MASK;
    if ((bytes[slot.offset] ?? 0) >= IPV6_FIRST_BYTE) slot.flags |= ADDRESS_FLAGS.IPV6;
    slot.undecided = true;
    return slot;
  }
}
