/**
 * What programs at sockets are called with (`include/uapi/linux/bpf.h`).
 *
 * @module
 */

/** Offsets in `struct bpf_sock`: creation, release and after bind; also what `sk` points to. */
export const SOCK = {
  BOUND_DEV_IF: 0,
  FAMILY: 4,
  TYPE: 8,
  PROTOCOL: 12,
  /** Network order. */
  SRC_IP4: 24,
  SRC_IP6: 28,
  /** Host order. */
  SRC_PORT: 44,
  /** Network order. */
  DST_PORT: 48,
  DST_IP4: 52,
  DST_IP6: 56,
  STATE: 72,
} as const;

/** Offsets in `struct bpf_sock_addr`: bind, connect, sendmsg, getpeername. */
export const SOCK_ADDR = {
  /** Network order. */
  USER_IP4: 4,
  USER_IP6: 8,
  USER_PORT: 24,
  FAMILY: 28,
  TYPE: 32,
  PROTOCOL: 36,
  SK: 64,
} as const;

/** Offsets in `struct bpf_sock_ops`. */
export const SOCK_OPS = {
  OP: 0,
  /** STATE_CB: the old state, and the new one behind it. */
  ARGS: 4,
  /** In the same place: what the program leaves for those after it. */
  REPLY: 4,
  FAMILY: 20,
  /** Network order. */
  REMOTE_IP4: 24,
  LOCAL_IP4: 28,
  REMOTE_IP6: 32,
  LOCAL_IP6: 48,
  /** Network order, in the upper half of a 32-bit value. */
  REMOTE_PORT: 64,
  /** Host order. */
  LOCAL_PORT: 68,
  CB_FLAGS: 84,
  SK: 184,
} as const;

/** Offsets in `struct bpf_sk_lookup`. */
export const SK_LOOKUP = {
  FAMILY: 8,
  PROTOCOL: 12,
  /** Network order. */
  REMOTE_IP4: 16,
  REMOTE_IP6: 20,
  REMOTE_PORT: 36,
  LOCAL_IP4: 40,
  LOCAL_IP6: 44,
  /** Host order. */
  LOCAL_PORT: 60,
} as const;

/** Offsets in `struct __sk_buff`, for programs at control groups. */
export const SKB = { PROTOCOL: 16, IFINDEX: 40, SK: 168 } as const;

/** `BPF_SOCK_OPS_*`: what a program of this type is called for. */
export const SOCK_OPS_OP = {
  TCP_CONNECT_CB: 3,
  ACTIVE_ESTABLISHED_CB: 4,
  PASSIVE_ESTABLISHED_CB: 5,
  STATE_CB: 10,
  TCP_LISTEN_CB: 11,
} as const;

/** `BPF_SOCK_OPS_STATE_CB_FLAG`: changes of state are told. */
export const STATE_CB_FLAG: number = 1 << 2;

/** States of TCP sockets (`include/net/tcp_states.h`). */
export const TCP_STATE = { ESTABLISHED: 1, CLOSE: 7, LISTEN: 10 } as const;
