/**
 * Two joined datagram sockets: one end for a reader that expects the kernel.
 *
 * @module
 */

import koffi from 'koffi';
import { check, libc } from '../../src/linux/sys/libc.ts';
import { allocate } from '../../src/linux/sys/memory.ts';

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;

const socketpair = koffi.load(null).func('socketpair', 'int', ['int', 'int', 'int', 'void *']) as (
  domain: number,
  type: number,
  protocol: number,
  pair: Uint8Array,
) => number;

export class DatagramPair implements Disposable {
  readonly readingFd: number;
  readonly #writingFd: number;

  constructor() {
    const pair = allocate(8);
    check(socketpair(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0, pair.bytes), 'socketpair', 'join two sockets');
    this.readingFd = pair.words[0] ?? -1;
    this.#writingFd = pair.words[1] ?? -1;
  }

  send(message: Uint8Array): void {
    check(libc.send(this.#writingFd, message, message.length, 0), 'send', 'write to a socket');
  }

  [Symbol.dispose](): void {
    libc.close(this.readingFd);
    libc.close(this.#writingFd);
  }
}
