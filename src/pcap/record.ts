/** Which way a packet went, where the capture says so. */
export type CaptureDirection = 'inbound' | 'outbound';

/** What became of a packet, where the capture says so. */
export type CaptureVerdict = 'pass' | 'drop';

/** The interface a packet was captured on. Files in the older format have one without a name. */
export interface CaptureInterface {
  /** 0-based number within its section of the file. */
  readonly index: number;
  readonly name: string | null;
  readonly description: string | null;
  /** What the packets start with: a `LINK_TYPE`. */
  readonly linkType: number;
  /** Most bytes kept of a packet; 0: no limit. */
  readonly snapLength: number;
}

/** One captured packet. */
export interface CaptureRecord {
  /** Since 1970 in nanoseconds. 0 where the format has no time (simple packet blocks). */
  readonly timestampNs: bigint;
  /** What `bytes` starts with: a `LINK_TYPE`. */
  readonly linkType: number;
  /** What was kept of the packet: a view of the input, which is yours as long as the input is. */
  readonly bytes: Uint8Array;
  /** Length of the packet on the wire, in bytes. */
  readonly originalLength: number;
  readonly interface: CaptureInterface;
  readonly direction: CaptureDirection | null;
  /** In the order of the file. `processName` and `dropReason` find what this library wrote there. */
  readonly comments: readonly string[];
  /** Process id, where the file has it. */
  readonly processId: number | null;
  readonly verdict: CaptureVerdict | null;
  /** Packets lost between the one before on the same interface and this one; null: not said. */
  readonly lostBefore: number | null;
}

/** Shared by all records without comments. @internal */
export const NO_COMMENTS: readonly string[] = Object.freeze([]);

/**
 * Reads a file step by step: gives records, and the number of bytes it needs to go on; it is told
 * whether they are there now.
 *
 * @internal
 */
export type RecordSteps = Generator<CaptureRecord | number, void, boolean>;

/** Link types that {@link networkLayer} knows. Source: tcpdump.org/linktypes.html. */
export const LINK_TYPE = {
  NULL: 0,
  ETHERNET: 1,
  PPP: 9,
  RAW_BSD: 12,
  RAW_OPENBSD: 14,
  RAW: 101,
  LOOP: 108,
  LINUX_SLL: 113,
  IPV4: 228,
  IPV6: 229,
  LINUX_SLL2: 276,
} as const;
