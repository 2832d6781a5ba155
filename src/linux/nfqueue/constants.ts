/**
 * Numbers of nfnetlink_queue, spelled as in linux/netfilter/nfnetlink_queue.h.
 *
 * @module
 */

export const NFNL_SUBSYS_QUEUE = 3;

export const NFQNL_MSG = { PACKET: 0, VERDICT: 1, CONFIG: 2, VERDICT_BATCH: 3 } as const;

export const NFQA = {
  PACKET_HDR: 1,
  VERDICT_HDR: 2,
  MARK: 3,
  IFINDEX_INDEV: 5,
  IFINDEX_OUTDEV: 6,
  PAYLOAD: 10,
  CAP_LEN: 13,
  SKB_INFO: 14,
} as const;

export const NFQA_CFG = { CMD: 1, PARAMS: 2, QUEUE_MAXLEN: 3, MASK: 4, FLAGS: 5 } as const;
export const NFQNL_CFG_CMD_BIND = 1;
export const NFQNL_COPY_PACKET = 2;
export const NFQA_CFG_F = { FAIL_OPEN: 1, GSO: 4 } as const;

/** The transport checksum is left to the device; a super-packet of which the device makes segments; a checksum that nobody verified. */
export const NFQA_SKB = { CSUMNOTREADY: 1, GSO: 2, CSUM_NOTVERIFIED: 4 } as const;

/** Most the kernel copies of a packet: an attribute's length has 16 bits, its header takes 4. */
export const MAX_COPY_BYTES: number = 0xffff - 4;
