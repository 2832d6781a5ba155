/**
 * Numbers of nf_tables, spelled as in linux/netfilter/nf_tables.h, nf_tables_compat.h,
 * linux/netfilter.h and linux/netfilter/xt_*.h.
 *
 * @module
 */

export const NFNL_SUBSYS_NFTABLES = 10;
export const NFNL_MSG_BATCH_BEGIN = 0x10;
export const NFNL_MSG_BATCH_END = 0x11;

export const NFT_MSG = {
  NEWTABLE: 0,
  DELTABLE: 2,
  NEWCHAIN: 3,
  DELCHAIN: 5,
  NEWRULE: 6,
  DELRULE: 8,
  NEWOBJ: 18,
  GETOBJ: 19,
  DELOBJ: 20,
} as const;

export const NFPROTO = { INET: 1, IPV4: 2, IPV6: 10 } as const;

/** enum nf_inet_hooks */
export const NF_INET = {
  PRE_ROUTING: 0,
  LOCAL_IN: 1,
  FORWARD: 2,
  LOCAL_OUT: 3,
  POST_ROUTING: 4,
} as const;

/** Verdicts (linux/netfilter.h). */
export const NF = { DROP: 0, ACCEPT: 1 } as const;

export const NFT_TABLE_F_OWNER = 0x2;

export const NFTA_TABLE = { NAME: 1, FLAGS: 2 } as const;
export const NFTA_CHAIN = { TABLE: 1, NAME: 3, HOOK: 4, TYPE: 7 } as const;
export const NFTA_HOOK = { HOOKNUM: 1, PRIORITY: 2 } as const;
export const NFTA_RULE = { TABLE: 1, CHAIN: 2, EXPRESSIONS: 4 } as const;
export const NFTA_LIST_ELEM = 1;
export const NFTA_EXPR = { NAME: 1, DATA: 2 } as const;
export const NFTA_META = { DREG: 1, KEY: 2 } as const;
export const NFTA_META_SREG = 3;
export const NFTA_BITWISE = { SREG: 1, DREG: 2, LEN: 3, MASK: 4, XOR: 5 } as const;
export const NFTA_BYTEORDER = { SREG: 1, DREG: 2, OP: 3, LEN: 4, SIZE: 5 } as const;
export const NFTA_CMP = { SREG: 1, OP: 2, DATA: 3 } as const;
export const NFTA_DATA = { VALUE: 1, VERDICT: 2 } as const;
export const NFTA_VERDICT = { CODE: 1, CHAIN: 2 } as const;
/** Goes on in another chain, and comes back at its end. */
export const NFT_JUMP = -3;
export const NFTA_IMMEDIATE = { DREG: 1, DATA: 2 } as const;
export const NFTA_FIB = { DREG: 1, RESULT: 2, FLAGS: 3 } as const;
export const NFTA_TPROXY = { FAMILY: 1, REG_PORT: 3 } as const;
export const NFTA_QUEUE = { NUM: 1, TOTAL: 2, FLAGS: 3, SREG_QNUM: 4 } as const;
export const NFTA_HASH = { DREG: 2, MODULUS: 4, OFFSET: 6, TYPE: 7 } as const;
/** The same for both directions of a flow. */
export const NFT_HASH_SYM = 1;
export const NFTA_MATCH = { NAME: 1, REV: 2, INFO: 3 } as const;
export const NFTA_TARGET = { NAME: 1, REV: 2, INFO: 3 } as const;
export const NFTA_OBJ = { TABLE: 1, NAME: 2, TYPE: 3, DATA: 4 } as const;
export const NFTA_OBJREF = { IMM_TYPE: 1, IMM_NAME: 2 } as const;
export const NFTA_COUNTER = { BYTES: 1, PACKETS: 2 } as const;

export const NFT_OBJECT_COUNTER = 1;
export const NFT_META_MARK = 3;
export const NFT_META_OIF = 5;
export const NFT_FIB_RESULT_ADDRTYPE = 3;
export const NFTA_FIB_F_DADDR = 2;
/** Types of addresses (linux/rtnetlink.h): those from LOCAL to MULTICAST are taken in by this host. */
export const RTN = { LOCAL: 2, MULTICAST: 5 } as const;
export const NFT_CMP = { EQ: 0, NEQ: 1, LTE: 3, GTE: 5 } as const;
export const NFT_BYTEORDER_HTON = 1;
export const NFT_REG = { VERDICT: 0, REG_1: 1 } as const;
export const NFT_QUEUE_FLAG_BYPASS = 0x1;

/** struct xt_bpf_info_v1: u16 mode, u16 length, s32 fd, char[512], pointer. */
export const XT_BPF_INFO_V1 = { BYTES: 528, MODE: 0, FD: 4, MODE_FD_ELF: 2, REVISION: 1 } as const;
/** struct xt_NFQ_info_v3: u16 number, u16 total, u16 flags. */
export const XT_NFQ_INFO_V3 = {
  BYTES: 8,
  QUEUENUM: 0,
  QUEUES_TOTAL: 2,
  FLAGS: 4,
  FLAG_BYPASS: 1,
  REVISION: 3,
} as const;
