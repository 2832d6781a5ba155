/**
 * What the programs of a flow handle keep: of TCP connections the record, with the socket; of UDP and
 * ICMP flows an entry in a table.
 *
 * @module
 */

/** Offsets in a key of the table of flows. */
export const FLOW_KEY = {
  /** u64, of the socket. */
  COOKIE: 0,
  /** Words as in records. */
  REMOTE_ADDRESS: 8,
  /** u16: the remote port; of ICMP the type that begins such a conversation, and the code. */
  REMOTE_PORT: 24,
  /** u8 */
  PROTOCOL: 26,
  BYTES: 32,
} as const;

/** Offsets in a value of the table of flows. */
export const FLOW_VALUE = {
  /** u64, monotonic nanoseconds of the latest packet. */
  LAST_SEEN: 0,
  /** The record with which the flow began, `SOCKET_EVENT`. */
  RECORD: 8,
  BYTES: 120,
} as const;

/** Flows without connections that one handle keeps at the same time. */
export const MAX_FLOWS = 65_536;

/** Numbers of events (`WINDIVERT_EVENT`). */
export const FLOW_EVENT = { ESTABLISHED: 1, DELETED: 2 } as const;

/** In `EVENT_NOTES`, never seen outside: the socket of this cookie is gone, and with it its flows. */
export const RELEASED_NOTE = 0x80;

/**
 * Offsets from the frame pointer of the program for packets. The record is where it always is, the 112
 * bytes below the frame pointer.
 */
export const FLOW_FRAME = {
  /** Directly in front of the record: together they are a value of the table. */
  VALUE: -120,
  KEY: -152,
  /** Copy of the IP header. */
  HEADER: -192,
  /** The first four bytes behind it: ports, or type and code. */
  TRANSPORT: -200,
  /** u64, where those are in the packet. */
  TRANSPORT_OFFSET: -208,
  /** Two bytes of an extension header. */
  EXTENSION: -216,
} as const;
