/**
 * The TCP header (RFC 9293, RFC 3168).
 *
 * @module
 */

import {
  CHANGES,
  type ChangeRecord,
  checkBoolean,
  checkInteger,
  HeaderView,
} from './header-view.ts';
import { LENGTHS } from './layout.ts';

const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const SEQUENCE_NUMBER = 4;
const ACKNOWLEDGMENT_NUMBER = 8;
const DATA_OFFSET = 12;
const FLAGS = 13;
const WINDOW = 14;
const CHECKSUM = 16;
const URGENT_POINTER = 18;
const OPTIONS = LENGTHS.TCP_HEADER;

const CWR = 0x80;
const ECE = 0x40;
const URG = 0x20;
const ACK = 0x10;
const PSH = 0x08;
const RST = 0x04;
const SYN = 0x02;
const FIN = 0x01;

/** A TCP header in place. */
export class TcpView extends HeaderView {
  /**
   * @param bytes - hold the header
   * @param offset - where it starts
   * @param record - is told of every write
   * @throws RangeError when 20 bytes do not fit
   */
  constructor(bytes: Uint8Array, offset = 0, record?: ChangeRecord) {
    super(bytes, offset, LENGTHS.TCP_HEADER, record);
  }

  get sourcePort(): number {
    return this.get16(SOURCE_PORT);
  }
  set sourcePort(value: number) {
    this.set16(SOURCE_PORT, checkInteger(value, 0xffff, 'tcp.sourcePort'), CHANGES.TRANSPORT);
  }

  get destinationPort(): number {
    return this.get16(DESTINATION_PORT);
  }
  set destinationPort(value: number) {
    checkInteger(value, 0xffff, 'tcp.destinationPort');
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

  get sequenceNumber(): number {
    return this.get32(SEQUENCE_NUMBER);
  }
  set sequenceNumber(value: number) {
    checkInteger(value, 0xffff_ffff, 'tcp.sequenceNumber');
    this.set32(SEQUENCE_NUMBER, value, CHANGES.TRANSPORT);
  }

  get acknowledgmentNumber(): number {
    return this.get32(ACKNOWLEDGMENT_NUMBER);
  }
  set acknowledgmentNumber(value: number) {
    checkInteger(value, 0xffff_ffff, 'tcp.acknowledgmentNumber');
    this.set32(ACKNOWLEDGMENT_NUMBER, value, CHANGES.TRANSPORT);
  }

  /** Header length in 32-bit words. Setting it moves where the payload is looked for. */
  get dataOffset(): number {
    return this.get8(DATA_OFFSET) >> 4;
  }
  set dataOffset(value: number) {
    checkInteger(value, 15, 'tcp.dataOffset');
    if (value < 5) throw new RangeError(`tcp.dataOffset: expected 5..15, got ${value}`);
    const rest = this.get8(DATA_OFFSET) & 0x0f;
    this.set8(DATA_OFFSET, (value << 4) | rest, CHANGES.TRANSPORT | CHANGES.LAYOUT);
  }

  /** In bytes, options included. */
  get headerLength(): number {
    return this.dataOffset * 4;
  }
  set headerLength(value: number) {
    checkInteger(value, 60, 'tcp.headerLength');
    if (value % 4 !== 0 || value < LENGTHS.TCP_HEADER) {
      throw new RangeError(
        `tcp.headerLength: expected a multiple of 4 from 20 to 60, got ${value}`,
      );
    }
    this.dataOffset = value / 4;
  }

  /** The byte of flags, CWR to FIN. */
  get flags(): number {
    return this.get8(FLAGS);
  }
  set flags(value: number) {
    this.set8(FLAGS, checkInteger(value, 0xff, 'tcp.flags'), CHANGES.TRANSPORT);
  }

  get cwr(): boolean {
    return this.#getFlag(CWR);
  }
  set cwr(value: boolean) {
    this.#setFlag(CWR, value, 'tcp.cwr');
  }

  get ece(): boolean {
    return this.#getFlag(ECE);
  }
  set ece(value: boolean) {
    this.#setFlag(ECE, value, 'tcp.ece');
  }

  get urg(): boolean {
    return this.#getFlag(URG);
  }
  set urg(value: boolean) {
    this.#setFlag(URG, value, 'tcp.urg');
  }

  get ack(): boolean {
    return this.#getFlag(ACK);
  }
  set ack(value: boolean) {
    this.#setFlag(ACK, value, 'tcp.ack');
  }

  get psh(): boolean {
    return this.#getFlag(PSH);
  }
  set psh(value: boolean) {
    this.#setFlag(PSH, value, 'tcp.psh');
  }

  get rst(): boolean {
    return this.#getFlag(RST);
  }
  set rst(value: boolean) {
    this.#setFlag(RST, value, 'tcp.rst');
  }

  get syn(): boolean {
    return this.#getFlag(SYN);
  }
  set syn(value: boolean) {
    this.#setFlag(SYN, value, 'tcp.syn');
  }

  get fin(): boolean {
    return this.#getFlag(FIN);
  }
  set fin(value: boolean) {
    this.#setFlag(FIN, value, 'tcp.fin');
  }

  #getFlag(flag: number): boolean {
    return (this.get8(FLAGS) & flag) !== 0;
  }

  #setFlag(flag: number, value: boolean, name: string): void {
    const rest = this.flags & ~flag;
    this.flags = checkBoolean(value, name) ? rest | flag : rest;
  }

  get window(): number {
    return this.get16(WINDOW);
  }
  set window(value: number) {
    this.set16(WINDOW, checkInteger(value, 0xffff, 'tcp.window'), CHANGES.TRANSPORT);
  }

  /** Computed on send when something it covers was set; what is assigned here is sent as it is. */
  get checksum(): number {
    return this.get16(CHECKSUM);
  }
  set checksum(value: number) {
    this.set16(CHECKSUM, checkInteger(value, 0xffff, 'tcp.checksum'), CHANGES.TRANSPORT_ASSIGNED);
  }

  get urgentPointer(): number {
    return this.get16(URGENT_POINTER);
  }
  set urgentPointer(value: number) {
    this.set16(URGENT_POINTER, checkInteger(value, 0xffff, 'tcp.urgentPointer'), CHANGES.TRANSPORT);
  }

  /** A copy. Options of the same length can be assigned. */
  get options(): Uint8Array {
    return this.copy(OPTIONS, this.headerLength);
  }
  set options(value: Uint8Array) {
    this.overwrite(OPTIONS, this.headerLength, value, 'tcp.options', CHANGES.TRANSPORT);
  }

  /** Bytes behind the header. */
  get payloadLength(): number {
    return Math.max(0, this.limit - this.start - this.headerLength);
  }
}
