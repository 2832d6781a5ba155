/**
 * The protocol headers of windivert.h: accessors over a packet's bytes.
 *
 * As in C on Windows, numbers of more than one byte are read as they lie in memory, which is network
 * byte order: `WinDivertHelperNtohs(header.DstPort)` is the port.
 *
 * @module
 */
import { type Bit, Structure, setWordsAt, type Words, wordsAt } from './structure.ts';

const IP = {
  FIRST: 0,
  TOS: 1,
  LENGTH: 2,
  ID: 4,
  FRAG_OFF_0: 6,
  TTL: 8,
  PROTOCOL: 9,
  CHECKSUM: 10,
  SRC_ADDR: 12,
  DST_ADDR: 16,
  BYTES: 20,
} as const;

/** `WINDIVERT_IPHDR`. Flags and fragment offset: `WINDIVERT_IPHDR_GET_*` and `_SET_*`. */
export class WINDIVERT_IPHDR extends Structure {
  constructor(bytes: Uint8Array = new Uint8Array(IP.BYTES), offset = 0) {
    super(bytes, offset, IP.BYTES);
  }

  get HdrLength(): number {
    return this.getBits(IP.FIRST, 0, 4);
  }
  set HdrLength(value: number) {
    this.setBits(IP.FIRST, 0, 4, value);
  }
  get Version(): number {
    return this.getBits(IP.FIRST, 4, 4);
  }
  set Version(value: number) {
    this.setBits(IP.FIRST, 4, 4, value);
  }
  get TOS(): number {
    return this.view.getUint8(IP.TOS);
  }
  set TOS(value: number) {
    this.view.setUint8(IP.TOS, value);
  }
  get Length(): number {
    return this.view.getUint16(IP.LENGTH, true);
  }
  set Length(value: number) {
    this.view.setUint16(IP.LENGTH, value, true);
  }
  get Id(): number {
    return this.view.getUint16(IP.ID, true);
  }
  set Id(value: number) {
    this.view.setUint16(IP.ID, value, true);
  }
  get FragOff0(): number {
    return this.view.getUint16(IP.FRAG_OFF_0, true);
  }
  set FragOff0(value: number) {
    this.view.setUint16(IP.FRAG_OFF_0, value, true);
  }
  get TTL(): number {
    return this.view.getUint8(IP.TTL);
  }
  set TTL(value: number) {
    this.view.setUint8(IP.TTL, value);
  }
  get Protocol(): number {
    return this.view.getUint8(IP.PROTOCOL);
  }
  set Protocol(value: number) {
    this.view.setUint8(IP.PROTOCOL, value);
  }
  get Checksum(): number {
    return this.view.getUint16(IP.CHECKSUM, true);
  }
  set Checksum(value: number) {
    this.view.setUint16(IP.CHECKSUM, value, true);
  }
  get SrcAddr(): number {
    return this.view.getUint32(IP.SRC_ADDR, true);
  }
  set SrcAddr(value: number) {
    this.view.setUint32(IP.SRC_ADDR, value, true);
  }
  get DstAddr(): number {
    return this.view.getUint32(IP.DST_ADDR, true);
  }
  set DstAddr(value: number) {
    this.view.setUint32(IP.DST_ADDR, value, true);
  }
}

const IPV6 = {
  FIRST: 0,
  SECOND: 1,
  FLOW_LABEL_1: 2,
  LENGTH: 4,
  NEXT_HDR: 6,
  HOP_LIMIT: 7,
  SRC_ADDR: 8,
  DST_ADDR: 24,
  BYTES: 40,
} as const;

/** `WINDIVERT_IPV6HDR`. Traffic class and flow label: `WINDIVERT_IPV6HDR_GET_*` and `_SET_*`. */
export class WINDIVERT_IPV6HDR extends Structure {
  constructor(bytes: Uint8Array = new Uint8Array(IPV6.BYTES), offset = 0) {
    super(bytes, offset, IPV6.BYTES);
  }

  get TrafficClass0(): number {
    return this.getBits(IPV6.FIRST, 0, 4);
  }
  set TrafficClass0(value: number) {
    this.setBits(IPV6.FIRST, 0, 4, value);
  }
  get Version(): number {
    return this.getBits(IPV6.FIRST, 4, 4);
  }
  set Version(value: number) {
    this.setBits(IPV6.FIRST, 4, 4, value);
  }
  get FlowLabel0(): number {
    return this.getBits(IPV6.SECOND, 0, 4);
  }
  set FlowLabel0(value: number) {
    this.setBits(IPV6.SECOND, 0, 4, value);
  }
  get TrafficClass1(): number {
    return this.getBits(IPV6.SECOND, 4, 4);
  }
  set TrafficClass1(value: number) {
    this.setBits(IPV6.SECOND, 4, 4, value);
  }
  get FlowLabel1(): number {
    return this.view.getUint16(IPV6.FLOW_LABEL_1, true);
  }
  set FlowLabel1(value: number) {
    this.view.setUint16(IPV6.FLOW_LABEL_1, value, true);
  }
  get Length(): number {
    return this.view.getUint16(IPV6.LENGTH, true);
  }
  set Length(value: number) {
    this.view.setUint16(IPV6.LENGTH, value, true);
  }
  get NextHdr(): number {
    return this.view.getUint8(IPV6.NEXT_HDR);
  }
  set NextHdr(value: number) {
    this.view.setUint8(IPV6.NEXT_HDR, value);
  }
  get HopLimit(): number {
    return this.view.getUint8(IPV6.HOP_LIMIT);
  }
  set HopLimit(value: number) {
    this.view.setUint8(IPV6.HOP_LIMIT, value);
  }
  get SrcAddr(): Words {
    return wordsAt(this, IPV6.SRC_ADDR);
  }
  set SrcAddr(words: Iterable<number>) {
    setWordsAt(this, IPV6.SRC_ADDR, words);
  }
  get DstAddr(): Words {
    return wordsAt(this, IPV6.DST_ADDR);
  }
  set DstAddr(words: Iterable<number>) {
    setWordsAt(this, IPV6.DST_ADDR, words);
  }
}

const ICMP = { TYPE: 0, CODE: 1, CHECKSUM: 2, BODY: 4, BYTES: 8 } as const;

/** `WINDIVERT_ICMPHDR`. */
export class WINDIVERT_ICMPHDR extends Structure {
  constructor(bytes: Uint8Array = new Uint8Array(ICMP.BYTES), offset = 0) {
    super(bytes, offset, ICMP.BYTES);
  }

  get Type(): number {
    return this.view.getUint8(ICMP.TYPE);
  }
  set Type(value: number) {
    this.view.setUint8(ICMP.TYPE, value);
  }
  get Code(): number {
    return this.view.getUint8(ICMP.CODE);
  }
  set Code(value: number) {
    this.view.setUint8(ICMP.CODE, value);
  }
  get Checksum(): number {
    return this.view.getUint16(ICMP.CHECKSUM, true);
  }
  set Checksum(value: number) {
    this.view.setUint16(ICMP.CHECKSUM, value, true);
  }
  get Body(): number {
    return this.view.getUint32(ICMP.BODY, true);
  }
  set Body(value: number) {
    this.view.setUint32(ICMP.BODY, value, true);
  }
}

/** `WINDIVERT_ICMPV6HDR`: laid out as ICMP's. */
export const WINDIVERT_ICMPV6HDR: typeof WINDIVERT_ICMPHDR = WINDIVERT_ICMPHDR;
export type WINDIVERT_ICMPV6HDR = WINDIVERT_ICMPHDR;

const TCP = {
  SRC_PORT: 0,
  DST_PORT: 2,
  SEQ_NUM: 4,
  ACK_NUM: 8,
  HDR_LENGTH: 12,
  FLAGS: 13,
  WINDOW: 14,
  CHECKSUM: 16,
  URG_PTR: 18,
  BYTES: 20,
} as const;
const TCP_FLAGS = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32 } as const;

/** `WINDIVERT_TCPHDR`. */
export class WINDIVERT_TCPHDR extends Structure {
  constructor(bytes: Uint8Array = new Uint8Array(TCP.BYTES), offset = 0) {
    super(bytes, offset, TCP.BYTES);
  }

  get SrcPort(): number {
    return this.view.getUint16(TCP.SRC_PORT, true);
  }
  set SrcPort(value: number) {
    this.view.setUint16(TCP.SRC_PORT, value, true);
  }
  get DstPort(): number {
    return this.view.getUint16(TCP.DST_PORT, true);
  }
  set DstPort(value: number) {
    this.view.setUint16(TCP.DST_PORT, value, true);
  }
  get SeqNum(): number {
    return this.view.getUint32(TCP.SEQ_NUM, true);
  }
  set SeqNum(value: number) {
    this.view.setUint32(TCP.SEQ_NUM, value, true);
  }
  get AckNum(): number {
    return this.view.getUint32(TCP.ACK_NUM, true);
  }
  set AckNum(value: number) {
    this.view.setUint32(TCP.ACK_NUM, value, true);
  }
  get Reserved1(): number {
    return this.getBits(TCP.HDR_LENGTH, 0, 4);
  }
  set Reserved1(value: number) {
    this.setBits(TCP.HDR_LENGTH, 0, 4, value);
  }
  /** In units of 4 bytes. */
  get HdrLength(): number {
    return this.getBits(TCP.HDR_LENGTH, 4, 4);
  }
  set HdrLength(value: number) {
    this.setBits(TCP.HDR_LENGTH, 4, 4, value);
  }
  get Fin(): Bit {
    return this.getBit(TCP.FLAGS, TCP_FLAGS.FIN);
  }
  set Fin(value: boolean | number) {
    this.setBit(TCP.FLAGS, TCP_FLAGS.FIN, value);
  }
  get Syn(): Bit {
    return this.getBit(TCP.FLAGS, TCP_FLAGS.SYN);
  }
  set Syn(value: boolean | number) {
    this.setBit(TCP.FLAGS, TCP_FLAGS.SYN, value);
  }
  get Rst(): Bit {
    return this.getBit(TCP.FLAGS, TCP_FLAGS.RST);
  }
  set Rst(value: boolean | number) {
    this.setBit(TCP.FLAGS, TCP_FLAGS.RST, value);
  }
  get Psh(): Bit {
    return this.getBit(TCP.FLAGS, TCP_FLAGS.PSH);
  }
  set Psh(value: boolean | number) {
    this.setBit(TCP.FLAGS, TCP_FLAGS.PSH, value);
  }
  get Ack(): Bit {
    return this.getBit(TCP.FLAGS, TCP_FLAGS.ACK);
  }
  set Ack(value: boolean | number) {
    this.setBit(TCP.FLAGS, TCP_FLAGS.ACK, value);
  }
  get Urg(): Bit {
    return this.getBit(TCP.FLAGS, TCP_FLAGS.URG);
  }
  set Urg(value: boolean | number) {
    this.setBit(TCP.FLAGS, TCP_FLAGS.URG, value);
  }
  get Reserved2(): number {
    return this.getBits(TCP.FLAGS, 6, 2);
  }
  set Reserved2(value: number) {
    this.setBits(TCP.FLAGS, 6, 2, value);
  }
  get Window(): number {
    return this.view.getUint16(TCP.WINDOW, true);
  }
  set Window(value: number) {
    this.view.setUint16(TCP.WINDOW, value, true);
  }
  get Checksum(): number {
    return this.view.getUint16(TCP.CHECKSUM, true);
  }
  set Checksum(value: number) {
    this.view.setUint16(TCP.CHECKSUM, value, true);
  }
  get UrgPtr(): number {
    return this.view.getUint16(TCP.URG_PTR, true);
  }
  set UrgPtr(value: number) {
    this.view.setUint16(TCP.URG_PTR, value, true);
  }
}

const UDP = { SRC_PORT: 0, DST_PORT: 2, LENGTH: 4, CHECKSUM: 6, BYTES: 8 } as const;

/** `WINDIVERT_UDPHDR`. */
export class WINDIVERT_UDPHDR extends Structure {
  constructor(bytes: Uint8Array = new Uint8Array(UDP.BYTES), offset = 0) {
    super(bytes, offset, UDP.BYTES);
  }

  get SrcPort(): number {
    return this.view.getUint16(UDP.SRC_PORT, true);
  }
  set SrcPort(value: number) {
    this.view.setUint16(UDP.SRC_PORT, value, true);
  }
  get DstPort(): number {
    return this.view.getUint16(UDP.DST_PORT, true);
  }
  set DstPort(value: number) {
    this.view.setUint16(UDP.DST_PORT, value, true);
  }
  get Length(): number {
    return this.view.getUint16(UDP.LENGTH, true);
  }
  set Length(value: number) {
    this.view.setUint16(UDP.LENGTH, value, true);
  }
  get Checksum(): number {
    return this.view.getUint16(UDP.CHECKSUM, true);
  }
  set Checksum(value: number) {
    this.view.setUint16(UDP.CHECKSUM, value, true);
  }
}
