/**
 * Local ends of datagram sockets that the kernel chose after the program had run.
 *
 * @module
 */
import { ADDRESS_FLAGS } from '../../packet/address.ts';
import { SOCKET_EVENT } from '../../packet/event-layout.ts';
import { SOCKET } from '../sys/constants.ts';
import { SOCKET_PROTOCOL } from './context.ts';
import { SOCKET_EVENT_NUMBER } from './event-number.ts';
import { type ListedSocket, SockDiag } from './sock-diag.ts';

/** The event may be read before `connect` has returned: the list is read again. */
const MAX_TRIES = 3;
/** Sockets whose local end is kept until they close; the oldest is forgotten. */
const MAX_KNOWN = 16_384;

export class LocalEnds {
  readonly #namespace: string | undefined;
  readonly #known = new Map<bigint, ListedSocket>();
  #sockets: SockDiag | undefined;

  /** @param namespace whose sockets they are */
  constructor(namespace: string | undefined) {
    this.#namespace = namespace;
  }

  /** Fills a record's local end in, where the socket still has one. */
  complete(record: DataView): void {
    const cookie = record.getBigUint64(SOCKET_EVENT.ENDPOINT_ID, true);
    const isClose = record.getUint8(SOCKET_EVENT.EVENT) === SOCKET_EVENT_NUMBER.close;
    const socket = isClose ? this.#known.get(cookie) : this.#find(cookie, record);
    if (isClose) this.#known.delete(cookie);
    if (!socket) return;
    socket.words.forEach((word, index) => {
      record.setUint32(SOCKET_EVENT.LOCAL_ADDRESS + index * 4, word, true);
    });
    record.setUint16(SOCKET_EVENT.LOCAL_PORT, socket.port, true);
    if (isSameAddress(record)) {
      const flags = record.getUint8(SOCKET_EVENT.FLAGS);
      record.setUint8(SOCKET_EVENT.FLAGS, flags | ADDRESS_FLAGS.LOOPBACK);
    }
  }

  /** Idempotent. */
  close(): void {
    this.#sockets?.close();
    this.#sockets = undefined;
  }

  #find(cookie: bigint, record: DataView): ListedSocket | undefined {
    const remotePort = record.getUint16(SOCKET_EVENT.REMOTE_PORT, true);
    this.#sockets ??= new SockDiag(this.#namespace);
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      for (const family of [SOCKET.AF_INET, SOCKET.AF_INET6]) {
        const listed = this.#sockets.list(family, SOCKET_PROTOCOL.UDP);
        const socket = listed.find((entry) => entry.cookie === cookie);
        if (socket && socket.remotePort === remotePort) return this.#keep(socket);
      }
    }
    return undefined;
  }

  #keep(socket: ListedSocket): ListedSocket {
    this.#known.delete(socket.cookie);
    this.#known.set(socket.cookie, socket);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_KNOWN) break;
      this.#known.delete(oldest);
    }
    return socket;
  }
}

function isSameAddress(record: DataView): boolean {
  const { LOCAL_ADDRESS, REMOTE_ADDRESS } = SOCKET_EVENT;
  for (let at = 0; at < 16; at += 4) {
    if (record.getUint32(LOCAL_ADDRESS + at) !== record.getUint32(REMOTE_ADDRESS + at))
      return false;
  }
  return true;
}
