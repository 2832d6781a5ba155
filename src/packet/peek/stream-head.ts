/**
 * The first bytes of a connection, which may come in several segments, in any order.
 *
 * @module
 */
import type { Packet } from '../packet.ts';

/** What a request or a ClientHello is looked for in; neither is longer. */
const HEAD_BYTES_MAX = 65_536;

/**
 * Puts the first bytes of one direction of a TCP connection together, so that a request or a
 * ClientHello that is spread over segments can be read.
 *
 * @example
 * const head = new StreamHead();
 * head.add(packet); // each packet of the direction, from the SYN on
 * tlsServerName(head.bytes);
 */
export class StreamHead {
  #first: number | null = null;
  #bytes: Uint8Array = new Uint8Array(0);
  /** Segments that are ahead of what is there: their offset, and their bytes. */
  #ahead: { at: number; bytes: Uint8Array }[] = [];

  /** What is there without a gap, from the first byte on. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** No more is taken: 64 KB are there. */
  get isFull(): boolean {
    return this.#bytes.length >= HEAD_BYTES_MAX;
  }

  /**
   * Takes a segment's payload, a copy of it. Without the connection's SYN, the first segment counts
   * as its beginning.
   *
   * @returns whether `bytes` grew
   */
  add(packet: Packet): boolean {
    const { tcp } = packet;
    if (!tcp) return false;
    const isSyn = tcp.syn;
    const sequence = (tcp.sequenceNumber + (isSyn ? 1 : 0)) >>> 0;
    if (isSyn || this.#first === null) this.#first = sequence;
    const at = (sequence - this.#first) | 0;
    const payload = packet.readPayload();
    const end = at + payload.length;
    if (payload.length === 0 || end <= this.#bytes.length || at >= HEAD_BYTES_MAX) return false;
    const pending = this.#ahead.reduce((sum, { bytes }) => sum + bytes.length, 0);
    if (at > this.#bytes.length) {
      if (pending + payload.length <= HEAD_BYTES_MAX) {
        this.#ahead.push({ at, bytes: payload.slice() });
      }
      return false;
    }
    this.#append(payload.subarray(this.#bytes.length - at));
    this.#catchUp();
    return true;
  }

  #append(bytes: Uint8Array): void {
    const added = bytes.subarray(0, HEAD_BYTES_MAX - this.#bytes.length);
    const joined = new Uint8Array(this.#bytes.length + added.length);
    joined.set(this.#bytes);
    joined.set(added, this.#bytes.length);
    this.#bytes = joined;
  }

  #catchUp(): void {
    this.#ahead.sort((one, other) => one.at - other.at);
    for (let next = this.#ahead[0]; next; next = this.#ahead[0]) {
      if (next.at > this.#bytes.length) return;
      this.#ahead.shift();
      const known = this.#bytes.length - next.at;
      if (known < next.bytes.length) this.#append(next.bytes.subarray(known));
    }
  }
}
