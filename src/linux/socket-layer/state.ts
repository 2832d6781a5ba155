/**
 * What the programs of one handle remember: of sockets, of the ports they listen on, and of the
 * remote ends of datagram sockets.
 *
 * @module
 */
import { withBtf } from '../bpf/btf.ts';
import { BPF_MAP_FLAG } from '../bpf/constants.ts';
import { BpfMap } from '../bpf/map.ts';

/** Offsets in what is kept with a socket (`BPF_MAP_TYPE_SK_STORAGE`); accepted ones begin with their listener's. */
export const STATE = {
  /** u64, the socket's cookie. */
  ENDPOINT_ID: 0,
  /** u64, cookie of the listening socket of an accepted one. */
  PARENT_ENDPOINT_ID: 8,
  LOCAL_ADDRESS: 16,
  REMOTE_ADDRESS: 32,
  /** u16, host order, with the remote one behind it. */
  LOCAL_PORT: 48,
  REMOTE_PORT: 50,
  /** u32, bits of {@link STATE_NOTE}. */
  NOTES: 52,
  /** u8, IPPROTO_*. */
  PROTOCOL: 56,
  /** u8, bits of `ADDRESS_FLAGS`. */
  FLAGS: 57,
  /** `PROCESS_RECORD`. */
  PROCESS: 64,
  BYTES: 96,
} as const;

/** Bits at {@link STATE.NOTES}. */
export const STATE_NOTE = {
  /** It was bound, connected, listening or accepted: its end is an event. */
  USED: 1,
  /** The end was an event already. */
  CLOSED: 2,
  /** It was accepted, or waits for that. */
  CHILD: 4,
  /** It is counted in the map of bound ports. */
  BOUND: 8,
  /** The kernel chooses its local end after the program has run. */
  LOCAL_UNKNOWN: 16,
  /** It was used before the handle was there. */
  ADOPTED: 32,
} as const;

/** Offsets in the key of a bound port. */
export const BOUND_KEY = { ADDRESS: 0, PORT: 16, PROTOCOL: 18, BYTES: 20 } as const;

/** Offsets in the value of a bound port. */
export const BOUND = {
  /** u32: several sockets may share a port (SO_REUSEPORT). */
  COUNT: 0,
  /** u32: a refused listener that was not destroyed yet. */
  REFUSED: 4,
  /** u64, cookie of the last one. */
  ENDPOINT_ID: 8,
  /** `PROCESS_RECORD` of the last one. */
  PROCESS: 16,
  BYTES: 48,
} as const;

/** Offsets in the key of a datagram flow: local port and remote end. */
export const FLOW_KEY = { ADDRESS: 0, LOCAL_PORT: 16, REMOTE_PORT: 18, BYTES: 20 } as const;

/** Offsets in the value of a datagram flow. */
export const FLOW = {
  /** u64, cookie of the socket. */
  ENDPOINT_ID: 0,
  /** u64, one of {@link FLOW_KIND}. */
  KIND: 8,
  BYTES: 16,
} as const;

/** Who began a datagram flow, or that it was refused and that reported. */
export const FLOW_KIND = { SENT: 1, ACCEPTED: 2, REFUSED: 3 } as const;

/** Ports that are listened on in one namespace. */
const MAX_BOUND_PORTS = 65_536;
/** Remote ends of datagram sockets; the one least recently used is forgotten. */
const MAX_FLOWS = 16_384;

/** The maps of a handle. */
export interface SocketMaps {
  readonly state: BpfMap;
  readonly bound: BpfMap;
  readonly flows: BpfMap;
  close(): void;
}

/** @param name of the maps, for listings */
export function createMaps(name: string): SocketMaps {
  const maps: BpfMap[] = [];
  const create = (options: Omit<ConstructorParameters<typeof BpfMap>[0], 'name'>): BpfMap => {
    const map = new BpfMap({ name, ...options });
    maps.push(map);
    return map;
  };
  const close = (): void => {
    for (const map of maps) map.close();
  };
  const { BPF_F_NO_PREALLOC } = BPF_MAP_FLAG;
  try {
    return {
      state: createState(create),
      bound: create({
        type: 'HASH',
        keyBytes: BOUND_KEY.BYTES,
        valueBytes: BOUND.BYTES,
        maxEntries: MAX_BOUND_PORTS,
        flags: BPF_F_NO_PREALLOC,
      }),
      flows: create({
        type: 'LRU_HASH',
        keyBytes: FLOW_KEY.BYTES,
        valueBytes: FLOW.BYTES,
        maxEntries: MAX_FLOWS,
      }),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function createState(
  create: (options: Omit<ConstructorParameters<typeof BpfMap>[0], 'name'>) => BpfMap,
): BpfMap {
  return withBtf(STATE.BYTES, (btfFd) =>
    create({
      type: 'SK_STORAGE',
      keyBytes: 4,
      valueBytes: STATE.BYTES,
      maxEntries: 0,
      flags: BPF_MAP_FLAG.BPF_F_NO_PREALLOC | BPF_MAP_FLAG.BPF_F_CLONE,
      btfFd,
    }),
  );
}
