/**
 * What `WINDIVERT_ADDRESS` holds: where a packet or event was seen, and its state.
 *
 * @module
 */

/** The five layers, in the order of `WINDIVERT_LAYER` (0..4). */
export const LAYERS = ['network', 'forward', 'flow', 'socket', 'reflect'] as const;
export type Layer = (typeof LAYERS)[number];

/** The ten events, in the order of `WINDIVERT_EVENT` (0..9). */
export const EVENTS = [
  'packet',
  'established',
  'deleted',
  'bind',
  'connect',
  'listen',
  'accept',
  'close',
  'open',
  'close',
] as const;
export type EventName = (typeof EVENTS)[number];

/** A 64-bit value: bigint, safe number, or decimal string (may be negative). */
export type Wide = bigint | number | string;

/** An IP address: text, or four 32-bit words, least significant first (IPv4 as `[v4, 0xffff, 0, 0]`). */
export type AddressValue = string | readonly [number, number, number, number] | readonly number[];

/** What the receiver of a network or forward packet is told about it. */
export interface Address {
  /** Nanoseconds on the monotonic clock. */
  timestamp: bigint;
  layer: Layer;
  event: EventName;
  sniffed: boolean;
  outbound: boolean;
  loopback: boolean;
  impostor: boolean;
  ipv6: boolean;
  /** The IPv4 header checksum is valid. Cleared: computed on send. */
  ipChecksum: boolean;
  /** The TCP checksum is valid. Cleared: computed on send. */
  tcpChecksum: boolean;
  /** The UDP checksum is valid. Cleared: computed on send. */
  udpChecksum: boolean;
  interfaceIndex: number;
  subInterfaceIndex: number;
}

/** A partial address as callers write it. Absent keys are 0 or false. */
export interface AddressInit {
  timestamp?: Wide;
  /** Name or number 0..4. Absent: the layer of the filter or handle it is used with. */
  layer?: Layer | number;
  /** Name or number 0..9. */
  event?: EventName | number;
  sniffed?: boolean | number;
  outbound?: boolean | number;
  loopback?: boolean | number;
  impostor?: boolean | number;
  ipv6?: boolean | number;
  ipChecksum?: boolean | number;
  tcpChecksum?: boolean | number;
  udpChecksum?: boolean | number;
  interfaceIndex?: number;
  subInterfaceIndex?: number;
  /** The same field as `interfaceIndex`. */
  ifIdx?: number;
  /** The same field as `subInterfaceIndex`. */
  subIfIdx?: number;
  endpointId?: Wide;
  parentEndpointId?: Wide;
  processId?: number;
  /** Of the process, for filters of the extended dialect. */
  userId?: number;
  /** Of the process, for filters of the extended dialect; 15 bytes count. */
  processName?: string;
  localAddr?: AddressValue;
  remoteAddr?: AddressValue;
  /** The same field as `localAddr`. */
  localAddress?: AddressValue;
  /** The same field as `remoteAddr`. */
  remoteAddress?: AddressValue;
  localPort?: number;
  remotePort?: number;
  protocol?: number;
  /** Reflect: when the handle was opened. */
  openTimestamp?: Wide;
  /** Reflect: layer of the handle. */
  handleLayer?: Layer | number;
  /** Reflect: flags of the handle. */
  flags?: Wide;
  /** Reflect: priority of the handle. */
  priority?: number;
}

/** The flag bits of `WINDIVERT_ADDRESS`, in its order, shifted down to bit 0. */
export const ADDRESS_FLAGS = {
  SNIFFED: 0x01,
  OUTBOUND: 0x02,
  LOOPBACK: 0x04,
  IMPOSTOR: 0x08,
  IPV6: 0x10,
  IP_CHECKSUM: 0x20,
  TCP_CHECKSUM: 0x40,
  UDP_CHECKSUM: 0x80,
} as const;

/** What `WINDIVERT_ADDRESS` calls the event of the network and forward layers. */
const PACKET_EVENT = EVENTS[0];

const FLAG_KEYS = [
  ['sniffed', ADDRESS_FLAGS.SNIFFED],
  ['outbound', ADDRESS_FLAGS.OUTBOUND],
  ['loopback', ADDRESS_FLAGS.LOOPBACK],
  ['impostor', ADDRESS_FLAGS.IMPOSTOR],
  ['ipv6', ADDRESS_FLAGS.IPV6],
  ['ipChecksum', ADDRESS_FLAGS.IP_CHECKSUM],
  ['tcpChecksum', ADDRESS_FLAGS.TCP_CHECKSUM],
  ['udpChecksum', ADDRESS_FLAGS.UDP_CHECKSUM],
] as const;

/** The bits of {@link ADDRESS_FLAGS} that an address has set. @internal */
export function encodeFlags(address: AddressInit): number {
  let flags = 0;
  for (const [key, flag] of FLAG_KEYS) if (address[key]) flags |= flag;
  return flags;
}

/**
 * Number of a layer given by name or number.
 *
 * @throws RangeError for one that there is not
 * @internal
 */
export function encodeLayer(layer: Layer | number): number {
  const number = typeof layer === 'number' ? layer : LAYERS.indexOf(layer);
  if (LAYERS[number] !== undefined) return number;
  throw new RangeError(`address.layer: expected ${LAYERS.join(', ')} or 0..4, got ${layer}`);
}

/** The address of a packet as callers see it. @internal */
export function decodeAddress(
  flags: number,
  layer: number,
  timestamp: bigint,
  interfaceIndex: number,
  subInterfaceIndex: number,
): Address {
  return {
    timestamp,
    layer: LAYERS[layer] ?? LAYERS[0],
    event: PACKET_EVENT,
    sniffed: (flags & ADDRESS_FLAGS.SNIFFED) !== 0,
    outbound: (flags & ADDRESS_FLAGS.OUTBOUND) !== 0,
    loopback: (flags & ADDRESS_FLAGS.LOOPBACK) !== 0,
    impostor: (flags & ADDRESS_FLAGS.IMPOSTOR) !== 0,
    ipv6: (flags & ADDRESS_FLAGS.IPV6) !== 0,
    ipChecksum: (flags & ADDRESS_FLAGS.IP_CHECKSUM) !== 0,
    tcpChecksum: (flags & ADDRESS_FLAGS.TCP_CHECKSUM) !== 0,
    udpChecksum: (flags & ADDRESS_FLAGS.UDP_CHECKSUM) !== 0,
    interfaceIndex,
    subInterfaceIndex,
  };
}
