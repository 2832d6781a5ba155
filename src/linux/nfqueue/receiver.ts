/**
 * Reads queue messages in batches into pooled slots.
 *
 * @module
 */
import type { Slot } from '../../divert/slot.ts';
import { ADDRESS_FLAGS } from '../../packet/address.ts';
import { isInjectedMark } from '../inject/mark.ts';
import { align4 } from '../netlink/attribute.ts';
import { NFGEN_HEADER_BYTES, NLMSG, NLMSG_HEADER_BYTES } from '../netlink/message.ts';
import { NF_INET, NFPROTO } from '../nftables/constants.ts';
import { ERRNO, LOOPBACK_IFINDEX, MSG } from '../sys/constants.ts';
import { check, lastErrno, libc } from '../sys/libc.ts';
import { swap32 } from './byte-order.ts';
import { CHUNK_SLOTS, Chunk, STRIDE_BYTES } from './chunk.ts';
import { NFNL_SUBSYS_QUEUE, NFQA, NFQA_SKB, NFQNL_MSG } from './constants.ts';
import { ACCEPTED, VERDICT_BYTES, VERDICT_CODE, VERDICT_ID } from './verdicts.ts';

const PACKET_MESSAGE = (NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG.PACKET;
const BATCH_MESSAGE = (NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG.VERDICT_BATCH;
const FIRST_ATTRIBUTE = NLMSG_HEADER_BYTES + NFGEN_HEADER_BYTES;
/** Offset of the errno in an NLMSG_ERROR message; the message it is about follows. */
const ERROR_CODE = 16;
const ERROR_MESSAGE = 20;
/** Offset of `hook` in struct nfqnl_msg_packet_hdr. */
const PACKET_HDR_HOOK = 6;
const NLA_TYPE_MASK = 0x3fff;
const IPV4_TOTAL_LENGTH = 2;
const IPV6_PAYLOAD_LENGTH = 4;
const LONGEST_LENGTH_FIELD = 0xffff;
/** Free chunks kept: two turns worth, so that a steady load touches no new pages. */
const SPARE_CHUNKS = 6;

const CHECKSUMS_VALID =
  ADDRESS_FLAGS.IP_CHECKSUM | ADDRESS_FLAGS.TCP_CHECKSUM | ADDRESS_FLAGS.UDP_CHECKSUM;

export class QueueReceiver {
  readonly #fd: number;
  #current: Chunk;
  readonly #spare: Chunk[] = [];
  // Scratch of the message being read: fields, because an object per packet would be garbage.
  #hook = 0;
  #inputInterface = 0;
  #outputInterface = 0;
  #mark = 0;
  /** NFQA_SKB bits. */
  #state = 0;
  /** Of the last packet, as it stands in memory. */
  #lastId = 0;
  /** Packets read. */
  packets = 0;
  /** Accepted packets that the kernel had forgotten already (ENOENT). */
  lateVerdicts = 0;
  /** Of those, with other bytes. */
  lateChanged = 0;

  constructor(fd: number) {
    this.#fd = fd;
    this.#current = this.#newChunk();
  }

  /** Id of the last packet read, as it stands in memory. */
  get lastId(): number {
    return this.#lastId;
  }

  /** Packets that the kernel numbered but did not get into the socket, up to the last one read. */
  get skipped(): number {
    return (swap32(this.#lastId) >>> 0) - this.packets;
  }

  /**
   * One recvmmsg(2).
   *
   * @param sink called for each packet; the slot is the callee's until released
   * @returns number of messages read; fewer than asked for means that the socket is empty
   */
  read(timestampNs: bigint, sink: (slot: Slot) => void): number {
    const chunk = this.#chunkWithRoom();
    const first = chunk.used;
    const room = CHUNK_SLOTS - first;
    const count = libc.recvmmsg(this.#fd, chunk.headersAt(first), room, MSG.MSG_DONTWAIT, null);
    if (count < 0) return this.#explainFailure();
    chunk.used += count;
    // One more than there are packets, so that a sink that releases at once does not free
    // the chunk while it is being walked.
    chunk.live += 1;
    for (let index = first; index < first + count; index++) {
      const slot = chunk.slots[index];
      if (slot && this.#parse(chunk, index, slot)) {
        chunk.live++;
        this.packets++;
        this.#lastId = slot.id;
        slot.timestampNs = timestampNs;
        slot.undecided = true;
        sink(slot);
      }
    }
    chunk.release();
    return count === room ? CHUNK_SLOTS : count;
  }

  #chunkWithRoom(): Chunk {
    if (this.#current.used === CHUNK_SLOTS) this.#current = this.#spare.pop() ?? this.#newChunk();
    return this.#current;
  }

  #newChunk(): Chunk {
    return new Chunk((chunk) => {
      chunk.used = 0;
      if (chunk !== this.#current && this.#spare.length < SPARE_CHUNKS) this.#spare.push(chunk);
    });
  }

  #explainFailure(): number {
    const errno = lastErrno();
    if (errno === ERRNO.EAGAIN || errno === ERRNO.EINTR || errno === ERRNO.ENOBUFS) return 0;
    return check(-1, 'recvmmsg', 'read packets from NFQUEUE');
  }

  /** Fills the slot from message `index`; false when it is not a packet. */
  #parse(chunk: Chunk, index: number, slot: Slot): boolean {
    const { halves, bytes } = chunk.memory;
    const base = index * STRIDE_BYTES;
    const end = base + chunk.messageLength(index);
    if (halves[(base + 4) >> 1] !== PACKET_MESSAGE) {
      this.#countComplaint(chunk, base);
      return false;
    }
    this.#readAttributes(chunk, base + FIRST_ATTRIBUTE, end, slot);
    if (slot.originalLength === 0) slot.originalLength = slot.length;
    if (slot.originalLength > LONGEST_LENGTH_FIELD) sayLongest(bytes, slot.offset);
    const outbound = this.#hook === NF_INET.LOCAL_OUT;
    const outputInterface = this.#outputInterface;
    slot.interfaceIndex = outbound ? outputInterface : this.#inputInterface;
    slot.isLarge = (this.#state & NFQA_SKB.GSO) !== 0;
    slot.isUnverified = (this.#state & NFQA_SKB.CSUM_NOTVERIFIED) !== 0;
    slot.flags =
      (this.#state & NFQA_SKB.CSUMNOTREADY) === 0 ? CHECKSUMS_VALID : ADDRESS_FLAGS.IP_CHECKSUM;
    if (outbound) slot.flags |= ADDRESS_FLAGS.OUTBOUND;
    if (outbound && outputInterface === LOOPBACK_IFINDEX) slot.flags |= ADDRESS_FLAGS.LOOPBACK;
    if (bytes[base + NLMSG_HEADER_BYTES] === NFPROTO.IPV6) slot.flags |= ADDRESS_FLAGS.IPV6;
    if (isInjectedMark(this.#mark)) slot.flags |= ADDRESS_FLAGS.IMPOSTOR;
    return true;
  }

  #readAttributes(chunk: Chunk, start: number, end: number, slot: Slot): void {
    const { halves, words, bytes } = chunk.memory;
    slot.length = 0;
    slot.originalLength = 0;
    this.#inputInterface = 0;
    this.#outputInterface = 0;
    this.#mark = 0;
    this.#state = 0;
    for (let at = start; at + 4 <= end; ) {
      const length = halves[at >> 1] ?? 0;
      if (length < 4 || at + length > end) break;
      switch ((halves[(at >> 1) + 1] ?? 0) & NLA_TYPE_MASK) {
        case NFQA.PACKET_HDR:
          slot.id = words[(at + 4) >> 2] ?? 0;
          this.#hook = bytes[at + 4 + PACKET_HDR_HOOK] ?? 0;
          break;
        case NFQA.MARK:
          this.#mark = swap32(words[(at + 4) >> 2] ?? 0);
          break;
        case NFQA.IFINDEX_INDEV:
          this.#inputInterface = swap32(words[(at + 4) >> 2] ?? 0);
          break;
        case NFQA.IFINDEX_OUTDEV:
          this.#outputInterface = swap32(words[(at + 4) >> 2] ?? 0);
          break;
        case NFQA.PAYLOAD:
          slot.offset = at + 4;
          slot.length = length - 4;
          break;
        case NFQA.CAP_LEN:
          slot.originalLength = swap32(words[(at + 4) >> 2] ?? 0);
          break;
        case NFQA.SKB_INFO:
          this.#state = swap32(words[(at + 4) >> 2] ?? 0);
          break;
      }
      at += align4(length);
    }
  }

  #countComplaint(chunk: Chunk, base: number): void {
    if (chunk.memory.halves[(base + 4) >> 1] !== NLMSG.ERROR) return;
    const errno = -chunk.memory.view.getInt32(base + ERROR_CODE, true);
    if (errno !== ERRNO.ENOENT) return;
    const message = base + ERROR_MESSAGE;
    const { words } = chunk.memory;
    // That a packet to be dropped is gone already is no loss.
    if (words[(message + VERDICT_CODE) >> 2] !== ACCEPTED) return;
    this.lateVerdicts += packetsOf(chunk, message);
    if ((words[message >> 2] ?? 0) > VERDICT_BYTES) this.lateChanged++;
  }
}

/** Of how many packets a verdict is. */
function packetsOf(chunk: Chunk, message: number): number {
  const { halves, words } = chunk.memory;
  if (halves[(message + 4) >> 1] !== BATCH_MESSAGE) return 1;
  const first = swap32(words[(message + 8) >> 2] ?? 0);
  const last = swap32(words[(message + VERDICT_ID) >> 2] ?? 0);
  return last - first + 1;
}

/**
 * The header of a super-packet over 64 KB says length 0. The copy that we have gets the longest there is,
 * so that it reads as the beginning of a long packet.
 */
function sayLongest(bytes: Uint8Array, offset: number): void {
  const isIPv6 = (bytes[offset] ?? 0) >> 4 === 6;
  const at = offset + (isIPv6 ? IPV6_PAYLOAD_LENGTH : IPV4_TOTAL_LENGTH);
  if (bytes[at] === 0 && bytes[at + 1] === 0) bytes.fill(0xff, at, at + 2);
}
