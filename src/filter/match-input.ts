/**
 * What a filter is evaluated on: a packet in memory and its address as plain numbers. One object is
 * filled again for every packet, so that evaluation allocates nothing.
 *
 * @module
 */

/** What evaluation says. A filter that reaches a field its layer does not have is an invalid parameter. */
export const MATCH = { NO: 0, YES: 1, INVALID: 2 } as const;
export type MatchResult = (typeof MATCH)[keyof typeof MATCH];

/** Evaluates one filter; keeps no reference to its input. */
export type Matcher = (input: MatchInput) => MatchResult;

/** {@link MatchInput.length} where there is no packet: the event layers. */
export const NO_PACKET = -1;

const NOTHING: Uint8Array = new Uint8Array(0);

/**
 * A packet and its address. 32-bit values may be signed or unsigned, only their bits count; 64-bit
 * values are two such halves.
 */
export class MatchInput {
  /** Bytes that hold the packet. */
  memory: Uint8Array = NOTHING;
  /** Where the packet starts in `memory`. */
  offset = 0;
  /** Length of the packet in bytes, or {@link NO_PACKET}. */
  length: number = NO_PACKET;
  /** Bits of `ADDRESS_FLAGS`. */
  flags = 0;
  /** `WINDIVERT_EVENT`, 0..9. */
  event = 0;
  interfaceIndex = 0;
  subInterfaceIndex = 0;
  timestampLow = 0;
  timestampHigh = 0;
  endpointIdLow = 0;
  endpointIdHigh = 0;
  parentEndpointIdLow = 0;
  parentEndpointIdHigh = 0;
  processId = 0;
  /** Extended dialect: whether the process is known, and with it `userId` and its name; on packets `processId`, too. */
  hasProcess = false;
  userId = 0;
  /** The 16 bytes of the process name (`comm`), zeros behind it, as little-endian 32-bit words. */
  processName0 = 0;
  processName1 = 0;
  processName2 = 0;
  processName3 = 0;
  /** Words of the local address, the least significant first. */
  local0 = 0;
  local1 = 0;
  local2 = 0;
  local3 = 0;
  /** Words of the remote address, the least significant first. */
  remote0 = 0;
  remote1 = 0;
  remote2 = 0;
  remote3 = 0;
  localPort = 0;
  remotePort = 0;
  protocol = 0;
  /** Reflect: the layer of the handle, 0..4. */
  handleLayer = 0;
  /** Reflect: the priority of the handle, -30000..30000. */
  priority = 0;
}
