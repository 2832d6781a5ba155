/**
 * `WINDIVERT_ADDRESS`, 80 bytes, laid out as in windivert.h 2.2.
 *
 * @module
 */
import { fillAddress } from '../filter/address-fields.ts';
import { MatchInput } from '../filter/match-input.ts';
import {
  ADDRESS_FLAGS,
  type AddressInit,
  EVENTS,
  encodeLayer,
  LAYERS,
  type Layer,
  type Wide,
} from '../packet/address.ts';
import {
  WINDIVERT_DATA_FLOW,
  WINDIVERT_DATA_NETWORK,
  WINDIVERT_DATA_REFLECT,
  type WINDIVERT_DATA_SOCKET,
} from './data.ts';
import { type Bit, Structure } from './structure.ts';

const ADDRESS_BYTES = 80;
const TIMESTAMP = 0;
const LAYER = 8;
const EVENT = 9;
/** One bit each, in the order of {@link ADDRESS_FLAGS}. */
const FLAGS = 10;
const RESERVED_1 = 11;
const RESERVED_2 = 12;
const DATA = 16;

/** Filled again for every address: nothing of it is kept. */
const input = new MatchInput();

/**
 * Where a packet or event was seen, and its state: accessors over 80 bytes.
 *
 * `Reserved2` names the packet of a receive, so that sending with the same address puts that packet
 * back. A program that copies an address copies it too.
 *
 * @example
 * const addr = new WINDIVERT_ADDRESS();
 * const recvLen = await WinDivertRecv(handle, packet, addr);
 * if (addr.Outbound) console.log(addr.Network.IfIdx);
 */
export class WINDIVERT_ADDRESS extends Structure {
  /** `sizeof(WINDIVERT_ADDRESS)`. */
  static readonly SIZE: number = ADDRESS_BYTES;
  #network: WINDIVERT_DATA_NETWORK | undefined;

  /**
   * @param bytes hold the address; by default, new ones
   * @param offset where it starts
   * @throws RangeError when 80 bytes do not fit
   */
  constructor(bytes: Uint8Array = new Uint8Array(ADDRESS_BYTES), offset = 0) {
    super(bytes, offset, ADDRESS_BYTES);
  }

  /** An array of addresses in one piece of memory, as `WINDIVERT_ADDRESS addr[count]` in C. */
  static array(count: number): WINDIVERT_ADDRESS[] {
    const memory = new Uint8Array(count * ADDRESS_BYTES);
    return Array.from(
      { length: count },
      (_, i) => new WINDIVERT_ADDRESS(memory, i * ADDRESS_BYTES),
    );
  }

  /**
   * An address as the rest of this package writes it.
   *
   * @throws {@link DivertError} `invalid-parameter` for text that is no event, number or IP address
   * @throws RangeError for a layer that there is not
   */
  static from(address: AddressInit): WINDIVERT_ADDRESS {
    return new WINDIVERT_ADDRESS().assign(address);
  }

  get Timestamp(): bigint {
    return this.view.getBigInt64(TIMESTAMP, true);
  }
  set Timestamp(value: bigint) {
    this.view.setBigInt64(TIMESTAMP, value, true);
  }
  /** `WINDIVERT_LAYER_*`: which of the union's structures is filled. */
  get Layer(): number {
    return this.view.getUint8(LAYER);
  }
  set Layer(value: number) {
    this.view.setUint8(LAYER, value);
  }
  /** `WINDIVERT_EVENT_*`. */
  get Event(): number {
    return this.view.getUint8(EVENT);
  }
  set Event(value: number) {
    this.view.setUint8(EVENT, value);
  }
  get Sniffed(): Bit {
    return this.getBit(FLAGS, ADDRESS_FLAGS.SNIFFED);
  }
  set Sniffed(value: boolean | number) {
    this.setBit(FLAGS, ADDRESS_FLAGS.SNIFFED, value);
  }
  get Outbound(): Bit {
    return this.getBit(FLAGS, ADDRESS_FLAGS.OUTBOUND);
  }
  set Outbound(value: boolean | number) {
    this.setBit(FLAGS, ADDRESS_FLAGS.OUTBOUND, value);
  }
  get Loopback(): Bit {
    return this.getBit(FLAGS, ADDRESS_FLAGS.LOOPBACK);
  }
  set Loopback(value: boolean | number) {
    this.setBit(FLAGS, ADDRESS_FLAGS.LOOPBACK, value);
  }
  get Impostor(): Bit {
    return this.getBit(FLAGS, ADDRESS_FLAGS.IMPOSTOR);
  }
  set Impostor(value: boolean | number) {
    this.setBit(FLAGS, ADDRESS_FLAGS.IMPOSTOR, value);
  }
  get IPv6(): Bit {
    return this.getBit(FLAGS, ADDRESS_FLAGS.IPV6);
  }
  set IPv6(value: boolean | number) {
    this.setBit(FLAGS, ADDRESS_FLAGS.IPV6, value);
  }
  /** The IPv4 header checksum is valid. Cleared: computed on send. */
  get IPChecksum(): Bit {
    return this.getBit(FLAGS, ADDRESS_FLAGS.IP_CHECKSUM);
  }
  set IPChecksum(value: boolean | number) {
    this.setBit(FLAGS, ADDRESS_FLAGS.IP_CHECKSUM, value);
  }
  get TCPChecksum(): Bit {
    return this.getBit(FLAGS, ADDRESS_FLAGS.TCP_CHECKSUM);
  }
  set TCPChecksum(value: boolean | number) {
    this.setBit(FLAGS, ADDRESS_FLAGS.TCP_CHECKSUM, value);
  }
  get UDPChecksum(): Bit {
    return this.getBit(FLAGS, ADDRESS_FLAGS.UDP_CHECKSUM);
  }
  set UDPChecksum(value: boolean | number) {
    this.setBit(FLAGS, ADDRESS_FLAGS.UDP_CHECKSUM, value);
  }
  get Reserved1(): number {
    return this.view.getUint8(RESERVED_1);
  }
  set Reserved1(value: number) {
    this.view.setUint8(RESERVED_1, value);
  }
  /** Which received packet this is, 0: none. */
  get Reserved2(): number {
    return this.view.getUint32(RESERVED_2, true);
  }
  set Reserved2(value: number) {
    this.view.setUint32(RESERVED_2, value, true);
  }

  get Network(): WINDIVERT_DATA_NETWORK {
    // Kept: it is asked for with every packet, and making one takes half a microsecond (measured).
    this.#network ??= new WINDIVERT_DATA_NETWORK(this.bytes, DATA);
    return this.#network;
  }
  get Flow(): WINDIVERT_DATA_FLOW {
    return new WINDIVERT_DATA_FLOW(this.bytes, DATA);
  }
  get Socket(): WINDIVERT_DATA_SOCKET {
    return new WINDIVERT_DATA_FLOW(this.bytes, DATA);
  }
  get Reflect(): WINDIVERT_DATA_REFLECT {
    return new WINDIVERT_DATA_REFLECT(this.bytes, DATA);
  }
  /** The 64 bytes of the union. */
  get Reserved3(): Uint8Array {
    return this.bytes.subarray(DATA);
  }

  /**
   * Overwrites all of it.
   *
   * @param address absent keys are 0 or false, an absent layer is the network layer
   */
  assign(address: AddressInit): this {
    const layer = encodeLayer(address.layer ?? 0);
    fillAddress(input, address, LAYERS[layer] ?? LAYERS[0]);
    this.bytes.fill(0);
    this.view.setInt32(TIMESTAMP, input.timestampLow, true);
    this.view.setInt32(TIMESTAMP + 4, input.timestampHigh, true);
    this.Layer = layer;
    this.Event = input.event;
    this.view.setUint8(FLAGS, input.flags);
    this.#assignData(LAYERS[layer] ?? LAYERS[0], address);
    return this;
  }

  /** The address as the rest of this package reads it, with the fields its layer has. */
  toAddress(): AddressInit {
    const layer = LAYERS[this.Layer] ?? this.Layer;
    return {
      timestamp: this.Timestamp,
      layer,
      event: EVENTS[this.Event] ?? this.Event,
      sniffed: this.Sniffed === 1,
      outbound: this.Outbound === 1,
      loopback: this.Loopback === 1,
      impostor: this.Impostor === 1,
      ipv6: this.IPv6 === 1,
      ipChecksum: this.IPChecksum === 1,
      tcpChecksum: this.TCPChecksum === 1,
      udpChecksum: this.UDPChecksum === 1,
      ...this.#readData(layer),
    };
  }

  #assignData(layer: Layer, address: AddressInit): void {
    if (layer === 'network' || layer === 'forward') {
      this.Network.IfIdx = input.interfaceIndex;
      this.Network.SubIfIdx = input.subInterfaceIndex;
    } else if (layer === 'reflect') {
      const data = this.Reflect;
      data.Timestamp = toBigInt(address.openTimestamp);
      data.ProcessId = input.processId;
      data.Layer = input.handleLayer;
      data.Flags = toBigInt(address.flags);
      data.Priority = input.priority;
    } else {
      const data = this.Flow;
      data.EndpointId = toBigInt(address.endpointId);
      data.ParentEndpointId = toBigInt(address.parentEndpointId);
      data.ProcessId = input.processId;
      data.LocalAddr = [input.local0, input.local1, input.local2, input.local3];
      data.RemoteAddr = [input.remote0, input.remote1, input.remote2, input.remote3];
      data.LocalPort = input.localPort;
      data.RemotePort = input.remotePort;
      data.Protocol = input.protocol;
    }
  }

  #readData(layer: Layer | number): AddressInit {
    if (layer === 'network' || layer === 'forward') {
      const { IfIdx, SubIfIdx } = this.Network;
      return { interfaceIndex: IfIdx, subInterfaceIndex: SubIfIdx };
    }
    if (layer === 'reflect') {
      const { Timestamp, ProcessId, Layer, Flags, Priority } = this.Reflect;
      return {
        openTimestamp: Timestamp,
        processId: ProcessId,
        handleLayer: LAYERS[Layer] ?? Layer,
        flags: Flags,
        priority: Priority,
      };
    }
    const data = this.Flow;
    return {
      endpointId: data.EndpointId,
      parentEndpointId: data.ParentEndpointId,
      processId: data.ProcessId,
      localAddress: [...data.LocalAddr],
      remoteAddress: [...data.RemoteAddr],
      localPort: data.LocalPort,
      remotePort: data.RemotePort,
      protocol: data.Protocol,
    };
  }
}

function toBigInt(value: Wide | undefined): bigint {
  return BigInt(value ?? 0);
}
