/**
 * What the kernel counts for one NFQUEUE.
 *
 * @module
 */
import { type QueueInstance, QueueList } from '../nftables/queues.ts';

/** An open queue, as its reader sees it. */
export interface QueueEnd {
  /** Of its socket. */
  readonly fd: number;
  readonly number: number;
  readonly counters: QueueCounters;
  /** The kernel drops what still waits: it was never read. Idempotent. */
  close(): Promise<void>;
}

export class QueueCounters {
  readonly #number: number;
  readonly #list: QueueList;
  #last: QueueInstance | undefined;
  #closed = false;
  #wasReadable = true;
  #isWaitingLost = true;

  /** @param namespace path of the network namespace */
  constructor(number: number, namespace: string | undefined) {
    this.#number = number;
    this.#list = new QueueList(namespace);
  }

  /** Whether the kernel lets us read them. */
  get isReadable(): boolean {
    return this.#closed ? this.#wasReadable : this.#list.isReadable;
  }

  /** Number of packets ever queued: the id of the last one. */
  lastId(): number {
    return this.#read()?.sequence ?? 0;
  }

  /** Packets without a verdict, read or not. */
  waiting(): number {
    return this.#closed ? 0 : (this.#read()?.waiting ?? 0);
  }

  /** Packets the kernel dropped because this queue or its socket was full, or unread at the end. */
  drops(): { queueDropped: number; userDropped: number } {
    const { queueDropped = 0, userDropped = 0, waiting = 0 } = this.#read() ?? {};
    const isLost = this.#closed && this.#isWaitingLost;
    return { queueDropped: isLost ? queueDropped + waiting : queueDropped, userDropped };
  }

  /**
   * The queue is about to be closed: what is counted now stays readable. Idempotent.
   *
   * @param isWaitingLost the kernel drops what still waits
   */
  close(isWaitingLost = true): void {
    if (this.#closed) return;
    this.#isWaitingLost = isWaitingLost;
    this.#wasReadable = this.#list.isReadable;
    try {
      this.#read();
    } catch {
      // What was read last stays.
    }
    this.#closed = true;
    this.#list.close();
  }

  /** At the last moment once closed. */
  #read(): QueueInstance | undefined {
    if (this.#closed) return this.#last;
    const instances = this.#list.read();
    this.#last = instances.find(({ number }) => number === this.#number) ?? this.#last;
    return this.#last;
  }
}
