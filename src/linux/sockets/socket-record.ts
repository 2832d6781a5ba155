/**
 * What is kept of every socket: in socket storage for programs that have the socket at hand, its first
 * part also in a map by cookie for those that only have a packet.
 *
 * @module
 */

/**
 * Offsets in a socket's record. It begins with a `PROCESS_RECORD`: a pointer to one is a pointer to the
 * other. Addresses are words as in `event-layout.ts`, ports in host order.
 */
export const SOCKET_RECORD = {
  /** `PROCESS_RECORD`: whose socket it is. Process 0: not known. */
  PROCESS: 0,
  /** u64 */
  COOKIE: 32,
  /** u64, cookie of the listening socket that accepted this one, otherwise 0. */
  PARENT_COOKIE: 40,
  /** u64, monotonic nanoseconds, since when it is that process's. */
  OWNER_SINCE: 48,
  /** u32, bits of {@link SOCKET_FLAGS}. */
  FLAGS: 56,
  /** u32, AF_INET or AF_INET6. */
  FAMILY: 60,
  /** u64, monotonic nanoseconds, when the connection ended; 0: it did not. */
  CLOSED: 64,
  /** u64, SO_NETNS_COOKIE. From here to `CREATED`: the key of the socket's connection. */
  NETNS_COOKIE: 72,
  LOCAL_ADDRESS: 80,
  REMOTE_ADDRESS: 96,
  /** u16; 0 where unknown. */
  LOCAL_PORT: 112,
  /** u16; 0 where unknown. */
  REMOTE_PORT: 114,
  /** u32, IPPROTO_*. */
  PROTOCOL: 116,
  /** u64, monotonic nanoseconds; of a socket that was there before: when it was found. */
  CREATED: 120,
  /** u64, monotonic nanoseconds, when a TCP connection was established; otherwise 0. */
  ESTABLISHED: 128,
  /** Key under which packets without a socket find this one ({@link BOUND_KEY}); port 0: none. */
  BOUND: 136,
  BYTES: 168,
} as const;

/** Bits at {@link SOCKET_RECORD.FLAGS}. */
export const SOCKET_FLAGS = {
  /** Was there before the tracker: found in /proc. */
  BACKFILLED: 0x01,
  /** The process is a guess: that of the listening socket, or one of several that have the socket. */
  LIKELY: 0x02,
  BOUND: 0x04,
  /** `connect` was called. */
  CONNECTED: 0x08,
  LISTENING: 0x10,
  /** Made by the kernel for a connection from outside. */
  ACCEPTED: 0x20,
  ESTABLISHED: 0x40,
  /** Gets packets of one device only (SO_BINDTODEVICE). */
  ON_DEVICE: 0x80,
} as const;

/** Bytes from a record's beginning that are a value of the map by cookie. */
export const OWNER_BYTES = 80;

/** Bytes from {@link SOCKET_RECORD.NETNS_COOKIE} on that are the key of a connection. */
export const CONNECTION_KEY_BYTES = 48;

/** Offsets in the key of a bound socket. */
export const BOUND_KEY = {
  NETNS_COOKIE: 0,
  /** 0 words: any address; `::ffff:0.0.0.0`: any IPv4 address. */
  ADDRESS: 8,
  /** u32 */
  PORT: 24,
  /** u32 */
  PROTOCOL: 28,
  BYTES: 32,
} as const;

/** Offsets in what is known of a bound address: the owner of the first socket there, and how many there are. */
export const BOUND_VALUE = {
  OWNER: 0,
  /** u32 */
  SOCKETS: 80,
  /** u32, other than 0: sockets of several processes, or on one device only: nobody can say whose a packet is. */
  MIXED: 84,
  BYTES: 88,
} as const;
