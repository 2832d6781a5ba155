/**
 * Decisions about packets and the books about them: every packet that came in goes out through
 * exactly one of these methods.
 *
 * @module
 */
import { DivertError } from '../errors.ts';
import { LAYERS } from '../packet/address.ts';
import type { NetworkChannel } from './backend.ts';
import { HeldList } from './held-list.ts';
import type { ResolvedOptions } from './options.ts';
import type { EvictionCause } from './packet-queue.ts';
import type { Slot } from './slot.ts';
import { Counters, type Stats } from './stats.ts';
import { TurnClock } from './turn-clock.ts';
import { WaitHistogram } from './wait-histogram.ts';

/** How often forgotten packets are looked for, while there are undecided ones. */
const SWEEP_INTERVAL_MS = 250;

export class Ledger {
  readonly #channel: NetworkChannel;
  readonly #options: ResolvedOptions;
  readonly #onFailed: (error: unknown) => void;
  readonly #held: HeldList;
  readonly #counters = new Counters();
  readonly #waits = new WaitHistogram();
  /** Packets are copies: there is nothing to decide, they are only freed. */
  readonly areCopies: boolean;
  readonly clock: TurnClock = new TurnClock();
  /** WINDIVERT_LAYER of the packets. */
  readonly layer: number;
  /** How long a packet in borrowed memory may stay undecided. */
  holdTimeMs: number;
  #heldCount = 0;
  #flushScheduled = false;
  #sweepTimer: NodeJS.Timeout | undefined;

  /** @param onFailed told when verdicts could not be handed over */
  constructor(
    channel: NetworkChannel,
    options: ResolvedOptions,
    onFailed: (error: unknown) => void,
  ) {
    this.#channel = channel;
    this.#options = options;
    this.#onFailed = onFailed;
    this.#held = new HeldList(this.forget);
    this.areCopies = options.mode === 'sniff';
    this.layer = LAYERS.indexOf(options.layer);
    this.holdTimeMs = options.queueTimeMs;
  }

  /** A packet came in. */
  receive(): void {
    this.#counters.received++;
  }

  /** A packet goes to the program, to be decided about one by one. */
  deliver(slot: Slot): void {
    this.#held.add(slot);
    this.countDelivery(slot);
    this.#scheduleSweep();
  }

  /** A packet goes to the program, whose batch keeps track of it. */
  countDelivery(slot: Slot): void {
    this.#counters.delivered++;
    this.#heldCount++;
    this.#waits.add(this.clock.now() - slot.arrivedMs);
  }

  /** A delivered packet has memory of its own from now on. */
  retain(slot: Slot): void {
    this.#held.addRetained(slot);
    this.#scheduleSweep();
  }

  /** The program puts a delivered packet back, or in once more when it is a copy. */
  send(slot: Slot): void {
    if (this.areCopies && slot.length < slot.originalLength) throw incomplete(slot);
    this.#channel.accept(slot);
    if (this.areCopies) this.#counters.injected++;
    else this.#counters.sent++;
    this.#settle(slot);
  }

  /**
   * The program puts a delivered packet back with other bytes.
   *
   * @throws {@link DivertError} `insufficient-buffer` when the kernel handed over only a part of it
   */
  sendChanged(slot: Slot, bytes: Uint8Array): void {
    if (slot.length < slot.originalLength) throw incomplete(slot);
    this.#channel.acceptChanged(slot, bytes);
    if (this.areCopies) {
      this.#counters.injected++;
    } else {
      this.#counters.sent++;
      this.#counters.changed++;
    }
    this.#settle(slot);
  }

  /** The program drops a delivered packet. */
  drop(slot: Slot): void {
    if (!this.areCopies) {
      this.#channel.drop(slot);
      this.#counters.dropped++;
    }
    this.#settle(slot);
  }

  /** A delivered packet has no hop left. */
  dropUnreachable(slot: Slot): void {
    this.#counters.unreachable++;
    this.drop(slot);
  }

  /** A delivered packet was given up: it goes where `unhandled` says. */
  readonly forget = (slot: Slot): void => {
    if (this.areCopies) {
      this.#settle(slot);
    } else if (this.#options.unhandled === 'pass') {
      this.#counters.bypassed++;
      this.send(slot);
    } else {
      this.#counters.unhandled++;
      this.drop(slot);
    }
  };

  /** A packet that nobody received goes where `onExit` says. */
  exit(slot: Slot): void {
    if (this.#options.onExit === 'pass' && !this.areCopies) {
      this.#bypass(slot);
    } else {
      this.#channel.drop(slot);
      this.#counters.dropped++;
      this.#free(slot);
    }
  }

  /** A packet was pushed out of the queue: it is lost, or goes on with `onOverload: 'pass'`. */
  readonly evict = (slot: Slot, cause: EvictionCause): void => {
    if (this.#options.onOverload === 'pass' && cause !== 'expired' && !this.areCopies) {
      this.#bypass(slot);
    } else {
      this.#channel.drop(slot);
      this.#counters[cause]++;
      this.#free(slot);
    }
  };

  /** A new packet was put in. */
  inject(): void {
    this.#counters.injected++;
  }

  /** Hands all verdicts over at the end of this turn. */
  scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    process.nextTick(this.#endTurn);
  }

  /** Gives up everything that is held. */
  close(): void {
    clearTimeout(this.#sweepTimer);
    this.#held.clear();
  }

  /** @param queued packets that wait for `receive` */
  stats(queued: number): Stats {
    const own = this.#counters;
    const kernel = this.#channel.counters();
    const { queueFull, expired, tooBig } = own;
    const { kernelQueue, socketOverrun, lateVerdict, lateChanged, ringFull } = kernel;
    const unread = kernelQueue + socketOverrun + ringFull;
    const total = queueFull + expired + tooBig + unread + lateVerdict;
    return {
      offered: kernel.offered,
      matched: kernel.matched,
      passed: kernel.passed,
      received: own.received + unread + kernel.dropped + kernel.bypassed,
      delivered: own.delivered,
      sent: own.sent + kernel.bypassed - lateVerdict,
      changed: own.changed - lateChanged,
      bypassed: own.bypassed + kernel.bypassed,
      dropped: own.dropped + kernel.dropped,
      unhandled: own.unhandled,
      unreachable: own.unreachable,
      injected: own.injected,
      queued,
      held: this.areCopies ? 0 : this.#heldCount,
      waitMs: this.#waits.read(),
      lost: {
        queueFull,
        expired,
        tooBig,
        kernelQueue,
        socketOverrun,
        lateVerdict,
        ringFull,
        total,
      },
    };
  }

  #bypass(slot: Slot): void {
    this.#channel.accept(slot);
    this.#counters.sent++;
    this.#counters.bypassed++;
    this.#free(slot);
  }

  /** A delivered packet has its verdict. */
  #settle(slot: Slot): void {
    this.#heldCount--;
    if (slot.owner === null) this.#held.removeRetained(slot);
    this.#free(slot);
  }

  #free(slot: Slot): void {
    slot.undecided = false;
    slot.release();
    this.scheduleFlush();
  }

  readonly #endTurn = (): void => {
    this.#flushScheduled = false;
    try {
      this.#channel.flush();
    } catch (error) {
      this.#onFailed(error);
    }
  };

  #scheduleSweep(): void {
    if (this.#channel.isPaced) return;
    this.#sweepTimer ??= setTimeout(this.#sweep, SWEEP_INTERVAL_MS).unref();
  }

  readonly #sweep = (): void => {
    this.#sweepTimer = undefined;
    if (this.#held.expire(this.clock.now(), this.holdTimeMs)) this.#scheduleSweep();
  };
}

function incomplete(slot: Slot): DivertError {
  return new DivertError(
    'insufficient-buffer',
    `A packet of ${slot.originalLength} bytes cannot be changed: ${slot.length} of them are here.`,
    {
      hint:
        'Send it unchanged, or keep packets smaller (loopback: ip link set lo mtu 16384) or, in a ' +
        'capture file, whole (tcpdump -s 0).',
    },
  );
}
