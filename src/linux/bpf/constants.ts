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
  BPF_OBJ_GET_INFO_BY_FD: 15,
} as const;

/** `enum bpf_prog_type`, the ones used here. */
export const BPF_PROG_TYPE = {
  SOCKET_FILTER: 1,
  SCHED_CLS: 3,
  CGROUP_SKB: 8,
  CGROUP_SOCK: 9,
  SOCK_OPS: 13,
  CGROUP_SOCK_ADDR: 18,
  SK_LOOKUP: 30,
} as const;

/** `enum bpf_map_type`, the ones used here. */
export const BPF_MAP_TYPE = {
  HASH: 1,
  ARRAY: 2,
  PERCPU_ARRAY: 6,
  LRU_HASH: 9,
  LPM_TRIE: 11,
  SK_STORAGE: 24,
  RINGBUF: 27,
} as const;

/** Flags of map creation and update. */
export const BPF_MAP_FLAG = { BPF_F_NO_PREALLOC: 1, BPF_F_CLONE: 0x200 } as const;

/** Names of programs and maps have at most this many bytes (`BPF_OBJ_NAME_LEN` less the NUL). */
export const MAX_NAME_BYTES = 15;
