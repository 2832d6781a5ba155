/**
 * One NFQUEUE: its socket, number and settings.
 *
 * @module
 */
import { NetlinkError, UnsupportedError } from '../../errors.ts';
import { attribute, uint32be } from '../netlink/attribute.ts';
import { NLM_F } from '../netlink/message.ts';
import { NetlinkSocket, needsNetAdmin } from '../netlink/socket.ts';
import { type QueueInstance, QueueList } from '../nftables/queues.ts';
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

/**
 * Numbers are taken from the upper half: rules that people write by hand count from 0,
 * and would feed our queue.
 */
const FIRST_NUMBER = 32768;
const NUMBERS = 32768;
/** A message of a 64-byte packet is charged some 830 bytes: room for about 80,000 of them. */
const RECEIVE_BUFFER_BYTES = 64 << 20;
/** Packets the kernel lets wait, read or not; more than a handle holds by its own limits. */
const KERNEL_QUEUE_LENGTH = 65536;

export interface QueueOptions {
  /** Path of the network namespace. */
  namespace: string | undefined;
  /** A full queue lets packets pass instead of dropping them. */
  failOpen: boolean;
  /** Super-packets come whole, not as the segments they are sent in. */
  largePackets: boolean;
}

export class Queue {
  readonly socket: NetlinkSocket;
  readonly number: number;
  readonly #list: QueueList;
  #last: QueueInstance | undefined;
  #closed = false;

  /**
   * Binds a free queue number.
   *
   * @throws {@link UnsupportedError} without CAP_NET_ADMIN or without nfnetlink_queue
   */
  constructor(options: QueueOptions) {
    this.socket = withNamespace(options.namespace, () => new NetlinkSocket());
    try {
      const { SOL_SOCKET, SO_RCVBUFFORCE, SO_RCVBUF, SOL_NETLINK } = OPTION;
      const { NETLINK_NO_ENOBUFS, NETLINK_CAP_ACK } = OPTION;
      if (!this.socket.setOption(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)) {
        this.socket.setOption(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
      }
      // Losses are counted by the kernel per queue; as an error they would only cost a read.
      this.socket.setOption(SOL_NETLINK, NETLINK_NO_ENOBUFS, 1);
      this.number = this.#bindFreeNumber(options.namespace);
      this.#configure(options);
      // A complaint about a verdict shall tell which one.
      this.socket.setOption(SOL_NETLINK, NETLINK_CAP_ACK, 0);
      this.#list = new QueueList(options.namespace);
    } catch (error) {
      void this.socket.close();
      throw explain(error);
    }
  }

  /** Whether the kernel lets us read this queue's counters. */
  get isCounted(): boolean {
    return this.#list.isReadable;
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
  kernelDrops(): { queueDropped: number; userDropped: number } {
    const { queueDropped = 0, userDropped = 0, waiting = 0 } = this.#read() ?? {};
    return { queueDropped: this.#closed ? queueDropped + waiting : queueDropped, userDropped };
  }

  /** The kernel drops what still waits: it was never read. Idempotent. */
  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#read();
    this.#closed = true;
    this.#list.close();
    return this.socket.close();
  }

  /** What the kernel counts, at the last moment once closed. */
  #read(): QueueInstance | undefined {
    if (this.#closed) return this.#last;
    const instances = this.#list.read();
    this.#last = instances.find(({ number }) => number === this.number) ?? this.#last;
    return this.#last;
  }

  #bindFreeNumber(namespace: string | undefined): number {
    const list = new QueueList(namespace);
    const taken = new Set(list.read().map((instance) => instance.number));
    list.close();
    const start = Math.floor(Math.random() * NUMBERS);
    let refused: unknown;
    for (let step = 0; step < NUMBERS; step++) {
      const number = FIRST_NUMBER + ((start + step) % NUMBERS);
      if (taken.has(number)) continue;
      const command = Uint8Array.of(NFQNL_CFG_CMD_BIND, 0, 0, 0);
      try {
        this.#request(number, 'bind an NFQUEUE', [attribute(NFQA_CFG.CMD, command)]);
        return number;
      } catch (error) {
        // Somebody was quicker. EPERM without a capability is the same for every number.
        if (!(error instanceof NetlinkError) || error.errno !== ERRNO.EBUSY) throw error;
        refused = error;
      }
    }
    throw refused;
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
    this.socket.request(operation, [
      { type, flags: NLM_F.ACK, family: 0, resource: number, attributes },
    ]);
  }
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
