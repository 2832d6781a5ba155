/**
 * Records of the event layers, as programs in the kernel write them: a `WINDIVERT_ADDRESS`
 * (windivert.h 2.2), and behind it what Linux knows besides.
 *
 * Numbers are little-endian, addresses four words in host order, the least significant first, IPv4
 * as `::ffff:a.b.c.d`.
 *
 * @module
 */

/** Offsets of what every record has. */
export const EVENT_RECORD = {
  /** u64, nanoseconds on the monotonic clock. */
  TIMESTAMP: 0,
  /** u8, index into `LAYERS`. */
  LAYER: 8,
  /** u8, index into `EVENTS`. */
  EVENT: 9,
  /** u8, bits of `ADDRESS_FLAGS`. */
  FLAGS: 10,
  /** u8, bits of {@link EVENT_NOTES}. */
  NOTES: 11,
  /** u32, which filter of the handle decided: it may have been swapped since. */
  GENERATION: 12,
} as const;

/** Bits at {@link EVENT_RECORD.NOTES}. */
export const EVENT_NOTES = {
  /** The socket has no local address and port yet, or the program cannot see them. */
  LOCAL_UNKNOWN: 0x01,
  /** The operation was refused. */
  BLOCKED: 0x02,
} as const;

/** Offsets of records of the flow and socket layers. */
export const SOCKET_EVENT = {
  TIMESTAMP: 0,
  LAYER: 8,
  EVENT: 9,
  FLAGS: 10,
  NOTES: 11,
  GENERATION: 12,
  /** u64, the socket's cookie (SO_COOKIE). */
  ENDPOINT_ID: 16,
  /** u64, cookie of the listening socket of an accepted one, otherwise 0. */
  PARENT_ENDPOINT_ID: 24,
  /** u32, thread group id in the initial pid namespace, 0 where unknown. */
  PROCESS_ID: 32,
  LOCAL_ADDRESS: 36,
  REMOTE_ADDRESS: 52,
  /** u16, host order. ICMP: the type. */
  LOCAL_PORT: 68,
  /** u16, host order. ICMP: the code. */
  REMOTE_PORT: 70,
  /** u8, IPPROTO_*. */
  PROTOCOL: 72,
  /** u32, 0xffffffff where unknown. */
  USER_ID: 80,
  /** 16 bytes, NUL-terminated: the kernel's name of the process. */
  PROCESS_NAME: 88,
  /** u64, id of the control group, 0 where unknown. */
  CGROUP_ID: 104,
  BYTES: 112,
} as const;

/** Offsets of records of the reflect layer. */
export const REFLECT_EVENT = {
  TIMESTAMP: 0,
  LAYER: 8,
  EVENT: 9,
  FLAGS: 10,
  NOTES: 11,
  GENERATION: 12,
  /** i64, when the handle was opened, nanoseconds on the monotonic clock. */
  OPEN_TIMESTAMP: 16,
  /** u32 */
  PROCESS_ID: 24,
  /** u32, index into `LAYERS`. */
  HANDLE_LAYER: 28,
  /** u64, `WINDIVERT_FLAG_*`. */
  HANDLE_FLAGS: 32,
  /** i16 */
  PRIORITY: 40,
  /** u32, bytes of the object string. */
  OBJECT_LENGTH: 80,
  /** u32, bytes of the filter text, UTF-8. */
  TEXT_LENGTH: 84,
  /** u64, names the handle on this machine. */
  HANDLE_ID: 88,
  /** The object string, then the text. */
  STRINGS: 96,
} as const;

/** Offsets in what is known of a socket's process, as programs in the kernel pass it on. */
export const PROCESS_RECORD = {
  /** u32, thread group id in the initial pid namespace. */
  PROCESS_ID: 0,
  /** u32 */
  USER_ID: 4,
  /** u64, id of the control group. */
  CGROUP_ID: 8,
  /** 16 bytes, NUL-terminated. */
  NAME: 16,
  BYTES: 32,
} as const;
