/**
 * Two UDP sockets in two namespaces, driven by calls that the seam does not touch.
 *
 * @module
 */
import fs from 'node:fs';
import { CLONE_NEWNET, MSG, SOCKET } from '../../src/linux/sys/constants.ts';
import type { Network, NetworkEnd } from '../helpers/namespaces.ts';
import { real } from './seam.ts';

/** As they are before the seam is put in. */
const { closeSync, openSync, readFileSync } = fs;

/** Ports of the sockets in `a` and `b`. */
export const PORT = { a: 4001, b: 5005 } as const;

/** Runs something with this thread inside a namespace. */
export function inside<T>(end: NetworkEnd, action: () => T): T {
  const own = openSync('/proc/thread-self/ns/net', 'r');
  const target = openSync(end.path, 'r');
  try {
    if (real.setns(target, CLONE_NEWNET) !== 0) throw new Error(`cannot enter ${end.path}`);
    try {
      return action();
    } finally {
      // Never refused to who could leave.
      real.setns(own, CLONE_NEWNET);
    }
  } finally {
    closeSync(target);
    closeSync(own);
  }
}

/** A file of /proc/thread-self, as it is inside a namespace. */
export function readInside(end: NetworkEnd, file: string): string {
  return inside(end, () => {
    try {
      return readFileSync(`/proc/thread-self/${file}`, 'latin1');
    } catch {
      return '';
    }
  });
}

function address(ip: string, port: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, SOCKET.AF_INET, true);
  view.setUint16(2, port);
  bytes.set(ip.split('.').map(Number), 4);
  return bytes;
}

/** A UDP socket that is bound to one address and, when given, connected to another. */
export function udpSocket(end: NetworkEnd, from: [string, number], to?: [string, number]): number {
  const fd = inside(end, () =>
    real.socket(SOCKET.AF_INET, SOCKET.SOCK_DGRAM | SOCKET.SOCK_CLOEXEC, 0),
  );
  const own = address(...from);
  if (fd < 0) throw new Error('no socket');
  if (real.bind(fd, own, own.length) !== 0) {
    real.close(fd);
    throw new Error(`no socket on ${from.join(':')}`);
  }
  if (to === undefined) return fd;
  const peer = address(...to);
  if (real.connect(fd, peer, peer.length) !== 0) throw new Error(`no route to ${to.join(':')}`);
  return fd;
}

export class Wire {
  readonly #a: number;
  readonly #b: number;
  readonly #buffer = new Uint8Array(65536);

  constructor({ a, b }: Network) {
    this.#a = udpSocket(a, [a.ipv4, PORT.a], [b.ipv4, PORT.b]);
    this.#b = udpSocket(b, [b.ipv4, PORT.b], [a.ipv4, PORT.a]);
  }

  /** Sends datagrams from one end to the other. */
  send(from: 'a' | 'b', count: number): void {
    const payload = new Uint8Array(32);
    for (let index = 0; index < count; index++) {
      real.send(from === 'a' ? this.#a : this.#b, payload, payload.length, MSG.MSG_DONTWAIT);
    }
  }

  /** Takes what came in at an end. */
  take(at: 'a' | 'b'): number {
    const fd = at === 'a' ? this.#a : this.#b;
    let count = 0;
    while (real.recv(fd, this.#buffer, this.#buffer.length, MSG.MSG_DONTWAIT) >= 0) count++;
    return count;
  }

  [Symbol.dispose](): void {
    real.close(this.#a);
    real.close(this.#b);
  }
}
