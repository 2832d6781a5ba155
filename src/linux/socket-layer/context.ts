/**
 * What programs of the socket layer find in their contexts (`include/uapi/linux/bpf.h`).
 *
 * @module
 */

/** `struct bpf_sock`. Addresses and `dst_port` in network order, `src_port` in host order. */
export const BPF_SOCK = {
  FAMILY: 4,
  PROTOCOL: 12,
  SRC_IP4: 24,
  SRC_IP6: 28,
  SRC_PORT: 44,
  DST_PORT: 48,
  DST_IP4: 52,
  DST_IP6: 56,
  STATE: 72,
} as const;

/** `struct bpf_sock_addr`. All in network order. */
export const BPF_SOCK_ADDR = {
  USER_IP4: 4,
  USER_IP6: 8,
  USER_PORT: 24,
  PROTOCOL: 36,
  SK: 64,
} as const;

/** `struct bpf_sock_ops`. `local_port` in host order, `remote_port` in the upper half in network order. */
export const BPF_SOCK_OPS = {
  OP: 0,
  ARGS: 4,
  REPLY: 4,
  FAMILY: 20,
  REMOTE_IP4: 24,
  LOCAL_IP4: 28,
  REMOTE_IP6: 32,
  LOCAL_IP6: 48,
  REMOTE_PORT: 64,
  LOCAL_PORT: 68,
  CB_FLAGS: 84,
  SK: 184,
} as const;

/** Callbacks at {@link BPF_SOCK_OPS.OP}. */
export const SOCK_OPS = {
  TCP_CONNECT_CB: 3,
  PASSIVE_ESTABLISHED_CB: 5,
  STATE_CB: 10,
  TCP_LISTEN_CB: 11,
} as const;

/** `BPF_SOCK_OPS_STATE_CB_FLAG`: the socket's changes of state are called back. */
export const STATE_CB_FLAG = 4;

/** `struct bpf_sk_lookup`. `local_port` in host order, the rest in network order. */
export const BPF_SK_LOOKUP = {
  FAMILY: 8,
  PROTOCOL: 12,
  REMOTE_IP4: 16,
  REMOTE_IP6: 20,
  REMOTE_PORT: 36,
  LOCAL_IP4: 40,
  LOCAL_IP6: 44,
  LOCAL_PORT: 60,
} as const;

/** Of `struct __sk_buff`. */
export const SKB = { SK: 168 } as const;

/** States of a socket (`net/tcp_states.h`). */
export const TCP_STATE = { ESTABLISHED: 1, CLOSE: 7, LISTEN: 10 } as const;

/** IPPROTO_*, the ones that matter here. MPTCP sockets count as TCP. */
export const SOCKET_PROTOCOL = { TCP: 6, UDP: 17, MPTCP: 262 } as const;

/** What programs return: `sk_lookup` and hooks at control groups use the same numbers. */
export const RESULT = { BLOCK: 0, PASS: 1 } as const;
