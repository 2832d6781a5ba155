/**
 * The UDP header (RFC 768).
 *
 * @module
 */

import { CHANGES, type ChangeRecord, checkInteger, HeaderView } from './header-view.ts';
import { LENGTHS } from './layout.ts';

const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const LENGTH = 4;
const CHECKSUM = 6;

/** A UDP header in place. */
export class UdpView extends HeaderView {
  /**
   * @param bytes - hold the header
   * @param offset - where it starts
   * @param record - is told of every write
   * @throws RangeError when 8 bytes do not fit
   */
  constructor(bytes: Uint8Array, offset = 0, record?: ChangeRecord) {
    super(bytes, offset, LENGTHS.UDP_HEADER, record);
  }

  get sourcePort(): number {
    return this.get16(SOURCE_PORT);
  }
  set sourcePort(value: number) {
    this.set16(SOURCE_PORT, checkInteger(value, 0xffff, 'udp.sourcePort'), CHANGES.TRANSPORT);
  }

  get destinationPort(): number {
    return this.get16(DESTINATION_PORT);
  }
  set destinationPort(value: number) {
    checkInteger(value, 0xffff, 'udp.destinationPort');
    this.set16(DESTINATION_PORT, value, CHANGES.TRANSPORT);
  }

  /** The same as `sourcePort`. */
  get srcPort(): number {
    return this.sourcePort;
  }
  set srcPort(value: number) {
    this.sourcePort = value;
  }

  /** The same as `destinationPort`. */
  get dstPort(): number {
    return this.destinationPort;
  }
  set dstPort(value: number) {
    this.destinationPort = value;
  }

  /** Header and payload, in bytes. Follows when the packet's payload is assigned. */
  get length(): number {
    return this.get16(LENGTH);
  }
  set length(value: number) {
    this.set16(LENGTH, checkInteger(value, 0xffff, 'udp.length'), CHANGES.TRANSPORT);
  }

  /**
   * Computed on send when something it covers was set; what is assigned here is sent as it is. Over
   * IPv4, 0 means that there is none, and it stays 0.
   */
  get checksum(): number {
    return this.get16(CHECKSUM);
  }
  set checksum(value: number) {
    this.set16(CHECKSUM, checkInteger(value, 0xffff, 'udp.checksum'), CHANGES.TRANSPORT_ASSIGNED);
  }

  /** Bytes behind the header. */
  get payloadLength(): number {
    return Math.max(0, this.limit - this.start - LENGTHS.UDP_HEADER);
  }
}
