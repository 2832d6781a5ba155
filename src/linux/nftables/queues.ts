/**
 * The kernel's list of NFQUEUE instances in a network namespace,
 * `/proc/net/netfilter/nfnetlink_queue`, kept open so that it can be read from outside later.
 *
 * @module
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { fileCall } from '../sys/file-error.ts';
import { withNamespace } from '../sys/namespace.ts';

const PATH = '/proc/thread-self/net/netfilter/nfnetlink_queue';

/** One line of the file. */
export interface QueueInstance {
  number: number;
  /** Packets that wait for a verdict, read or not. */
  waiting: number;
  /** Packets dropped because the queue had reached its maximum length. */
  queueDropped: number;
  /** Packets dropped because the receive buffer of the socket was full. */
  userDropped: number;
  /** Packets ever queued. */
  sequence: number;
}

export class QueueList {
  readonly #namespace: string | undefined;
  #fd: number | null = null;
  #isReadable = true;

  /** @param namespace path of the network namespace; undefined: the thread's own */
  constructor(namespace: string | undefined) {
    this.#namespace = namespace;
    this.#open();
  }

  /** false: only root may read the list, and this process is not. */
  get isReadable(): boolean {
    // What failed for want of memory or descriptors may do now.
    if (this.#fd === null) this.#open();
    return this.#isReadable;
  }

  read(): QueueInstance[] {
    if (this.#fd === null) this.#open();
    if (this.#fd === null) return [];
    const buffer = Buffer.alloc(65536);
    let length = 0;
    for (;;) {
      const count = this.#readPart(this.#fd, buffer, length);
      if (count === 0) break;
      length += count;
    }
    return buffer.toString('latin1', 0, length).split('\n').filter(Boolean).map(parseLine);
  }

  #readPart(fd: number, buffer: Uint8Array, position: number): number {
    const read = (): number => readSync(fd, buffer, position, buffer.length - position, position);
    try {
      return read();
    } catch {
      // The kernel had no memory for a moment, or a signal came in.
      return fileCall('read the list of queues', read);
    }
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  #open(): void {
    try {
      this.#fd = withNamespace(this.#namespace, () => openSync(PATH, 'r'));
      this.#isReadable = true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Without the file, nfnetlink_queue is not loaded yet: there are no queues.
      this.#isReadable = code === 'ENOENT';
    }
  }
}

function parseLine(line: string): QueueInstance {
  const [number = 0, , waiting = 0, , , queueDropped = 0, userDropped = 0, sequence = 0] = line
    .trim()
    .split(/\s+/)
    .map(Number);
  return { number, waiting, queueDropped, userDropped, sequence };
}
