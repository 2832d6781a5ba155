/**
 * The IPv6 header (RFC 8200); extension headers are not part of it.
 *
 * @module
 */

import { itemAt } from './bytes.ts';
import {
  CHANGES,
  type ChangeRecord,
  checkInteger,
  describeType,
  HeaderView,
} from './header-view.ts';
import { formatIPv6Address, parseIPv4Address, parseIPv6Address } from './ip-text.ts';
import { LENGTHS } from './layout.ts';

const VERSION_CLASS_LABEL = 0;
const PAYLOAD_LENGTH = 4;
const NEXT_HEADER = 6;
const HOP_LIMIT = 7;
const SOURCE = 8;
const DESTINATION = 24;

const FLOW_LABEL = 0xfffff;
const IPV4_MAPPED = 0xffff;

/** Four 32-bit words, the least significant first. */
export type IPv6Words = readonly [number, number, number, number] | readonly number[];

/** An IPv6 header in place. */
export class IPv6View extends HeaderView {
  /**
   * @param bytes - hold the header
   * @param offset - where it starts
   * @param record - is told of every write
   * @throws RangeError when 40 bytes do not fit
   */
  constructor(bytes: Uint8Array, offset = 0, record?: ChangeRecord) {
    super(bytes, offset, LENGTHS.IPV6_HEADER, record);
  }

  get version(): number {
    return this.get8(VERSION_CLASS_LABEL) >> 4;
  }

  get trafficClass(): number {
    return (this.get16(VERSION_CLASS_LABEL) >> 4) & 0xff;
  }
  set trafficClass(value: number) {
    checkInteger(value, 0xff, 'ipv6.trafficClass');
    const rest = this.get16(VERSION_CLASS_LABEL) & 0xf00f;
    this.set16(VERSION_CLASS_LABEL, rest | (value << 4), 0);
  }

  get flowLabel(): number {
    return this.get32(VERSION_CLASS_LABEL) & FLOW_LABEL;
  }
  set flowLabel(value: number) {
    checkInteger(value, FLOW_LABEL, 'ipv6.flowLabel');
    this.set32(VERSION_CLASS_LABEL, (this.get32(VERSION_CLASS_LABEL) & ~FLOW_LABEL) | value, 0);
  }

  /** What follows this header, in bytes. Follows when the packet's payload is assigned. */
  get payloadLength(): number {
    return this.get16(PAYLOAD_LENGTH);
  }
  set payloadLength(value: number) {
    checkInteger(value, 0xffff, 'ipv6.payloadLength');
    this.set16(PAYLOAD_LENGTH, value, CHANGES.PSEUDO_HEADER | CHANGES.LAYOUT);
  }

  /** Of the first header behind this one, perhaps an extension header. */
  get nextHeader(): number {
    return this.get8(NEXT_HEADER);
  }
  set nextHeader(value: number) {
    checkInteger(value, 0xff, 'ipv6.nextHeader');
    this.set8(NEXT_HEADER, value, CHANGES.PSEUDO_HEADER | CHANGES.LAYOUT);
  }

  get hopLimit(): number {
    return this.get8(HOP_LIMIT);
  }
  set hopLimit(value: number) {
    this.set8(HOP_LIMIT, checkInteger(value, 0xff, 'ipv6.hopLimit'), 0);
  }

  /** Text; an IPv4-mapped address is plain dotted IPv4. Also takes four words. */
  get sourceAddress(): string {
    return formatIPv6Address(this.sourceAddressWords);
  }
  set sourceAddress(value: string | IPv6Words) {
    this.#setAddress(SOURCE, toIPv6Words(value, 'ipv6.sourceAddress'));
  }

  /** Text; an IPv4-mapped address is plain dotted IPv4. Also takes four words. */
  get destinationAddress(): string {
    return formatIPv6Address(this.destinationAddressWords);
  }
  set destinationAddress(value: string | IPv6Words) {
    this.#setAddress(DESTINATION, toIPv6Words(value, 'ipv6.destinationAddress'));
  }

  /** The least significant word first. */
  get sourceAddressWords(): [number, number, number, number] {
    return this.#getAddress(SOURCE);
  }
  set sourceAddressWords(value: IPv6Words) {
    this.sourceAddress = value;
  }

  /** The least significant word first. */
  get destinationAddressWords(): [number, number, number, number] {
    return this.#getAddress(DESTINATION);
  }
  set destinationAddressWords(value: IPv6Words) {
    this.destinationAddress = value;
  }

  /** The same as `sourceAddress`. */
  get srcAddr(): string {
    return this.sourceAddress;
  }
  set srcAddr(value: string | IPv6Words) {
    this.sourceAddress = value;
  }

  /** The same as `destinationAddress`. */
  get dstAddr(): string {
    return this.destinationAddress;
  }
  set dstAddr(value: string | IPv6Words) {
    this.destinationAddress = value;
  }

  #getAddress(field: number): [number, number, number, number] {
    return [
      this.get32(field + 12),
      this.get32(field + 8),
      this.get32(field + 4),
      this.get32(field),
    ];
  }

  #setAddress(field: number, words: IPv6Words): void {
    for (let index = 0; index < 4; index++) {
      this.set32(field + 12 - 4 * index, itemAt(words, index), CHANGES.PSEUDO_HEADER);
    }
  }
}

function toIPv6Words(value: string | IPv6Words, name: string): IPv6Words {
  if (typeof value === 'string') {
    const mapped = parseIPv4Address(value);
    if (mapped !== null) return [mapped, IPV4_MAPPED, 0, 0];
    const words = parseIPv6Address(value);
    if (words === null) throw new RangeError(`${name}: "${value}" is not an IPv6 address`);
    return words;
  }
  if (!Array.isArray(value)) {
    throw new TypeError(`${name}: expected text or four words, got ${describeType(value)}`);
  }
  if (value.length !== 4) throw new RangeError(`${name}: expected four words, got ${value.length}`);
  for (const word of value) checkInteger(word, 0xffff_ffff, name);
  return value;
}
