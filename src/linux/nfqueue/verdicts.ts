/**
 * Verdicts, collected in one buffer and sent many to a system call. The kernel works each off
 * inside send(2): after a flush, they are done.
 *
 * @module
 */
import { align4 } from '../netlink/attribute.ts';
import { NLM_F } from '../netlink/message.ts';
import { NF } from '../nftables/constants.ts';
import { ERRNO } from '../sys/constants.ts';
import { check, lastErrno, libc } from '../sys/libc.ts';
import { allocate, type Memory } from '../sys/memory.ts';
import { NFNL_SUBSYS_QUEUE, NFQA, NFQNL_MSG } from './constants.ts';

/** nlmsghdr 16, nfgenmsg 4, attribute header 4, struct nfqnl_msg_verdict_hdr 8 */
export const VERDICT_BYTES = 32;
/** Offset of the verdict in the message. */
export const VERDICT_CODE = 24;
const VERDICT_WORDS = VERDICT_BYTES / 4;
const MESSAGE_TYPE = (NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG.VERDICT;
const TYPE_AND_FLAGS = MESSAGE_TYPE | (NLM_F.REQUEST << 16);
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
  /** Verdicts that the kernel has. */
  sent = 0;

  constructor(fd: number, queueNumber: number) {
    this.#fd = fd;
    this.#generic = ((queueNumber & 0xff) << 24) | ((queueNumber >>> 8) << 16);
  }

  /** @param id packet id as it stands in memory, big endian */
  accept(id: number): void {
    this.#add(id, ACCEPTED, VERDICT_BYTES);
  }

  drop(id: number): void {
    this.#add(id, DROP, VERDICT_BYTES);
  }

  /**
   * Accepts a packet with other bytes, from the IP header on.
   *
   * @param bytes at most 65,531; copied here
   */
  acceptChanged(id: number, bytes: Uint8Array): void {
    const end = VERDICT_BYTES + 4 + bytes.length;
    const start = this.#add(id, ACCEPTED, end);
    const payload = start + VERDICT_BYTES;
    // The padding is part of the message but not of the attribute.
    this.#buffer.words[payload >> 2] = (4 + bytes.length) | (NFQA.PAYLOAD << 16);
    this.#buffer.bytes.set(bytes, payload + 4);
  }

  /**
   * Hands the verdicts over. What the kernel does not take stays for the next flush.
   *
   * @throws {@link SystemError} when the kernel does not take them
   */
  flush(): void {
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

  /** Starts a message and returns its offset. */
  #add(id: number, verdict: number, lengthBytes: number): number {
    if (this.#length + align4(lengthBytes) > BUFFER_BYTES) this.flush();
    const start = this.#length;
    const { words } = this.#buffer;
    const word = start >> 2;
    words[word] = align4(lengthBytes);
    words[word + 1] = TYPE_AND_FLAGS;
    // The packet id as sequence number: the kernel's complaint about a verdict names its packet.
    words[word + 2] = id;
    words[word + 3] = 0;
    words[word + 4] = this.#generic;
    words[word + 5] = VERDICT_ATTRIBUTE;
    words[word + 6] = verdict;
    words[word + VERDICT_WORDS - 1] = id;
    this.#length = start + align4(lengthBytes);
    this.#collected++;
    return start;
  }
}

/** The kernel had no memory for a moment, or a signal came in. */
function isTransient(errno: number): boolean {
  const { EAGAIN, EINTR, ENOBUFS, ENOMEM } = ERRNO;
  return errno === EAGAIN || errno === EINTR || errno === ENOBUFS || errno === ENOMEM;
}
