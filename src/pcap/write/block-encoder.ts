/**
 * pcapng blocks in little-endian order, one behind the other in large pieces of memory.
 *
 * @module
 */

import {
  BLOCK_HEADER_BYTES,
  BLOCK_TRAILER_BYTES,
  BLOCK_TYPE,
  BYTE_ORDER_MAGIC,
  ENHANCED_PACKET,
  INTERFACE_DESCRIPTION,
  INTERFACE_STATISTICS,
  OPTION,
  OPTION_HEADER_BYTES,
  padded,
  SECTION_HEADER,
} from '../block.ts';
import { viewOf } from '../read/byte-source.ts';

const VERSION = { MAJOR: 1, MINOR: 0 } as const;
/** 10^-9 seconds. */
const NANOSECOND_RESOLUTION = 9;
/** A piece of memory; larger blocks get their own. */
const SLAB_BYTES = 64 * 1024;
const MAX_OPTION_BYTES = 0xffff;

const encoder = new TextEncoder();

/** An option of a block. @internal */
export interface BlockOption {
  readonly code: number;
  readonly value: Uint8Array;
}

/** What an enhanced packet block has besides its options. @internal */
export interface EncodedPacket {
  readonly interfaceIndex: number;
  readonly timestampNs: bigint;
  readonly bytes: Uint8Array;
  readonly originalLength: number;
  readonly options: readonly BlockOption[];
}

/** @internal */
export class BlockEncoder {
  #slab = new Uint8Array(SLAB_BYTES);
  #view: DataView = viewOf(this.#slab);
  /** What was not taken yet. */
  #from = 0;
  #to = 0;
  readonly #full: Uint8Array[] = [];
  /** Bytes that were encoded and not taken. */
  waiting = 0;

  /** All blocks since the last time. They are not written to again. */
  take(): Uint8Array[] {
    const chunks = this.#full.splice(0);
    if (this.#to > this.#from) chunks.push(this.#slab.subarray(this.#from, this.#to));
    this.#from = this.#to;
    this.waiting = 0;
    return chunks;
  }

  sectionHeader(options: readonly BlockOption[]): void {
    const body = this.#begin(BLOCK_TYPE.SECTION_HEADER, SECTION_HEADER.OPTIONS, options);
    const view = this.#view;
    view.setUint32(body + SECTION_HEADER.BYTE_ORDER, BYTE_ORDER_MAGIC, true);
    view.setUint16(body + SECTION_HEADER.VERSION_MAJOR, VERSION.MAJOR, true);
    view.setUint16(body + SECTION_HEADER.VERSION_MINOR, VERSION.MINOR, true);
    // -1: the length of the section is not known.
    view.setBigInt64(body + SECTION_HEADER.SECTION_LENGTH, -1n, true);
  }

  interfaceDescription(
    linkType: number,
    snapLength: number,
    options: readonly BlockOption[],
  ): void {
    const body = this.#begin(BLOCK_TYPE.INTERFACE_DESCRIPTION, INTERFACE_DESCRIPTION.OPTIONS, [
      { code: OPTION.IF_TIMESTAMP_RESOLUTION, value: Uint8Array.of(NANOSECOND_RESOLUTION) },
      ...options,
    ]);
    const view = this.#view;
    view.setUint16(body + INTERFACE_DESCRIPTION.LINK_TYPE, linkType, true);
    view.setUint32(body + INTERFACE_DESCRIPTION.SNAP_LENGTH, snapLength, true);
  }

  packet(packet: EncodedPacket): void {
    const { bytes, timestampNs } = packet;
    const length = ENHANCED_PACKET.DATA + padded(bytes.length);
    const body = this.#begin(BLOCK_TYPE.ENHANCED_PACKET, length, packet.options);
    const view = this.#view;
    view.setUint32(body + ENHANCED_PACKET.INTERFACE, packet.interfaceIndex, true);
    this.#setTime(body + ENHANCED_PACKET.TIMESTAMP_HIGH, timestampNs);
    view.setUint32(body + ENHANCED_PACKET.CAPTURED, bytes.length, true);
    view.setUint32(body + ENHANCED_PACKET.ORIGINAL, packet.originalLength, true);
    this.#slab.set(bytes, body + ENHANCED_PACKET.DATA);
  }

  interfaceStatistics(
    interfaceIndex: number,
    timestampNs: bigint,
    options: readonly BlockOption[],
  ): void {
    const { INTERFACE, OPTIONS, TIMESTAMP_HIGH } = INTERFACE_STATISTICS;
    const body = this.#begin(BLOCK_TYPE.INTERFACE_STATISTICS, OPTIONS, options);
    this.#view.setUint32(body + INTERFACE, interfaceIndex, true);
    this.#setTime(body + TIMESTAMP_HIGH, timestampNs);
  }

  /** The high half comes first, whatever the byte order. */
  #setTime(at: number, timestampNs: bigint): void {
    const view = this.#view;
    view.setBigUint64(at, timestampNs, true);
    const low = view.getUint32(at, true);
    view.setUint32(at, view.getUint32(at + 4, true), true);
    view.setUint32(at + 4, low, true);
  }

  /** Makes room for a block and writes its lengths and options; gives the offset of its body. */
  #begin(type: number, fixedLength: number, options: readonly BlockOption[]): number {
    let optionsLength = options.length === 0 ? 0 : OPTION_HEADER_BYTES;
    for (const { value } of options) optionsLength += OPTION_HEADER_BYTES + padded(value.length);
    const length = BLOCK_HEADER_BYTES + fixedLength + optionsLength + BLOCK_TRAILER_BYTES;
    const start = this.#reserve(length);
    const view = this.#view;
    view.setUint32(start, type, true);
    view.setUint32(start + 4, length, true);
    view.setUint32(start + length - BLOCK_TRAILER_BYTES, length, true);
    let at = start + BLOCK_HEADER_BYTES + fixedLength;
    for (const { code, value } of options) {
      view.setUint16(at, code, true);
      view.setUint16(at + 2, value.length, true);
      this.#slab.set(value, at + OPTION_HEADER_BYTES);
      at += OPTION_HEADER_BYTES + padded(value.length);
    }
    return start + BLOCK_HEADER_BYTES;
  }

  #reserve(length: number): number {
    if (this.#to + length > this.#slab.length) {
      if (this.#to > this.#from) this.#full.push(this.#slab.subarray(this.#from, this.#to));
      this.#slab = new Uint8Array(Math.max(SLAB_BYTES, length));
      this.#view = viewOf(this.#slab);
      this.#from = this.#to = 0;
    }
    const start = this.#to;
    this.#to += length;
    this.waiting += length;
    return start;
  }
}

/** Text for an option; lengths have 16 bits, so longer text is cut. @internal */
export function utf8(text: string): Uint8Array {
  const bytes = encoder.encode(text);
  return bytes.length <= MAX_OPTION_BYTES ? bytes : bytes.subarray(0, MAX_OPTION_BYTES);
}

/** A number of 32 bits and those behind it. @internal */
export function words(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = viewOf(bytes);
  for (const [index, value] of values.entries()) view.setUint32(index * 4, value, true);
  return bytes;
}

/** A number of 64 bits. @internal */
export function uint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  viewOf(bytes).setBigUint64(0, BigInt(value), true);
  return bytes;
}
