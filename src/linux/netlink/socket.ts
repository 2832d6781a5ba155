/**
 * A netfilter netlink socket: requests with their acknowledgements, and dumps.
 *
 * The kernel works a request off inside send(2), so its replies are there when send returns
 * and nothing here ever waits.
 *
 * @module
 */
import { randomInt } from 'node:crypto';
import { close as closeFile } from 'node:fs';
import { NetlinkError, UnsupportedError } from '../../errors.ts';
import { ERRNO, MSG, NETLINK, OPTION, SOCKET } from '../sys/constants.ts';
import { check, errnoText, isTransient, lastErrno, libc, retryTransient } from '../sys/libc.ts';
import { allocate, type Memory } from '../sys/memory.ts';
import { concat } from './attribute.ts';
import {
  encodeMessage,
  type NetfilterMessage,
  NLM_F,
  NLMSG,
  parseAcknowledgement,
  parseReplies,
  type Reply,
} from './message.ts';

/** struct sockaddr_nl, and the offset of its port. */
const SOCKADDR_NL_BYTES = 12;
const SOCKADDR_NL_PORT = 4;
/** Ports from here up are no numbers of processes, which the kernel gives to sockets by itself. */
const FIRST_PORT = 0x8000_0000;
const PORTS = 0x7fff_ffff;
/** A reply datagram of the kernel is at most 32 KiB (NLMSG_GOODSIZE and dump buffers). */
const RECEIVE_BYTES = 65536;
/** sendto(2) refuses more than the send buffer; a rule set of ours is far below. */
const SEND_BUFFER_BYTES = 1 << 20;
/** A port that is taken, and an answer that could not be read for a moment: tried again so often. */
const MAX_TRIES = 100;

export class NetlinkSocket {
  readonly fd: number;
  readonly #receiveBuffer: Memory = allocate(RECEIVE_BYTES);
  #sequence = 1;
  #open = true;

  /** @throws {@link SystemError} when the process may open no more sockets */
  constructor() {
    const { AF_NETLINK, SOCK_RAW, SOCK_CLOEXEC } = SOCKET;
    this.fd = check(
      // Close-on-exec: a child that inherited the owner of a table would keep the table alive.
      libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK.NETLINK_NETFILTER),
      'socket',
      'open a netlink socket',
    );
    try {
      this.#connect();
    } catch (error) {
      libc.close(this.fd);
      throw error;
    }
    this.setOption(OPTION.SOL_NETLINK, OPTION.NETLINK_EXT_ACK, 1);
    this.setOption(OPTION.SOL_NETLINK, OPTION.NETLINK_CAP_ACK, 1);
    this.setOption(OPTION.SOL_SOCKET, OPTION.SO_SNDBUFFORCE, SEND_BUFFER_BYTES);
  }

  /**
   * A socket that closes gives its port back first, and then the kernel deletes the tables and queues of
   * that port: another's too, that got the port in between. So each socket has one of its own.
   */
  #connect(): void {
    const { view, bytes } = allocate(SOCKADDR_NL_BYTES);
    view.setUint16(0, SOCKET.AF_NETLINK, true);
    let result = -1;
    for (let tries = 0; result < 0 && tries < MAX_TRIES; tries++) {
      view.setUint32(SOCKADDR_NL_PORT, FIRST_PORT + randomInt(PORTS), true);
      result = libc.bind(this.fd, bytes, SOCKADDR_NL_BYTES);
      if (result < 0 && lastErrno() !== ERRNO.EADDRINUSE) break;
    }
    check(result, 'bind', 'bind a netlink socket');
    // The kernel itself has port 0.
    view.setUint32(SOCKADDR_NL_PORT, 0, true);
    check(libc.connect(this.fd, bytes, SOCKADDR_NL_BYTES), 'connect', 'connect a netlink socket');
  }

  /** Sets an integer socket option; a refusal is left to what depends on it. Returns whether it took. */
  setOption(level: number, name: number, value: number): boolean {
    const option = allocate(4);
    option.view.setInt32(0, value, true);
    return libc.setsockopt(this.fd, level, name, option.bytes, 4) === 0;
  }

  /**
   * Sends messages in one datagram and takes in the acknowledgements of those that asked for one.
   *
   * @param operation what is being done, for the error message
   * @throws {@link NetlinkError} the first refusal
   */
  request(operation: string, messages: readonly NetfilterMessage[]): void {
    const first = this.#send(operation, messages);
    let awaited = 0;
    for (const message of messages) if (message.flags & NLM_F.ACK) awaited++;
    let failure: NetlinkError | undefined;
    while (awaited > 0) {
      const replies = this.#receive();
      if (replies === null) break;
      for (const reply of replies) {
        if (reply.type !== NLMSG.ERROR || reply.sequence < first) continue;
        awaited--;
        failure ??= refusal(operation, reply);
      }
      // A batch that is refused as a whole is acknowledged once only.
      if (failure) break;
    }
    if (failure) {
      this.discard();
      throw failure;
    }
  }

  /**
   * Sends one request and collects the messages it answers with, up to the end of the dump.
   *
   * @throws {@link NetlinkError} when the kernel refuses
   */
  query(operation: string, message: NetfilterMessage): Uint8Array[] {
    const first = this.#send(operation, [message]);
    const answers: Uint8Array[] = [];
    for (let replies = this.#receive(); replies !== null; replies = this.#receive()) {
      const current = replies.filter((reply) => reply.sequence >= first);
      const end = current.findIndex((r) => r.type === NLMSG.DONE || r.type === NLMSG.ERROR);
      const last = current[end];
      const failure = last?.type === NLMSG.ERROR ? refusal(operation, last) : undefined;
      if (failure) throw failure;
      for (const reply of last ? current.slice(0, end) : current) {
        answers.push(reply.payload.slice());
      }
      if (last) break;
    }
    return answers;
  }

  /**
   * Resolves when the kernel is done. What goes with the socket, a queue or a table, takes it
   * some ten milliseconds, which the event loop does not wait for. Idempotent.
   */
  close(): Promise<void> {
    if (!this.#open) return Promise.resolve();
    this.#open = false;
    return new Promise((resolve) => closeFile(this.fd, () => resolve()));
  }

  /** The same at once, for who must not go on before. */
  closeNow(): void {
    if (!this.#open) return;
    this.#open = false;
    libc.close(this.fd);
  }

  /** Reads away what is there. */
  discard(): void {
    while (this.#receive() !== null);
  }

  #send(operation: string, messages: readonly NetfilterMessage[]): number {
    const first = this.#sequence;
    const bytes = concat(messages.map((message) => encodeMessage(message, this.#sequence++)));
    const sent = retryTransient(() => libc.send(this.fd, bytes, bytes.length, 0));
    check(sent, 'send', operation);
    return first;
  }

  #receive(): Reply[] | null {
    const buffer = this.#receiveBuffer.bytes;
    const length = receive(this.fd, buffer);
    if (length < 0) {
      const errno = lastErrno();
      if (errno === ERRNO.EAGAIN) return null;
      check(-1, 'recv', 'read from a netlink socket');
    }
    return parseReplies(buffer.subarray(0, length));
  }
}

/**
 * recv(2) without waiting. What the kernel was asked to do it has done already, so its answer is not
 * given up for a failure of a moment.
 *
 * @returns as recv(2); errno is EAGAIN when there is nothing
 */
export function receive(fd: number, buffer: Uint8Array): number {
  let length = libc.recv(fd, buffer, buffer.length, MSG.MSG_DONTWAIT);
  for (let tries = 1; length < 0 && tries < MAX_TRIES; tries++) {
    const errno = lastErrno();
    if (errno === ERRNO.EAGAIN || !isTransient(errno)) break;
    length = libc.recv(fd, buffer, buffer.length, MSG.MSG_DONTWAIT);
  }
  return length;
}

function refusal(operation: string, reply: Reply): NetlinkError | undefined {
  const { errno, detail, offset } = parseAcknowledgement(reply);
  if (errno === 0) return undefined;
  const said = detail ? ` (the kernel says: ${detail})` : '';
  return new NetlinkError(operation, errno, `Cannot ${operation}: ${errnoText(errno)}${said}`, {
    detail,
    offset,
  });
}

/** The error for a netlink request refused for want of a capability. */
export function needsNetAdmin(cause: unknown): UnsupportedError {
  return new UnsupportedError('CAP_NET_ADMIN', 'Intercepting packets needs CAP_NET_ADMIN.', {
    code: 'access-denied',
    cause,
    hint: 'Run as root, or give the process the capabilities CAP_NET_ADMIN and CAP_BPF (systemd: AmbientCapabilities=CAP_NET_ADMIN CAP_BPF).',
  });
}
