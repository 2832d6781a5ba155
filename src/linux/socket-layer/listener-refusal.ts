/**
 * Ends listeners that a filter refuses: a program cannot keep a socket from listening without BPF LSM,
 * but until the listener is gone nobody gets in.
 *
 * @module
 */
import { SOCKET_EVENT } from '../../packet/event-layout.ts';
import type { BpfMap } from '../bpf/map.ts';
import { ERRNO } from '../sys/constants.ts';
import { SOCKET_PROTOCOL } from './context.ts';
import { SockDiag } from './sock-diag.ts';
import { BOUND, BOUND_KEY } from './state.ts';

const ADDRESS_WORDS = 4;
/** Of sockets that share a port (SO_REUSEPORT), each try finds one by chance. */
const TRIES_AMONG_SEVERAL = 256;
/** No socket has it. */
const NO_PORT_COOKIE = 0xffff_ffff_ffff_fffen;

export class ListenerRefusal {
  readonly #namespace: string | undefined;
  readonly #bound: BpfMap;
  readonly #key = new DataView(new ArrayBuffer(BOUND_KEY.BYTES));
  #sockets: SockDiag | undefined;

  /**
   * @param namespace whose listeners they are
   * @param bound the handle's map of ports
   */
  constructor(namespace: string | undefined, bound: BpfMap) {
    this.#namespace = namespace;
    this.#bound = bound;
  }

  /** Whether this kernel can end sockets (CONFIG_INET_DIAG_DESTROY). */
  isAvailable(): boolean {
    const errno = this.#open().destroy([0, 0xffff, 0, 0], 1, NO_PORT_COOKIE);
    return errno !== ERRNO.EOPNOTSUPP;
  }

  /** Ends the listener of a record. */
  refuse(record: DataView): void {
    const { LOCAL_ADDRESS, LOCAL_PORT, ENDPOINT_ID } = SOCKET_EVENT;
    const words = Array.from({ length: ADDRESS_WORDS }, (_, word) =>
      record.getUint32(LOCAL_ADDRESS + word * 4, true),
    );
    const port = record.getUint16(LOCAL_PORT, true);
    const cookie = record.getBigUint64(ENDPOINT_ID, true);
    const key = this.#encodeKey(words, port);
    const count = this.#count(key);
    const tries = count > 1 ? TRIES_AMONG_SEVERAL : 1;
    let errno: number = ERRNO.ENOENT;
    for (let seed = 0; seed < tries && errno === ERRNO.ENOENT; seed++) {
      errno = this.#open().destroy(words, port, cookie, seed);
    }
    // What could not be ended, although it is there, stays cut off.
    if (count > 1 && errno === 0) this.#leaveOthers(key);
    else if (count <= 1 && (errno === 0 || errno === ERRNO.ENOENT)) this.#bound.delete(key);
  }

  /** Idempotent. */
  close(): void {
    this.#sockets?.close();
    this.#sockets = undefined;
  }

  #open(): SockDiag {
    this.#sockets ??= new SockDiag(this.#namespace);
    return this.#sockets;
  }

  /** How many sockets listen there. */
  #count(key: Uint8Array): number {
    const value = this.#bound.lookup(key);
    return value ? new DataView(value.buffer, value.byteOffset).getUint32(BOUND.COUNT, true) : 0;
  }

  /** The other sockets of a port are not refused. The one that was is counted until it is closed. */
  #leaveOthers(key: Uint8Array): void {
    const value = this.#bound.lookup(key)?.slice();
    if (!value) return;
    new DataView(value.buffer).setUint32(BOUND.REFUSED, 0, true);
    this.#bound.update(key, value);
  }

  #encodeKey(words: readonly number[], port: number): Uint8Array {
    words.forEach((word, index) => {
      this.#key.setUint32(BOUND_KEY.ADDRESS + index * 4, word, true);
    });
    this.#key.setUint16(BOUND_KEY.PORT, port, true);
    this.#key.setUint16(BOUND_KEY.PROTOCOL, SOCKET_PROTOCOL.TCP, true);
    return new Uint8Array(this.#key.buffer);
  }
}
