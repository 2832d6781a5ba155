/**
 * Questions to and orders for the kernel about routes, addresses, devices and what hangs on them
 * (rtnetlink(7)).
 *
 * @module
 */
import { SystemError } from '../../errors.ts';
import { concat } from '../netlink/attribute.ts';
import { NLMSG, NLMSG_HEADER_BYTES } from '../netlink/message.ts';
import { receive } from '../netlink/socket.ts';
import { NETLINK, SOCKET } from '../sys/constants.ts';
import { check, errnoText, libc, retryTransient } from '../sys/libc.ts';
import { allocate, type Memory } from '../sys/memory.ts';

const NLM_F = { REQUEST: 0x1, ACK: 0x4, DUMP: 0x300, CREATE: 0x400 } as const;
const RECEIVE_BYTES = 65536;
const SOCKADDR_NL_BYTES = 12;

/** A message of an answer: its type and what is behind its header. */
export interface RouteMessage {
  readonly type: number;
  readonly payload: Uint8Array;
}

export class RouteSocket {
  readonly #fd: number;
  readonly #reply: Memory = allocate(RECEIVE_BYTES);

  /** Works in the namespace the thread is in. */
  constructor() {
    const { AF_NETLINK, SOCK_RAW, SOCK_CLOEXEC } = SOCKET;
    const type = SOCK_RAW | SOCK_CLOEXEC;
    const what = 'open a netlink socket';
    this.#fd = check(libc.socket(AF_NETLINK, type, NETLINK.NETLINK_ROUTE), 'socket', what);
    const kernel = allocate(SOCKADDR_NL_BYTES);
    kernel.view.setUint16(0, AF_NETLINK, true);
    try {
      check(libc.connect(this.#fd, kernel.bytes, SOCKADDR_NL_BYTES), 'connect', what);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The answer to a question; empty when there is none. */
  ask(type: number, parts: readonly Uint8Array[]): RouteMessage[] {
    return this.#exchange(type, 0, parts);
  }

  /** Everything of a kind. */
  dump(type: number, parts: readonly Uint8Array[]): RouteMessage[] {
    return this.#exchange(type, NLM_F.DUMP, parts);
  }

  /**
   * Has something made.
   *
   * @param operation what is being done, for the error message
   * @throws {@link SystemError} when the kernel refuses
   */
  create(operation: string, type: number, parts: readonly Uint8Array[]): void {
    for (const answer of this.#exchange(type, NLM_F.CREATE | NLM_F.ACK, parts)) {
      if (answer.type !== NLMSG.ERROR) continue;
      const { payload } = answer;
      const errno = -new DataView(payload.buffer, payload.byteOffset).getInt32(0, true);
      if (errno === 0) continue;
      throw new SystemError('sendmsg', errno, `Cannot ${operation}: ${errnoText(errno)}`);
    }
  }

  close(): void {
    libc.close(this.#fd);
  }

  /** The kernel has answered when send(2) returns, but for the rest of a dump. */
  #exchange(type: number, flags: number, parts: readonly Uint8Array[]): RouteMessage[] {
    const message = concat([new Uint8Array(NLMSG_HEADER_BYTES), ...parts]);
    const view = new DataView(message.buffer);
    view.setUint32(0, message.length, true);
    view.setUint16(4, type, true);
    view.setUint16(6, flags | NLM_F.REQUEST, true);
    const sent = retryTransient(() => libc.send(this.#fd, message, message.length, 0));
    check(sent, 'send', 'ask for routes and devices');
    const answers: RouteMessage[] = [];
    for (;;) {
      const { bytes } = this.#reply;
      const length = receive(this.#fd, bytes);
      if (length <= 0) return answers;
      collect(bytes.slice(0, length), answers);
      if (answers.at(-1)?.type === NLMSG.DONE) return answers;
    }
  }
}

function collect(datagram: Uint8Array, answers: RouteMessage[]): void {
  const view = new DataView(datagram.buffer);
  for (let at = 0; at + NLMSG_HEADER_BYTES <= datagram.length; ) {
    const length = view.getUint32(at, true);
    if (length < NLMSG_HEADER_BYTES || at + length > datagram.length) return;
    const payload = datagram.subarray(at + NLMSG_HEADER_BYTES, at + length);
    answers.push({ type: view.getUint16(at + 4, true), payload });
    at += (length + 3) & ~3;
  }
}
