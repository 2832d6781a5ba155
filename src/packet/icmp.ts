/**
 * The ICMP header of IPv4 (RFC 792) and of IPv6 (RFC 4443), which look the same.
 *
 * @module
 */

import { CHANGES, type ChangeRecord, checkInteger, HeaderView } from './header-view.ts';
import { LENGTHS } from './layout.ts';

const TYPE = 0;
const CODE = 1;
const CHECKSUM = 2;
const BODY = 4;

abstract class IcmpHeaderView extends HeaderView {
  /** How messages call it. */
  protected abstract readonly prefix: string;

  /**
   * @param bytes - hold the header
   * @param offset - where it starts
   * @param record - is told of every write
   * @throws RangeError when 8 bytes do not fit
   */
  constructor(bytes: Uint8Array, offset = 0, record?: ChangeRecord) {
    super(bytes, offset, LENGTHS.ICMP_HEADER, record);
  }

  get type(): number {
    return this.get8(TYPE);
  }
  set type(value: number) {
    this.set8(TYPE, checkInteger(value, 0xff, `${this.prefix}.type`), CHANGES.TRANSPORT);
  }

  get code(): number {
    return this.get8(CODE);
  }
  set code(value: number) {
    this.set8(CODE, checkInteger(value, 0xff, `${this.prefix}.code`), CHANGES.TRANSPORT);
  }

  /** Computed on send when something it covers was set; what is assigned here is sent as it is. */
  get checksum(): number {
    return this.get16(CHECKSUM);
  }
  set checksum(value: number) {
    checkInteger(value, 0xffff, `${this.prefix}.checksum`);
    this.set16(CHECKSUM, value, CHANGES.TRANSPORT_ASSIGNED);
  }

  /** The 32 bits behind the checksum: identifier and sequence number of an echo, for one. */
  get body(): number {
    return this.get32(BODY);
  }
  set body(value: number) {
    this.set32(BODY, checkInteger(value, 0xffff_ffff, `${this.prefix}.body`), CHANGES.TRANSPORT);
  }
}

/** An ICMP header of IPv4 in place. */
export class IcmpView extends IcmpHeaderView {
  protected readonly prefix: string = 'icmp';
}

/** An ICMPv6 header in place. */
export class Icmpv6View extends IcmpHeaderView {
  protected readonly prefix: string = 'icmpv6';
}
