/**
 * The network and forward layers on Linux: the filter as programs in nf_tables rules, what they
 * match in an NFQUEUE.
 *
 * @module
 */
import type { ChannelCounters, ChannelListener, NetworkChannel } from '../divert/backend.ts';
import type { ResolvedOptions } from '../divert/options.ts';
import type { Slot } from '../divert/slot.ts';
import type { Filter } from '../filter/index.ts';
import { ADDRESS_FLAGS } from '../packet/address.ts';
import { type ChannelRules, OwnRules, PROGRAM_NAME } from './channel-rules.ts';
import { closeInTurn } from './close-all.ts';
import { type Destination, Injector } from './inject/injector.ts';
import { checkChangedSuperPacket } from './large-packets.ts';
import { swap32 } from './nfqueue/byte-order.ts';
import { CHUNK_SLOTS } from './nfqueue/chunk.ts';
import { MAX_COPY_BYTES } from './nfqueue/constants.ts';
import { Queue } from './nfqueue/queue.ts';
import type { QueueEnd } from './nfqueue/queue-counters.ts';
import { QueueReceiver } from './nfqueue/receiver.ts';
import { Repeats } from './nfqueue/repeats.ts';
import { VerdictWriter } from './nfqueue/verdicts.ts';
import { QueueWakeup } from './nfqueue/wakeup.ts';
import { Residual } from './residual.ts';

/** What a channel is made of. */
export interface ChannelParts {
  readonly rules: ChannelRules;
  readonly queue: QueueEnd;
  readonly repeats: Repeats;
  /** Decides about packets that the rules let through; they are another's to swap. */
  readonly residual: Residual;
}

/** A handle of its own: rules and a queue. */
export function openNetworkChannel(filter: Filter, options: ResolvedOptions): LinuxNetworkChannel {
  const rules = new OwnRules(options);
  let queue: Queue | undefined;
  try {
    const { namespace, onOverload, largePackets } = options;
    queue = new Queue({ namespace, failOpen: onOverload === 'pass', largePackets });
    const { counters, number } = queue;
    const repeats = new Repeats();
    const residual = new Residual(filter);
    // Every matched packet is queued: without the kernel's own count, the rules' is the same.
    const lastId = (): number =>
      counters.isReadable ? counters.lastId() : rules.counters().matched;
    const isExact = rules.install(filter, { first: number, count: 1 }, () =>
      repeats.shift(lastId()),
    );
    residual.settle(isExact, null);
    return new LinuxNetworkChannel(options, { rules, queue, repeats, residual });
  } catch (error) {
    rules.close();
    void Promise.resolve(queue?.close()).then(() => rules.release());
    throw error;
  }
}

export class LinuxNetworkChannel implements NetworkChannel {
  readonly #options: ResolvedOptions;
  readonly #rules: ChannelRules;
  readonly #queue: QueueEnd;
  readonly #receiver: QueueReceiver;
  readonly #verdicts: VerdictWriter;
  readonly #residual: Residual;
  readonly #repeats: Repeats;
  #wakeup: QueueWakeup | undefined;
  #sink: (slot: Slot) => void = () => {};
  /** Packets of this read have got their verdict here. */
  #isDecided = false;
  #passed = 0;
  #dropped = 0;
  #closed = false;
  /** Packets go on with the next flush. */
  #hasAccepted = false;
  #injector: Injector | undefined;

  constructor(options: ResolvedOptions, parts: ChannelParts) {
    this.#options = options;
    this.#rules = parts.rules;
    this.#queue = parts.queue;
    this.#residual = parts.residual;
    this.#repeats = parts.repeats;
    this.#receiver = new QueueReceiver(this.#queue.fd);
    this.#verdicts = new VerdictWriter(this.#queue.fd, this.#queue.number);
  }

  get ready(): Promise<unknown> | undefined {
    return this.#rules.attribution?.ready;
  }

  start(listener: ChannelListener): void {
    const { fd } = this.#queue;
    this.#wakeup = new QueueWakeup(fd, listener, () => this.#receiver.packets);
  }

  read(budget: number, sink: (slot: Slot) => void): boolean {
    const timestampNs = process.hrtime.bigint();
    this.#residual.startRead(timestampNs);
    this.#sink = sink;
    let more = true;
    for (let read = 0; more && read < budget; read += CHUNK_SLOTS) {
      more = this.#receiver.read(timestampNs, this.#onPacket) === CHUNK_SLOTS;
    }
    if (!more) {
      this.#rules.attribution?.noteEmpty(timestampNs);
      this.#residual.noteEmpty();
    }
    // Nobody else knows of the packets that were not for this handle.
    if (this.#isDecided) this.#flushVerdicts();
    this.#isDecided = false;
    return more;
  }

  accept(slot: Slot): void {
    if (this.#repeats.concerns(swap32(slot.id))) {
      const { memory, offset, length } = slot;
      this.#repeats.accepted(memory.subarray(offset, offset + length));
    }
    this.#hasAccepted = true;
    this.#verdicts.accept(slot.id);
  }

  acceptChanged(slot: Slot, bytes: Uint8Array): void {
    if (slot.isLarge) checkChangedSuperPacket(bytes);
    if (bytes.length > MAX_COPY_BYTES || this.#isSegmentNow(slot, bytes)) {
      this.inject(bytes, {
        outbound: (slot.flags & ADDRESS_FLAGS.OUTBOUND) !== 0,
        loopback: (slot.flags & ADDRESS_FLAGS.LOOPBACK) !== 0,
        interfaceIndex: slot.interfaceIndex,
      });
      this.drop(slot);
      return;
    }
    if (this.#repeats.concerns(swap32(slot.id))) this.#repeats.accepted(bytes);
    this.#hasAccepted = true;
    this.#verdicts.acceptChanged(slot.id, bytes);
  }

  drop(slot: Slot): void {
    this.#verdicts.drop(slot.id);
  }

  flush(): void {
    if (this.#closed) return;
    this.#hasAccepted = false;
    this.#flushVerdicts();
  }

  #flushVerdicts(): void {
    const { packets, lastId } = this.#receiver;
    this.#verdicts.flush();
    if (this.#verdicts.decided === packets) this.#verdicts.catchUp(lastId);
  }

  inject(bytes: Uint8Array, address: Destination): void {
    // Behind what was sent before it; that a packet was dropped can wait.
    if (this.#hasAccepted) this.flush();
    this.#needInjector().inject(bytes, address);
  }

  setFilter(filter: Filter): void {
    this.#residual.expect(filter);
    try {
      const isExact = this.#rules.replace(filter);
      const { counters } = this.#queue;
      this.#residual.settle(isExact, counters.isReadable ? counters.lastId() : null);
    } catch (error) {
      this.#residual.cancel();
      throw error;
    }
  }

  detach(): void {
    this.#rules.remove();
  }

  counters(): ChannelCounters {
    const { offered, matched } = this.#rules.counters();
    const { queueDropped, userDropped } = this.#queue.counters.drops();
    const inKernel = this.#options.mode === 'drop' && this.#residual.isExact;
    // Where the kernel's counters are for root only, the last balance shows what never came.
    const isLast = this.#closed && !this.#queue.counters.isReadable && !inKernel;
    const bypassed = this.#options.onOverload === 'pass' ? this.#bypassed(matched) : 0;
    const unread = matched - this.#receiver.packets - bypassed;
    const missing = isLast ? Math.max(0, unread) : 0;
    return {
      offered,
      matched,
      passed: this.#passed,
      bypassed,
      dropped: inKernel ? matched : this.#dropped,
      kernelQueue: queueDropped + missing,
      socketOverrun: userDropped,
      lateVerdict: this.#receiver.lateVerdicts,
      lateChanged: this.#receiver.lateChanged,
      ringFull: 0,
    };
  }

  /** Matched packets that the kernel did not queue, or did not get into the socket, and let go on. */
  #bypassed(matched: number): number {
    const { packets, skipped } = this.#receiver;
    if (!this.#queue.counters.isReadable) return skipped;
    const queued = this.#queue.counters.lastId();
    const unread = this.#queue.counters.waiting() - (packets - this.#verdicts.sent);
    return Math.max(0, matched - queued) + Math.max(0, queued - packets - Math.max(0, unread));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await closeInTurn([
      () => this.detach(),
      () => this.#wakeup?.close(),
      () => this.#queue.close(),
      () => this.#rules.close(),
      () => this.#injector?.close(),
      () => this.#rules.release(),
    ]);
  }

  /** Whether a super-packet became so short that the kernel, which would cut it still, drops it. */
  #isSegmentNow(slot: Slot, bytes: Uint8Array): boolean {
    if (!slot.isLarge || bytes.length >= slot.length) return false;
    const mtuBytes = this.#needInjector().mtuOf(slot.interfaceIndex);
    return mtuBytes !== null && bytes.length <= mtuBytes;
  }

  #needInjector(): Injector {
    if (!this.#injector) {
      const { namespace, priority, layer } = this.#options;
      this.#rules.prepareInjection();
      this.#injector = new Injector({ namespace, priority, layer, programName: PROGRAM_NAME });
    }
    return this.#injector;
  }

  readonly #onPacket = (slot: Slot): void => {
    const { attribution } = this.#rules;
    attribution?.note(slot);
    if (this.#repeats.take(slot) || !this.#residual.takes(slot, attribution)) {
      this.accept(slot);
      this.#passed++;
    } else if (this.#options.mode === 'drop') {
      this.#verdicts.drop(slot.id);
      this.#dropped++;
    } else {
      this.#sink(slot);
      return;
    }
    this.#isDecided = true;
    slot.undecided = false;
    slot.release();
  };
}
