/**
 * A handle's books: `received = sent + dropped + lost.total + queued + held`, always; with mode
 * 'sniff', where nothing is decided about, `received = delivered + dropped + lost.total + queued`.
 *
 * @module
 */
import type { WaitStats } from './wait-histogram.ts';

/** Packets lost, by cause. None of them was a decision of the program. */
export interface LostStats {
  /** Oldest packet of a full queue (queueLength or queueSizeBytes). */
  queueFull: number;
  /** Waited longer than queueTimeMs. */
  expired: number;
  /** Larger than queueSizeBytes by itself. */
  tooBig: number;
  /** The kernel's own queue was full: the program did not read for too long. */
  kernelQueue: number;
  /** The receive buffer of the queue's socket was full. */
  socketOverrun: number;
  /** Sent by the program, but the kernel had given the packet up before. */
  lateVerdict: number;
  /** Mode 'sniff': the ring buffer was full, the program did not read for too long. */
  ringFull: number;
  total: number;
}

/** Counters since the handle was opened, in packets. */
export interface Stats {
  /** Packets that came by the handle's hooks in the kernel; those on loopback come by twice. */
  offered: number;
  /** Packets the filter's program matched in the kernel; what it splits into segments later counts once. */
  matched: number;
  /** Of those, let go on because the exact check in user space says no, or that came again. */
  passed: number;
  /** Packets that match the filter. */
  received: number;
  /** Handed to the program. */
  delivered: number;
  /** Put back on their way, by the program or by an option. */
  sent: number;
  /** Of those sent, with bytes given back: they were changed, or the program asked for writable ones. */
  changed: number;
  /** Of those sent, by onOverload (in the kernel too), onExit or unhandled instead of by the program. */
  bypassed: number;
  /** Dropped by the program, by silence (unhandled), by onExit or by mode 'drop'. */
  dropped: number;
  /** Of those dropped, packets the program took and never decided about. */
  unhandled: number;
  /** Of those dropped, packets that another handle injected and that had no hop left. */
  unreachable: number;
  /** New packets put in. */
  injected: number;
  /** Waiting for `receive` now. */
  queued: number;
  /** Delivered and not decided about now. */
  held: number;
  /** How long delivered packets had waited in the handle's queue. */
  waitMs: WaitStats;
  lost: LostStats;
}

/** What the handle itself counts. */
export class Counters {
  received = 0;
  delivered = 0;
  sent = 0;
  changed = 0;
  bypassed = 0;
  dropped = 0;
  unhandled = 0;
  unreachable = 0;
  injected = 0;
  queueFull = 0;
  expired = 0;
  tooBig = 0;
}
