/**
 * Sockets of a network namespace as the kernel lists them (NETLINK_SOCK_DIAG, linux/inet_diag.h), and
 * their end (SOCK_DESTROY, Linux 4.5, CONFIG_INET_DIAG_DESTROY).
 *
 * @module
 */
import { NLM_F, NLMSG, parseReplies } from '../netlink/message.ts';
import { ERRNO, MSG, NETLINK, SOCKET } from '../sys/constants.ts';
import { check, lastErrno, libc } from '../sys/libc.ts';
import { allocate } from '../sys/memory.ts';
import { withNamespace } from '../sys/namespace.ts';
import { SOCKET_PROTOCOL } from './context.ts';

const SOCK_DIAG_BY_FAMILY = 20;
const SOCK_DESTROY = 21;

/** Offsets in a request: `struct nlmsghdr`, `struct inet_diag_req_v2`. */
const REQUEST = {
  LENGTH: 0,
  TYPE: 4,
  FLAGS: 6,
  FAMILY: 16,
  PROTOCOL: 17,
  STATES: 20,
  SPORT: 24,
  SRC: 28,
  DST: 44,
  COOKIE: 64,
  BYTES: 72,
} as const;
/** Offsets in `struct inet_diag_msg`. */
const ANSWER = {
  FAMILY: 0,
  STATE: 1,
  SPORT: 4,
  DPORT: 6,
  SRC: 8,
  COOKIE: 44,
  UID: 64,
  INODE: 68,
  BYTES: 72,
} as const;

const ALL_STATES = 0xffff_ffff;
const MAPPED_WORD = 0xffff;
const ADDRESS_WORDS = 4;
const RECEIVE_BYTES = 65_536;

/** A socket and its local end. */
export interface ListedSocket {
  readonly cookie: bigint;
  /** Words in host order, the least significant first; IPv4 as `::ffff:a.b.c.d`. */
  readonly words: readonly number[];
  readonly port: number;
  readonly remotePort: number;
  /** Of `net/tcp_states.h`. */
  readonly state: number;
  readonly userId: number;
  readonly inode: number;
}

/** A netlink socket for one namespace. */
export class SockDiag implements Disposable {
  readonly #fd: number;
  readonly #buffer = allocate(RECEIVE_BYTES);
  #isOpen = true;

  /** @param namespace as for {@link withNamespace} */
  constructor(namespace: string | undefined) {
    const { AF_NETLINK, SOCK_RAW, SOCK_CLOEXEC } = SOCKET;
    this.#fd = withNamespace(namespace, () =>
      check(
        libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK.NETLINK_SOCK_DIAG),
        'socket',
        'open a netlink socket for the list of sockets',
      ),
    );
  }

  /**
   * Lists sockets.
   *
   * @param states bit mask of `net/tcp_states.h`
   */
  list(family: number, protocol: number, states: number = ALL_STATES): ListedSocket[] {
    const request = header(SOCK_DIAG_BY_FAMILY, NLM_F.REQUEST | NLM_F.DUMP, family, protocol);
    request.view.setUint32(REQUEST.STATES, states, true);
    this.#send(request.bytes);
    const sockets: ListedSocket[] = [];
    for (;;) {
      const length = libc.recv(this.#fd, this.#buffer.bytes, RECEIVE_BYTES, MSG.MSG_DONTWAIT);
      if (length < 0) return sockets;
      for (const { type, payload } of parseReplies(this.#buffer.bytes.subarray(0, length))) {
        if (type === NLMSG.DONE || type === NLMSG.ERROR) return sockets;
        if (payload.length >= ANSWER.BYTES) sockets.push(parseSocket(payload));
      }
    }
  }

  /**
   * Ends a TCP socket as if its connection was reset; one that listens stops.
   *
   * @param words its local address
   * @param seed of sockets that share a port the kernel looks at one: another seed may find another one
   * @returns 0, or the errno: ENOENT when there is none, EOPNOTSUPP when the kernel cannot
   */
  destroy(words: readonly number[], port: number, cookie: bigint, seed = 0): number {
    const isIPv4 = words[1] === MAPPED_WORD && words[2] === 0 && words[3] === 0;
    const family = isIPv4 ? SOCKET.AF_INET : SOCKET.AF_INET6;
    const request = header(SOCK_DESTROY, NLM_F.REQUEST | NLM_F.ACK, family, SOCKET_PROTOCOL.TCP);
    const { view } = request;
    view.setUint32(REQUEST.STATES, ALL_STATES, true);
    view.setUint16(REQUEST.SPORT, port, false);
    const count = isIPv4 ? 1 : ADDRESS_WORDS;
    for (let word = 0; word < count; word++) {
      view.setUint32(REQUEST.SRC + (count - 1 - word) * 4, words[word] ?? 0, false);
    }
    // Which one of several it is, the kernel works out from the address of the other end.
    view.setUint32(REQUEST.DST, seed, true);
    view.setBigUint64(REQUEST.COOKIE, cookie, true);
    this.#send(request.bytes);
    const length = libc.recv(this.#fd, this.#buffer.bytes, RECEIVE_BYTES, MSG.MSG_DONTWAIT);
    if (length < 0) return lastErrno();
    const [reply] = parseReplies(this.#buffer.bytes.subarray(0, length));
    if (reply?.type !== NLMSG.ERROR) return ERRNO.EINVAL;
    return -new DataView(reply.payload.buffer, reply.payload.byteOffset).getInt32(0, true);
  }

  /** Idempotent. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    libc.close(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #send(bytes: Uint8Array): void {
    check(libc.send(this.#fd, bytes, bytes.length, 0), 'send', 'ask for sockets');
  }
}

function header(type: number, flags: number, family: number, protocol: number) {
  const memory = allocate(REQUEST.BYTES);
  const { view } = memory;
  view.setUint32(REQUEST.LENGTH, REQUEST.BYTES, true);
  view.setUint16(REQUEST.TYPE, type, true);
  view.setUint16(REQUEST.FLAGS, flags, true);
  view.setUint8(REQUEST.FAMILY, family);
  view.setUint8(REQUEST.PROTOCOL, protocol);
  return memory;
}

function parseSocket(bytes: Uint8Array): ListedSocket {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isIPv4 = view.getUint8(ANSWER.FAMILY) === SOCKET.AF_INET;
  const wordAt = (index: number): number => view.getUint32(ANSWER.SRC + index * 4, false);
  return {
    cookie: view.getBigUint64(ANSWER.COOKIE, true),
    words: isIPv4 ? [wordAt(0), MAPPED_WORD, 0, 0] : [wordAt(3), wordAt(2), wordAt(1), wordAt(0)],
    port: view.getUint16(ANSWER.SPORT, false),
    remotePort: view.getUint16(ANSWER.DPORT, false),
    state: view.getUint8(ANSWER.STATE),
    userId: view.getUint32(ANSWER.UID, true),
    inode: view.getUint32(ANSWER.INODE, true),
  };
}
