/**
 * Verdicts, collected in one buffer and sent many to a system call. The kernel works each off
 * inside send(2): after a flush, they are done.
 *
 * Packets that are accepted as they are, one after the other and none before them undecided, make a
 * run: one message tells the kernel about all but the first of it. The first has its own, so that a
 * run whose beginning the kernel had given up is noticed.
 *
 * @module
 */
import { align4 } from '../netlink/attribute.ts';
import { NLM_F } from '../netlink/message.ts';
import { NF } from '../nftables/constants.ts';
import { check, isTransient, lastErrno, libc } from '../sys/libc.ts';
import { allocate, type Memory } from '../sys/memory.ts';
import { swap32 } from './byte-order.ts';
import { NFNL_SUBSYS_QUEUE, NFQA, NFQNL_MSG } from './constants.ts';

/** nlmsghdr 16, nfgenmsg 4, attribute header 4, struct nfqnl_msg_verdict_hdr 8 */
export const VERDICT_BYTES = 32;
/** Offset of the verdict in the message. */
export const VERDICT_CODE = 24;
/** Offset of the packet's id. */
export const VERDICT_ID = 28;
const SUBSYSTEM = NFNL_SUBSYS_QUEUE << 8;
const FLAGS = NLM_F.REQUEST << 16;
const ONE = SUBSYSTEM | NFQNL_MSG.VERDICT | FLAGS;
/** About every packet up to its id. The sequence number is the id of the first of them. */
const ALL_UP_TO = SUBSYSTEM | NFQNL_MSG.VERDICT_BATCH | FLAGS;
const VERDICT_ATTRIBUTE = (4 + 8) | (NFQA.VERDICT_HDR << 16);
/** A full buffer is flushed; it takes at least two packets of the largest size. */
const BUFFER_BYTES = 256 * 1024;

const MAX_TRIES = 100;

/** Verdict codes as they stand in memory, big endian. */
export const ACCEPTED: number = NF.ACCEPT << 24;
const DROP = NF.DROP << 24;

export class VerdictWriter {
  readonly #fd: number;
  readonly #buffer: Memory = allocate(BUFFER_BYTES);
  /** Family 0, version 0 and the queue number, as a little-endian word. */
  readonly #generic: number;
  #length = 0;
  #collected = 0;
  /** Every packet up to this id, in host order, has its verdict in the buffer or the kernel. */
  #decidedThrough = 0;
  /** Packets of the run that is not in the buffer yet. */
  #runLength = 0;
  #runFirst = 0;
  #runLast = 0;
  /** Verdicts that the kernel has. */
  sent = 0;

  constructor(fd: number, queueNumber: number) {
    this.#fd = fd;
    this.#generic = ((queueNumber & 0xff) << 24) | ((queueNumber >>> 8) << 16);
  }

  /** @param id packet id as it stands in memory, big endian */
  accept(id: number): void {
    if (!this.#isNext(id)) {
      this.#addOne(id, ACCEPTED, VERDICT_BYTES);
      return;
    }
    if (this.#runLength === 0) this.#runFirst = id;
    this.#runLength++;
    this.#runLast = id;
  }

  /**
   * Accepts everything that waits, up to a packet.
   *
   * @param lastId host byte order
   */
  acceptThrough(lastId: number): void {
    this.#endRun();
    const id = swap32(lastId);
    this.#add(ALL_UP_TO, id, id, ACCEPTED, VERDICT_BYTES);
  }

  drop(id: number): void {
    this.#isNext(id);
    this.#addOne(id, DROP, VERDICT_BYTES);
  }

  /**
   * Accepts a packet with other bytes, from the IP header on.
   *
   * @param bytes at most 65,531; copied here
   */
  acceptChanged(id: number, bytes: Uint8Array): void {
    this.#isNext(id);
    const start = this.#addOne(id, ACCEPTED, VERDICT_BYTES + 4 + bytes.length);
    const payload = start + VERDICT_BYTES;
    // The padding is part of the message but not of the attribute.
    this.#buffer.words[payload >> 2] = (4 + bytes.length) | (NFQA.PAYLOAD << 16);
    this.#buffer.bytes.set(bytes, payload + 4);
  }

  /** Verdicts given so far. */
  get decided(): number {
    return this.sent + this.#collected + this.#runLength;
  }

  /** Every packet that was read has its verdict, `lastId` being the last of them. */
  catchUp(lastId: number): void {
    this.#decidedThrough = swap32(lastId);
  }

  /**
   * Hands the verdicts over. What the kernel does not take stays for the next flush.
   *
   * @throws {@link SystemError} when the kernel does not take them
   */
  flush(): void {
    this.#endRun();
    this.#send();
  }

  #send(): void {
    if (this.#length === 0) return;
    let sent = libc.send(this.#fd, this.#buffer.address, this.#length, 0);
    for (let tries = 1; sent < 0 && tries < MAX_TRIES && isTransient(lastErrno()); tries++) {
      sent = libc.send(this.#fd, this.#buffer.address, this.#length, 0);
    }
    check(sent, 'send', 'send verdicts to NFQUEUE');
    this.#length = 0;
    this.sent += this.#collected;
    this.#collected = 0;
  }

  /** Whether this is the first packet without a verdict. It has one from now on. */
  #isNext(id: number): boolean {
    const next = (this.#decidedThrough + 1) | 0;
    if (swap32(id) !== next) return false;
    this.#decidedThrough = next;
    return true;
  }

  #endRun(): void {
    const length = this.#runLength;
    if (length === 0) return;
    this.#runLength = 0;
    this.#add(ONE, this.#runFirst, this.#runFirst, ACCEPTED, VERDICT_BYTES);
    this.#collected++;
    if (length === 1) return;
    const second = swap32((swap32(this.#runFirst) + 1) | 0);
    this.#add(ALL_UP_TO, second, this.#runLast, ACCEPTED, VERDICT_BYTES);
    this.#collected += length - 1;
  }

  /** Starts a message about one packet, behind the run, and returns its offset. */
  #addOne(id: number, verdict: number, lengthBytes: number): number {
    this.#endRun();
    this.#collected++;
    return this.#add(ONE, id, id, verdict, lengthBytes);
  }

  #add(type: number, first: number, id: number, verdict: number, lengthBytes: number): number {
    if (this.#length + align4(lengthBytes) > BUFFER_BYTES) this.#send();
    const start = this.#length;
    const { words } = this.#buffer;
    const word = start >> 2;
    words[word] = align4(lengthBytes);
    words[word + 1] = type;
    // The packet id as sequence number: the kernel's complaint about a verdict names its packet.
    words[word + 2] = first;
    words[word + 3] = 0;
    words[word + 4] = this.#generic;
    words[word + 5] = VERDICT_ATTRIBUTE;
    words[word + 6] = verdict;
    words[word + 7] = id;
    this.#length = start + align4(lengthBytes);
    return start;
  }
}
