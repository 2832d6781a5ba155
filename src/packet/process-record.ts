/**
 * What programs in the kernel know of the process behind a packet: one record per socket.
 *
 * Numbers are little-endian.
 *
 * @module
 */

/** Offsets in the record. */
export const PROCESS_RECORD = {
  /** u32, thread group id in the initial pid namespace. */
  PROCESS_ID: 0,
  /** u32, effective user id. */
  USER_ID: 4,
  /** 16 bytes (`TASK_COMM_LEN`), zeros behind the name. */
  NAME: 16,
  BYTES: 32,
} as const;
