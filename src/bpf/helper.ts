/**
 * Numbers of the kernel functions that programs call (`include/uapi/linux/bpf.h`, `___BPF_FUNC_MAPPER`).
 *
 * @module
 */

/** Helpers by their kernel names without `bpf_`. */
export const HELPER = {
  map_lookup_elem: 1,
  map_update_elem: 2,
  map_delete_elem: 3,
  ktime_get_ns: 5,
  get_prandom_u32: 7,
  get_smp_processor_id: 8,
  clone_redirect: 13,
  get_current_pid_tgid: 14,
  get_current_uid_gid: 15,
  get_current_comm: 16,
  redirect: 23,
  skb_load_bytes: 26,
  get_socket_cookie: 46,
  get_socket_uid: 47,
  sock_ops_cb_flags_set: 59,
  get_current_cgroup_id: 80,
  sk_fullsock: 95,
  sk_storage_get: 107,
  sk_storage_delete: 108,
  get_netns_cookie: 122,
  ktime_get_boot_ns: 125,
  sk_cgroup_id: 128,
  ringbuf_output: 130,
  ringbuf_reserve: 131,
  ringbuf_submit: 132,
  ringbuf_discard: 133,
  ringbuf_query: 134,
  copy_from_user: 148,
  ktime_get_coarse_ns: 160,
  get_retval: 186,
  set_retval: 187,
} as const;

export type HelperName = keyof typeof HELPER;

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(HELPER).map(([name, id]) => [id, name]),
);

/**
 * Name of a helper for listings.
 *
 * @param id its number
 * @returns the kernel's name without `bpf_`, or `helper_` and the number
 */
export function getHelperName(id: number): string {
  return NAMES.get(id) ?? `helper_${id}`;
}
