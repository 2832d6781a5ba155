/**
 * One NFQUEUE: its socket, number and settings.
 *
 * @module
 */
import { NetlinkError, UnsupportedError } from '../../errors.ts';
import { attribute, uint32be } from '../netlink/attribute.ts';
import { NLM_F } from '../netlink/message.ts';
import { NetlinkSocket, needsNetAdmin } from '../netlink/socket.ts';
import { QueueList } from '../nftables/queues.ts';
import { ERRNO, OPTION } from '../sys/constants.ts';
import { withNamespace } from '../sys/namespace.ts';
import {
  MAX_COPY_BYTES,
  NFNL_SUBSYS_QUEUE,
  NFQA_CFG,
  NFQA_CFG_F,
  NFQNL_CFG_CMD_BIND,
  NFQNL_COPY_PACKET,
  NFQNL_MSG,
} from './constants.ts';
import { QueueCounters, type QueueEnd } from './queue-counters.ts';

/** Most queues in a row. */
export const MAX_QUEUES = 256;

/**
 * Numbers are taken from the upper half: rules that people write by hand count from 0,
 * and would feed our queue.
 */
const FIRST_NUMBER = 32768;
/** Some at the end are left for rows that begin at the last of these. */
const NUMBERS = 32768 - MAX_QUEUES;
/** A message of a 64-byte packet is charged some 830 bytes: room for about 80,000 of them. */
const RECEIVE_BUFFER_BYTES = 64 << 20;
/** Packets the kernel lets wait, read or not; more than a handle holds by its own limits. */
const KERNEL_QUEUE_LENGTH = 65536;

/** Rows of numbers that are tried. */
const MAX_TRIES = 100;

export interface QueueOptions {
  /** Path of the network namespace. */
  namespace: string | undefined;
  /** A full queue lets packets pass instead of dropping them. */
  failOpen: boolean;
  /** Super-packets come whole, not as the segments they are sent in. */
  largePackets: boolean;
}

export class Queue implements QueueEnd {
  readonly number: number;
  readonly counters: QueueCounters;
  readonly #socket: NetlinkSocket;

  /**
   * Binds a free queue number.
   *
   * @param number the one to bind; else any that is free
   * @throws {@link UnsupportedError} without CAP_NET_ADMIN or without nfnetlink_queue
   * @throws {@link NetlinkError} EBUSY when `number` is taken
   */
  constructor(options: QueueOptions, number?: number) {
    const socket = withNamespace(options.namespace, () => new NetlinkSocket());
    this.#socket = socket;
    try {
      const { SOL_SOCKET, SO_RCVBUFFORCE, SO_RCVBUF, SOL_NETLINK } = OPTION;
      const { NETLINK_NO_ENOBUFS, NETLINK_CAP_ACK } = OPTION;
      if (!socket.setOption(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)) {
        socket.setOption(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
      }
      // Losses are counted by the kernel per queue; as an error they would only cost a read.
      socket.setOption(SOL_NETLINK, NETLINK_NO_ENOBUFS, 1);
      if (number !== undefined) this.#bind(number);
      this.number = number ?? this.#bindFreeNumber(options.namespace);
      this.#configure(options);
      // A complaint about a verdict shall tell which one.
      socket.setOption(SOL_NETLINK, NETLINK_CAP_ACK, 0);
      this.counters = new QueueCounters(this.number, options.namespace);
    } catch (error) {
      // While there is a queue, the table of the rules would be left for its sake.
      socket.closeNow();
      throw explain(error);
    }
  }

  get fd(): number {
    return this.#socket.fd;
  }

  /** Reads away what waits: nobody else will. The kernel drops it when the queue is closed. */
  discard(): void {
    this.#socket.discard();
  }

  close(): Promise<void> {
    this.counters.close();
    return this.#socket.close();
  }

  /** The same at once. */
  closeNow(): void {
    this.counters.close();
    this.#socket.closeNow();
  }

  #bindFreeNumber(namespace: string | undefined): number {
    const list = new QueueList(namespace);
    const taken = new Set<number>();
    try {
      for (const instance of list.read()) taken.add(instance.number);
    } finally {
      list.close();
    }
    const start = Math.floor(Math.random() * NUMBERS);
    let refused: unknown;
    for (let step = 0; step < NUMBERS; step++) {
      const number = FIRST_NUMBER + ((start + step) % NUMBERS);
      if (taken.has(number)) continue;
      try {
        this.#bind(number);
        return number;
      } catch (error) {
        // Somebody was quicker. EPERM without a capability is the same for every number.
        if (!isTaken(error)) throw error;
        refused = error;
      }
    }
    throw refused;
  }

  #bind(number: number): void {
    const command = Uint8Array.of(NFQNL_CFG_CMD_BIND, 0, 0, 0);
    this.#request(number, 'bind an NFQUEUE', [attribute(NFQA_CFG.CMD, command)]);
  }

  #configure(options: QueueOptions): void {
    const { failOpen, largePackets } = options;
    const flags = (failOpen ? NFQA_CFG_F.FAIL_OPEN : 0) | (largePackets ? NFQA_CFG_F.GSO : 0);
    const params = new Uint8Array(5);
    new DataView(params.buffer).setUint32(0, MAX_COPY_BYTES, false);
    params[4] = NFQNL_COPY_PACKET;
    this.#request(this.number, 'configure an NFQUEUE', [
      attribute(NFQA_CFG.PARAMS, params),
      uint32be(NFQA_CFG.QUEUE_MAXLEN, KERNEL_QUEUE_LENGTH),
      uint32be(NFQA_CFG.FLAGS, flags),
      uint32be(NFQA_CFG.MASK, NFQA_CFG_F.FAIL_OPEN | NFQA_CFG_F.GSO),
    ]);
  }

  #request(number: number, operation: string, attributes: readonly Uint8Array[]): void {
    const type = (NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG.CONFIG;
    this.#socket.request(operation, [
      { type, flags: NLM_F.ACK, family: 0, resource: number, attributes },
    ]);
  }
}

/**
 * Binds queues with numbers in a row.
 *
 * @throws as the constructor of {@link Queue}
 */
export function openQueues(options: QueueOptions, count: number): [Queue, ...Queue[]] {
  for (let tries = 1; ; tries++) {
    const first = new Queue(options);
    const queues: [Queue, ...Queue[]] = [first];
    try {
      while (queues.length < count) queues.push(new Queue(options, first.number + queues.length));
      return queues;
    } catch (error) {
      for (const queue of queues) queue.closeNow();
      // The next number is another's, or behind the last: from somewhere else then.
      if (tries === MAX_TRIES || !isTaken(error)) throw error;
    }
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof NetlinkError && error.errno === ERRNO.EBUSY;
}

function explain(error: unknown): unknown {
  if (!(error instanceof NetlinkError)) return error;
  if (error.errno === ERRNO.EPERM) return needsNetAdmin(error);
  if (error.errno === ERRNO.EINVAL || error.errno === ERRNO.EOPNOTSUPP) {
    return new UnsupportedError('NETFILTER_NETLINK_QUEUE', 'This kernel has no NFQUEUE.', {
      cause: error,
      hint: 'It needs the module nfnetlink_queue: try `modprobe nfnetlink_queue`.',
    });
  }
  return error;
}
