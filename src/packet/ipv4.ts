/**
 * The IPv4 header (RFC 791, RFC 2474, RFC 3168).
 *
 * @module
 */

import {
  CHANGES,
  type ChangeRecord,
  checkBoolean,
  checkInteger,
  describeType,
  HeaderView,
} from './header-view.ts';
import { formatIPv4Address, parseIPv4Address } from './ip-text.ts';
import { LENGTHS } from './layout.ts';

const VERSION_LENGTH = 0;
const TOS = 1;
const TOTAL_LENGTH = 2;
const IDENTIFICATION = 4;
const FRAGMENT = 6;
const TTL = 8;
const PROTOCOL = 9;
const CHECKSUM = 10;
const SOURCE = 12;
const DESTINATION = 16;
const OPTIONS = LENGTHS.IPV4_HEADER;

const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_OFFSET = 0x1fff;

/** Addresses, protocol and length are in the pseudo header of the transport checksum too. */
const PSEUDO = CHANGES.IP | CHANGES.PSEUDO_HEADER;

/** An IPv4 header in place. */
export class IPv4View extends HeaderView {
  /**
   * @param bytes - hold the header
   * @param offset - where it starts
   * @param record - is told of every write
   * @throws RangeError when 20 bytes do not fit
   */
  constructor(bytes: Uint8Array, offset = 0, record?: ChangeRecord) {
    super(bytes, offset, LENGTHS.IPV4_HEADER, record);
  }

  get version(): number {
    return this.get8(VERSION_LENGTH) >> 4;
  }

  /** In bytes, options included. Setting it moves where the next header is looked for. */
  get headerLength(): number {
    return (this.get8(VERSION_LENGTH) & 0x0f) * 4;
  }
  set headerLength(value: number) {
    checkInteger(value, 60, 'ip.headerLength');
    if (value % 4 !== 0 || value < LENGTHS.IPV4_HEADER) {
      throw new RangeError(`ip.headerLength: expected a multiple of 4 from 20 to 60, got ${value}`);
    }
    const first = (this.get8(VERSION_LENGTH) & 0xf0) | (value / 4);
    this.set8(VERSION_LENGTH, first, PSEUDO | CHANGES.LAYOUT);
  }

  /** Type of service: the whole byte, `dscp` and `ecn`. */
  get tos(): number {
    return this.get8(TOS);
  }
  set tos(value: number) {
    this.set8(TOS, checkInteger(value, 0xff, 'ip.tos'), CHANGES.IP);
  }

  /** Differentiated services code point, 0..63. */
  get dscp(): number {
    return this.tos >> 2;
  }
  set dscp(value: number) {
    this.tos = (checkInteger(value, 0x3f, 'ip.dscp') << 2) | this.ecn;
  }

  /** Explicit congestion notification, 0..3. */
  get ecn(): number {
    return this.tos & 0x03;
  }
  set ecn(value: number) {
    this.tos = (this.tos & 0xfc) | checkInteger(value, 0x03, 'ip.ecn');
  }

  /** Header and data, in bytes. Follows when the packet's payload is assigned. */
  get totalLength(): number {
    return this.get16(TOTAL_LENGTH);
  }
  set totalLength(value: number) {
    checkInteger(value, 0xffff, 'ip.totalLength');
    this.set16(TOTAL_LENGTH, value, PSEUDO | CHANGES.LAYOUT);
  }

  get identification(): number {
    return this.get16(IDENTIFICATION);
  }
  set identification(value: number) {
    this.set16(IDENTIFICATION, checkInteger(value, 0xffff, 'ip.identification'), CHANGES.IP);
  }

  /** The same as `identification`. */
  get id(): number {
    return this.identification;
  }
  set id(value: number) {
    this.identification = value;
  }

  get dontFragment(): boolean {
    return (this.get16(FRAGMENT) & DONT_FRAGMENT) !== 0;
  }
  set dontFragment(value: boolean) {
    this.#setFragmentBit(DONT_FRAGMENT, checkBoolean(value, 'ip.dontFragment'));
  }

  get moreFragments(): boolean {
    return (this.get16(FRAGMENT) & MORE_FRAGMENTS) !== 0;
  }
  set moreFragments(value: boolean) {
    this.#setFragmentBit(MORE_FRAGMENTS, checkBoolean(value, 'ip.moreFragments'));
  }

  #setFragmentBit(bit: number, value: boolean): void {
    const rest = this.get16(FRAGMENT) & ~bit;
    this.set16(FRAGMENT, value ? rest | bit : rest, CHANGES.IP | CHANGES.LAYOUT);
  }

  /** In units of 8 bytes, 0..8191. */
  get fragmentOffset(): number {
    return this.get16(FRAGMENT) & FRAGMENT_OFFSET;
  }
  set fragmentOffset(value: number) {
    checkInteger(value, FRAGMENT_OFFSET, 'ip.fragmentOffset');
    const flags = this.get16(FRAGMENT) & ~FRAGMENT_OFFSET;
    this.set16(FRAGMENT, flags | value, CHANGES.IP | CHANGES.LAYOUT);
  }

  get ttl(): number {
    return this.get8(TTL);
  }
  set ttl(value: number) {
    this.set8(TTL, checkInteger(value, 0xff, 'ip.ttl'), CHANGES.IP);
  }

  get protocol(): number {
    return this.get8(PROTOCOL);
  }
  set protocol(value: number) {
    this.set8(PROTOCOL, checkInteger(value, 0xff, 'ip.protocol'), PSEUDO | CHANGES.LAYOUT);
  }

  /** Computed on send when something it covers was set; what is assigned here is sent as it is. */
  get checksum(): number {
    return this.get16(CHECKSUM);
  }
  set checksum(value: number) {
    this.set16(CHECKSUM, checkInteger(value, 0xffff, 'ip.checksum'), CHANGES.IP_ASSIGNED);
  }

  /** Dotted text. Also takes a number in host order. */
  get sourceAddress(): string {
    return formatIPv4Address(this.sourceAddressNumber);
  }
  set sourceAddress(value: string | number) {
    this.set32(SOURCE, toIPv4Number(value, 'ip.sourceAddress'), PSEUDO);
  }

  /** Dotted text. Also takes a number in host order. */
  get destinationAddress(): string {
    return formatIPv4Address(this.destinationAddressNumber);
  }
  set destinationAddress(value: string | number) {
    this.set32(DESTINATION, toIPv4Number(value, 'ip.destinationAddress'), PSEUDO);
  }

  /** In host order: `1.2.3.4` is 0x01020304. */
  get sourceAddressNumber(): number {
    return this.get32(SOURCE);
  }
  set sourceAddressNumber(value: number) {
    this.sourceAddress = value;
  }

  /** In host order: `1.2.3.4` is 0x01020304. */
  get destinationAddressNumber(): number {
    return this.get32(DESTINATION);
  }
  set destinationAddressNumber(value: number) {
    this.destinationAddress = value;
  }

  /** The same as `sourceAddress`. */
  get srcAddr(): string {
    return this.sourceAddress;
  }
  set srcAddr(value: string | number) {
    this.sourceAddress = value;
  }

  /** The same as `destinationAddress`. */
  get dstAddr(): string {
    return this.destinationAddress;
  }
  set dstAddr(value: string | number) {
    this.destinationAddress = value;
  }

  /** A copy. Options of the same length can be assigned. */
  get options(): Uint8Array {
    return this.copy(OPTIONS, this.headerLength);
  }
  set options(value: Uint8Array) {
    this.overwrite(OPTIONS, this.headerLength, value, 'ip.options', CHANGES.IP);
  }
}

function toIPv4Number(value: string | number, name: string): number {
  if (typeof value === 'number') return checkInteger(value, 0xffff_ffff, name);
  if (typeof value !== 'string') {
    throw new TypeError(`${name}: expected an IPv4 address, got ${describeType(value)}`);
  }
  const address = parseIPv4Address(value);
  if (address === null) throw new RangeError(`${name}: "${value}" is not an IPv4 address`);
  return address;
}
