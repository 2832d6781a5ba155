/**
 * Numbers of bpf(2) (`include/uapi/linux/bpf.h`), spelled as there.
 *
 * @module
 */

/** `enum bpf_cmd`. */
export const BPF_COMMAND = {
  BPF_MAP_CREATE: 0,
  BPF_MAP_LOOKUP_ELEM: 1,
  BPF_MAP_UPDATE_ELEM: 2,
  BPF_MAP_DELETE_ELEM: 3,
  BPF_MAP_GET_NEXT_KEY: 4,
  BPF_PROG_LOAD: 5,
  BPF_PROG_TEST_RUN: 10,
  BPF_PROG_GET_NEXT_ID: 11,
  BPF_MAP_GET_NEXT_ID: 12,
  BPF_PROG_GET_FD_BY_ID: 13,
  BPF_MAP_GET_FD_BY_ID: 14,
  BPF_OBJ_GET_INFO_BY_FD: 15,
  BPF_PROG_QUERY: 16,
  BPF_RAW_TRACEPOINT_OPEN: 17,
  BPF_BTF_LOAD: 18,
  BPF_MAP_LOOKUP_BATCH: 24,
  BPF_MAP_UPDATE_BATCH: 26,
  BPF_LINK_CREATE: 28,
  BPF_LINK_UPDATE: 29,
} as const;

/** `enum bpf_prog_type`, the ones used here. */
export const BPF_PROG_TYPE = {
  SOCKET_FILTER: 1,
  SCHED_CLS: 3,
  CGROUP_SKB: 8,
  CGROUP_SOCK: 9,
  SOCK_OPS: 13,
  RAW_TRACEPOINT: 17,
  CGROUP_SOCK_ADDR: 18,
  LSM: 29,
  SK_LOOKUP: 30,
  SYSCALL: 31,
} as const;

/** `enum bpf_attach_type`, the ones used here. */
export const BPF_ATTACH_TYPE = {
  BPF_CGROUP_INET_INGRESS: 0,
  BPF_CGROUP_INET_EGRESS: 1,
  BPF_CGROUP_INET_SOCK_CREATE: 2,
  BPF_CGROUP_SOCK_OPS: 3,
  BPF_CGROUP_INET4_BIND: 8,
  BPF_CGROUP_INET6_BIND: 9,
  BPF_CGROUP_INET4_CONNECT: 10,
  BPF_CGROUP_INET6_CONNECT: 11,
  BPF_CGROUP_INET4_POST_BIND: 12,
  BPF_CGROUP_INET6_POST_BIND: 13,
  BPF_CGROUP_UDP4_SENDMSG: 14,
  BPF_CGROUP_UDP6_SENDMSG: 15,
  BPF_CGROUP_UDP4_RECVMSG: 19,
  BPF_CGROUP_UDP6_RECVMSG: 20,
  BPF_LSM_MAC: 27,
  BPF_CGROUP_INET4_GETPEERNAME: 29,
  BPF_CGROUP_INET6_GETPEERNAME: 30,
  BPF_CGROUP_INET_SOCK_RELEASE: 34,
  BPF_SK_LOOKUP: 36,
} as const;

/** `enum bpf_map_type`, the ones used here. */
export const BPF_MAP_TYPE = {
  HASH: 1,
  ARRAY: 2,
  PERCPU_ARRAY: 6,
  LRU_HASH: 9,
  LPM_TRIE: 11,
  ARRAY_OF_MAPS: 12,
  SK_STORAGE: 24,
  RINGBUF: 27,
} as const;

/** Flags of map creation and update. */
export const BPF_MAP_FLAG = { BPF_F_NO_PREALLOC: 1, BPF_F_CLONE: 0x200 } as const;

/** Flags of `BPF_MAP_UPDATE_ELEM`. */
export const BPF_UPDATE_FLAG = { BPF_ANY: 0, BPF_NOEXIST: 1, BPF_EXIST: 2 } as const;

/** Names of programs and maps have at most this many bytes (`BPF_OBJ_NAME_LEN` less the NUL). */
export const MAX_NAME_BYTES = 15;
