/**
 * What a socket says of itself.
 *
 * @module
 */
import { IPPROTO } from '../../packet/layout.ts';
import { OPTION, SOCKET } from '../sys/constants.ts';
import { libc } from '../sys/libc.ts';
import { allocate } from '../sys/memory.ts';
import type { RemoteEnd } from './proc-net.ts';
import { SOCKET_FLAGS, SOCKET_RECORD } from './socket-record.ts';

/** Offsets in `struct sockaddr_in` and `sockaddr_in6` (netinet/in.h). */
const SOCKADDR = { PORT: 2, IP4: 4, IP6: 8, BYTES: 28 } as const;
const MAPPED_WORD = 0xffff;

/** Fills records; allocates nothing per socket. */
export class SocketInspector {
  readonly #record = allocate(SOCKET_RECORD.BYTES);
  readonly #value = allocate(SOCKADDR.BYTES);
  readonly #length = allocate(4);

  /**
   * @param remote its other end, where it has one
   * @returns the record without its process, valid until the next call; null when it is no IP socket,
   * or the kernel is older than 5.14
   */
  inspect(fd: number, remote: RemoteEnd | null): Uint8Array | null {
    const { SO_DOMAIN, SO_PROTOCOL, SO_COOKIE, SO_NETNS_COOKIE } = OPTION;
    const family = this.#number(fd, SO_DOMAIN);
    if (family !== SOCKET.AF_INET && family !== SOCKET.AF_INET6) return null;
    const { bytes, view } = this.#record;
    bytes.fill(0);
    if (!this.#read(fd, SO_COOKIE, 8)) return null;
    bytes.set(this.#value.bytes.subarray(0, 8), SOCKET_RECORD.COOKIE);
    if (!this.#read(fd, SO_NETNS_COOKIE, 8)) return null;
    bytes.set(this.#value.bytes.subarray(0, 8), SOCKET_RECORD.NETNS_COOKIE);
    const protocol = this.#number(fd, SO_PROTOCOL);
    const now = process.hrtime.bigint();
    view.setBigUint64(SOCKET_RECORD.OWNER_SINCE, now, true);
    view.setBigUint64(SOCKET_RECORD.CREATED, now, true);
    view.setUint32(SOCKET_RECORD.FAMILY, family, true);
    view.setUint32(SOCKET_RECORD.PROTOCOL, protocol, true);
    this.#readEnds(fd, protocol, remote);
    return bytes;
  }

  #readEnds(fd: number, protocol: number, remote: RemoteEnd | null): void {
    const { view } = this.#record;
    const { LOCAL_ADDRESS, LOCAL_PORT, REMOTE_ADDRESS, REMOTE_PORT } = SOCKET_RECORD;
    const { BOUND, CONNECTED, ESTABLISHED, LISTENING, ON_DEVICE } = SOCKET_FLAGS;
    let flags = 0;
    if (this.#readName(fd)) {
      this.#readAddress(LOCAL_ADDRESS, LOCAL_PORT);
      if (view.getUint16(LOCAL_PORT, true) !== 0) flags |= BOUND;
    }
    if (this.#number(fd, OPTION.SO_ACCEPTCONN) === 1) flags |= LISTENING;
    else if (remote !== null && remote.port !== 0) {
      remote.address.forEach((word, index) => {
        view.setUint32(REMOTE_ADDRESS + 4 * index, word, true);
      });
      view.setUint16(REMOTE_PORT, remote.port, true);
      flags |= protocol === IPPROTO.TCP ? CONNECTED | ESTABLISHED : CONNECTED;
    }
    if (this.#number(fd, OPTION.SO_BINDTOIFINDEX) > 0) flags |= ON_DEVICE;
    view.setUint32(SOCKET_RECORD.FLAGS, flags, true);
  }

  /** From a `sockaddr` to words and a port. */
  #readAddress(address: number, port: number): void {
    const from = this.#value.view;
    const { view } = this.#record;
    const isIPv4 = from.getUint16(0, true) === SOCKET.AF_INET;
    view.setUint16(port, from.getUint16(SOCKADDR.PORT), true);
    if (isIPv4) {
      view.setUint32(address, from.getUint32(SOCKADDR.IP4), true);
      view.setUint32(address + 4, MAPPED_WORD, true);
      return;
    }
    for (let word = 0; word < 4; word++) {
      view.setUint32(address + 4 * word, from.getUint32(SOCKADDR.IP6 + 4 * (3 - word)), true);
    }
  }

  #readName(fd: number): boolean {
    this.#length.view.setUint32(0, SOCKADDR.BYTES, true);
    return libc.getsockname(fd, this.#value.bytes, this.#length.bytes) === 0;
  }

  /** A 32-bit option, or -1. */
  #number(fd: number, option: number): number {
    return this.#read(fd, option, 4) ? this.#value.view.getInt32(0, true) : -1;
  }

  #read(fd: number, option: number, bytes: number): boolean {
    this.#length.view.setUint32(0, bytes, true);
    const { SOL_SOCKET } = OPTION;
    return libc.getsockopt(fd, SOL_SOCKET, option, this.#value.bytes, this.#length.bytes) === 0;
  }
}
