/**
 * What the event layers report: flows, socket operations and handles.
 *
 * @module
 */
import type { Layer } from '../packet/address.ts';

/** What every event says. */
interface CommonEvent {
  /** Nanoseconds on the monotonic clock. */
  readonly timestamp: bigint;
  /** The process it is about, its id in the initial pid namespace; 0 where unknown. */
  readonly processId: number;
}

/** One end of a flow or socket, the other end, and whose it is. */
interface EndpointEvent extends CommonEvent {
  /** As the kernel names the process, at most 15 characters; empty where unknown. */
  readonly processName: string;
  /** User of the process; null where unknown. */
  readonly userId: number | null;
  /** The socket's cookie (SO_COOKIE). */
  readonly endpointId: bigint;
  /** For an accepted connection the cookie of the listening socket, otherwise 0. */
  readonly parentEndpointId: bigint;
  /** IPPROTO_*: 6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6. */
  readonly protocol: number;
  readonly localAddress: string;
  /** Of ICMP flows the type of the first message. */
  readonly localPort: number;
  readonly remoteAddress: string;
  /** Of ICMP flows the code of the first message. */
  readonly remotePort: number;
  readonly outbound: boolean;
  readonly loopback: boolean;
  /** Addresses are IPv6. What an IPv6 socket does with IPv4 (`::ffff:a.b.c.d`) is IPv4. */
  readonly ipv6: boolean;
}

/** A flow began or ended (WINDIVERT_LAYER_FLOW). */
export interface FlowEvent extends EndpointEvent {
  readonly layer: 'flow';
  readonly event: 'established' | 'deleted';
}

/** A socket operation (WINDIVERT_LAYER_SOCKET). */
export interface SocketEvent extends EndpointEvent {
  readonly layer: 'socket';
  readonly event: 'bind' | 'connect' | 'listen' | 'accept' | 'close';
  /** Only reported: it was not blocked. */
  readonly sniffed: boolean;
}

/** A handle was opened or closed (WINDIVERT_LAYER_REFLECT). */
export interface ReflectEvent extends CommonEvent {
  readonly event: 'open' | 'close';
  /** When the handle was opened, as `timestamp`. */
  readonly openedAt: bigint;
  /** Layer of the handle. */
  readonly layer: Layer;
  /** `WINDIVERT_FLAG_*` of the handle. */
  readonly flags: bigint;
  readonly priority: number;
  /** Text of its filter. */
  readonly filter: string;
  /** Object string of its filter, empty where it has none. */
  readonly object: string;
  /** Names the handle on this machine. */
  readonly handleId: bigint;
}

/** What a handle on one of the event layers receives. */
export type DivertEvent = FlowEvent | SocketEvent | ReflectEvent;

/** A handle that is open, of any process. */
export interface HandleInfo {
  /** In the initial pid namespace. */
  readonly processId: number;
  /** As the kernel names the process; empty where unknown. */
  readonly processName: string;
  /** Nanoseconds on the monotonic clock. */
  readonly openedAt: bigint;
  readonly layer: Layer;
  /** `WINDIVERT_FLAG_*`. */
  readonly flags: bigint;
  readonly priority: number;
  /** Text of its filter. */
  readonly filter: string;
  /** Object string of its filter, empty where it has none. */
  readonly object: string;
  /** Names the handle on this machine. */
  readonly handleId: bigint;
}
