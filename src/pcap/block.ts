/**
 * Numbers of the pcapng format that reader and writer share (draft-ietf-opsawg-pcapng).
 *
 * @module
 * @internal
 */

export const BLOCK_TYPE = {
  SECTION_HEADER: 0x0a0d0d0a,
  INTERFACE_DESCRIPTION: 1,
  /** Obsolete; old files have it. */
  PACKET: 2,
  SIMPLE_PACKET: 3,
  INTERFACE_STATISTICS: 5,
  ENHANCED_PACKET: 6,
} as const;

/** Type and length before the body. */
export const BLOCK_HEADER_BYTES = 8;
/** The length again, behind the body. */
export const BLOCK_TRAILER_BYTES = 4;
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

export const SECTION_HEADER = {
  BYTE_ORDER: 0,
  VERSION_MAJOR: 4,
  VERSION_MINOR: 6,
  SECTION_LENGTH: 8,
  OPTIONS: 16,
} as const;

export const INTERFACE_DESCRIPTION = { LINK_TYPE: 0, SNAP_LENGTH: 4, OPTIONS: 8 } as const;

export const ENHANCED_PACKET = {
  INTERFACE: 0,
  TIMESTAMP_HIGH: 4,
  TIMESTAMP_LOW: 8,
  CAPTURED: 12,
  ORIGINAL: 16,
  DATA: 20,
} as const;

/** Has 16 bits of interface and 16 of drops where the enhanced one has 32 of interface. */
export const OLD_PACKET = { INTERFACE: 0, DROPS: 2, DROPS_UNKNOWN: 0xffff } as const;

export const SIMPLE_PACKET = { ORIGINAL: 0, DATA: 4 } as const;

export const INTERFACE_STATISTICS = {
  INTERFACE: 0,
  TIMESTAMP_HIGH: 4,
  TIMESTAMP_LOW: 8,
  OPTIONS: 12,
} as const;

export const OPTION = {
  END: 0,
  COMMENT: 1,
  SHB_HARDWARE: 2,
  SHB_OPERATING_SYSTEM: 3,
  SHB_USER_APPLICATION: 4,
  IF_NAME: 2,
  IF_DESCRIPTION: 3,
  IF_TIMESTAMP_RESOLUTION: 9,
  IF_TIMESTAMP_OFFSET: 14,
  EPB_FLAGS: 2,
  EPB_DROP_COUNT: 4,
  EPB_VERDICT: 7,
  EPB_PROCESS_THREAD: 8,
  ISB_RECEIVED: 4,
  ISB_DROPPED: 5,
} as const;

export const OPTION_HEADER_BYTES = 4;

/** Low bits of `epb_flags`. */
export const PACKET_DIRECTION = { MASK: 3, INBOUND: 1, OUTBOUND: 2 } as const;

/** First byte of `epb_verdict`: whose word it is. A 64-bit action follows. */
export const VERDICT_KIND = { EBPF_TC: 1, EBPF_XDP: 2 } as const;
/** Actions of both (include/uapi/linux/pkt_cls.h and bpf.h) that have a meaning here. */
export const TC_ACTION = { OK: 0, SHOT: 2 } as const;
export const XDP_ACTION = { DROP: 1, PASS: 2 } as const;
export const VERDICT_BYTES = 9;

/** Bodies, packet data and options are padded to 32 bits. */
export function padded(length: number): number {
  return (length + 3) & ~3;
}
