/**
 * The tracker's maps, as programs know them.
 *
 * @module
 */
/** Descriptors of the tracker's maps. */
export interface TrackerMaps {
  /** Socket storage: a record each. */
  readonly storageFd: number;
  /** By cookie: the beginning of a record. */
  readonly ownersFd: number;
  /** By process id: {@link NAME_VALUE}. null: names are not followed. */
  readonly namesFd: number | null;
  /** Ring buffer of processes that have their first socket: {@link PROCESS_EVENT}. */
  readonly eventsFd: number;
  /** By address and port: what unconnected sockets and listening ones are bound to. */
  readonly boundFd: number;
  /** By both addresses and ports: TCP connections, also those that ended a moment ago. */
  readonly connectionsFd: number;
}

/** Offsets in what is known of a process. */
export const NAME_VALUE = {
  /** 16 bytes, NUL-terminated: the name of the first thread. */
  NAME: 0,
  NAME_BYTES: 16,
  /** u32, other than 0: an event told of it. */
  ANNOUNCED: 16,
  BYTES: 24,
} as const;

/** Offsets in the event of a process that has its first socket. */
export const PROCESS_EVENT = {
  /** u64, monotonic nanoseconds. */
  TIMESTAMP: 0,
  /** `PROCESS_RECORD` */
  PROCESS: 8,
  BYTES: 40,
} as const;
