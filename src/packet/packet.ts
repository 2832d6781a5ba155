/**
 * A packet and its address: what a handle receives and sends.
 *
 * The bytes are the caller's or the handle's; nothing is copied, parsed or made before it is asked for.
 *
 * @module
 */

import { DivertError } from '../errors.ts';
import {
  ADDRESS_FLAGS,
  type Address,
  type AddressInit,
  decodeAddress,
  encodeFlags,
  encodeLayer,
} from './address.ts';
import { readUint8 } from './bytes.ts';
import { CHANGES, describeType } from './header-view.ts';
import { HeaderViews } from './header-views.ts';
import type { IcmpView, Icmpv6View } from './icmp.ts';
import type { IPv4View } from './ipv4.ts';
import type { IPv6View } from './ipv6.ts';
import { PacketScan, scanPacket } from './layout.ts';
import { endWithPayload, writeLengths } from './payload.ts';
import type { ProcessInfo } from './process-info.ts';
import {
  CHECKSUM_BITS,
  fixChecksums,
  isWhole,
  isWrong,
  NO_SUM,
  sumCovered,
} from './stale-checksums.ts';
import type { TcpView } from './tcp.ts';
import type { UdpView } from './udp.ts';

const NO_BYTES: Uint8Array = new Uint8Array(0);
/**
 * A packet from its IP header on.
 *
 * Setters of the views and assigning the payload mark the checksums they make stale; these are
 * computed once, on send. Bytes written through `bytes` are the caller's business, as in WinDivert:
 * `calcChecksums`, or clear the checksum's flag in `address`. What was received without being
 * retained is valid until the next turn.
 *
 * @example
 * for await (const packet of handle) {
 *   if (packet.tcp) packet.tcp.dstPort = 8080;
 *   handle.send(packet);
 * }
 */
export class Packet {
  /** Bytes that hold the packet. @internal */
  memory: Uint8Array = NO_BYTES;
  /** Where it starts in `memory`. @internal */
  offset = 0;
  /** Of the packet in bytes. Reading it, unlike `bytes`, leaves the packet unchanged. */
  length = 0;
  /** {@link ADDRESS_FLAGS} when last read from `address`: see `currentFlags`. @internal */
  flags = 0;
  #interfaceIndex = 0;
  #subInterfaceIndex = 0;
  #timestamp = 0n;
  #layer = 0;
  /** Checksums that were valid at first; one that is not any more was cleared by the caller. */
  #validAtFirst = 0;
  #changes = 0;
  /** Sum of what the transport checksum covers, from before the first change that needs it. */
  #sumBefore = NO_SUM;
  /** The wire may have changed it, and its transport checksum was not looked at yet. */
  #isDoubtful = false;
  /** Its transport checksum was wrong when it came: it stays wrong. */
  #wasWrong = false;
  readonly #scan: PacketScan = new PacketScan();
  #scanState: 'none' | 'bad' | 'good' = 'none';
  #address: Address | null = null;
  #bytes: Uint8Array | null = null;
  readonly #views: HeaderViews = new HeaderViews(this);
  #process: ProcessInfo | null = null;

  /**
   * A packet over the caller's bytes.
   *
   * @param bytes - from the IP header; written to by setters and on send
   * @param address - where it is going; a checksum that is not said to be valid is computed on send.
   * null: `rebind` follows
   * @throws TypeError when `bytes` is no Uint8Array
   */
  constructor(bytes: Uint8Array, address: AddressInit | null) {
    if (address === null) return;
    checkBytes(bytes, 'packet');
    const isIPv6 = address.ipv6 === undefined && bytes.length > 0 && readUint8(bytes, 0) >> 4 === 6;
    this.rebind(
      bytes,
      0,
      bytes.length,
      encodeFlags(address) | (isIPv6 ? ADDRESS_FLAGS.IPV6 : 0),
      address.interfaceIndex ?? address.ifIdx ?? 0,
      address.subInterfaceIndex ?? address.subIfIdx ?? 0,
      BigInt(address.timestamp ?? 0),
      encodeLayer(address.layer ?? 0),
    );
    this.#validAtFirst = CHECKSUM_BITS;
  }

  /**
   * Makes this the object of another packet: nothing of the former one is left. Allocates nothing.
   *
   * @internal
   */
  rebind(
    memory: Uint8Array,
    offset: number,
    length: number,
    flags: number,
    interfaceIndex: number,
    subInterfaceIndex: number,
    timestamp: bigint,
    layer: number,
  ): void {
    this.memory = memory;
    this.offset = offset;
    this.length = length;
    this.flags = flags;
    this.#validAtFirst = flags & CHECKSUM_BITS;
    this.#interfaceIndex = interfaceIndex;
    this.#subInterfaceIndex = subInterfaceIndex;
    this.#timestamp = timestamp;
    this.#layer = layer;
    this.#changes = 0;
    this.#sumBefore = NO_SUM;
    this.#isDoubtful = false;
    this.#wasWrong = false;
    this.#scanState = 'none';
    this.#address = null;
    this.#bytes = null;
    this.#process = null;
  }

  /**
   * Nobody has verified the checksum of this packet, which came from a wire. If it is wrong, the packet leaves with a
   * wrong one whatever is changed, so that the receiver notices.
   *
   * @internal
   */
  doubt(): void {
    this.#isDoubtful = true;
  }

  /** The packet's bytes, to read and to write. Nothing is fixed after what is written here. */
  get bytes(): Uint8Array {
    if (this.#isDoubtful) this.#verify();
    this.#changes |= CHANGES.BYTES | CHANGES.LAYOUT;
    const { memory, offset, length } = this;
    const isAll = offset === 0 && length === memory.length;
    this.#bytes ??= isAll ? memory : memory.subarray(offset, offset + length);
    return this.#bytes;
  }

  /** Bytes it had when it was seen: more than `bytes` has when a sniffing handle kept a part only. */
  get originalLength(): number {
    return this.length;
  }

  /** Where the packet was seen and is going. What is written to it counts on send. */
  get address(): Address {
    this.#address ??= decodeAddress(
      this.flags,
      this.#layer,
      this.#timestamp,
      this.#interfaceIndex,
      this.#subInterfaceIndex,
    );
    return this.#address;
  }

  /** {@link ADDRESS_FLAGS} with what the caller wrote to `address`; makes no object. @internal */
  currentFlags(): number {
    this.#readAddress();
    return this.flags;
  }

  /** Who owns the packet, where that is known. */
  get process(): ProcessInfo | null {
    return this.#process;
  }

  /** Says who owns it. @internal */
  attribute(info: ProcessInfo | null): void {
    this.#process = info;
  }

  /** The IPv4 header, null when there is none. */
  get ip(): IPv4View | null {
    if (!this.#isScanned()) return null;
    return this.#views.ip(this.memory, this.offset, this.#scan);
  }

  /** The IPv6 header, null when there is none. */
  get ipv6(): IPv6View | null {
    if (!this.#isScanned()) return null;
    return this.#views.ipv6(this.memory, this.offset, this.#scan);
  }

  /** The TCP header, null when there is none. */
  get tcp(): TcpView | null {
    if (!this.#isScanned()) return null;
    return this.#views.tcp(this.memory, this.offset, this.#scan);
  }

  /** The UDP header, null when there is none. */
  get udp(): UdpView | null {
    if (!this.#isScanned()) return null;
    return this.#views.udp(this.memory, this.offset, this.#scan);
  }

  /** The ICMP header of IPv4, null when there is none. */
  get icmp(): IcmpView | null {
    if (!this.#isScanned()) return null;
    return this.#views.icmp(this.memory, this.offset, this.#scan);
  }

  /** The ICMPv6 header, null when there is none. */
  get icmpv6(): Icmpv6View | null {
    if (!this.#isScanned()) return null;
    return this.#views.icmpv6(this.memory, this.offset, this.#scan);
  }

  /** Source address as text, of either IP version; null when there is no IP header. */
  get srcAddr(): string | null {
    return (this.ip ?? this.ipv6)?.srcAddr ?? null;
  }

  /** Destination address as text, of either IP version; null when there is no IP header. */
  get dstAddr(): string | null {
    return (this.ip ?? this.ipv6)?.dstAddr ?? null;
  }

  /** Source port of TCP or UDP, null otherwise. */
  get srcPort(): number | null {
    return (this.tcp ?? this.udp)?.srcPort ?? null;
  }

  /** Destination port of TCP or UDP, null otherwise. */
  get dstPort(): number | null {
    return (this.tcp ?? this.udp)?.dstPort ?? null;
  }

  /**
   * The payload for reading: sending a packet whose `payload` was asked for gives its bytes back to the
   * kernel, as they may have been changed. What is written here is not noticed.
   */
  readPayload(): Uint8Array {
    if (!this.#isScanned()) return NO_BYTES;
    const start = this.offset + this.#scan.payloadOffset;
    return this.memory.subarray(start, start + this.#scan.payloadLength);
  }

  /**
   * What is behind the transport header, or behind the IP headers when there is none; empty when
   * there is no IP header. In place: the checksum follows what is written here.
   *
   * Bytes of any length can be assigned. They are copied; the lengths in the IP and UDP headers
   * follow, extension headers and options stay, and what was behind the IP data is cut off. In a
   * fragment the UDP length, which is the whole datagram's, stays.
   *
   * @throws TypeError when something else is assigned
   * @throws RangeError when an IP packet cannot be that long
   * @throws DivertError `bad-packet` on assignment when there is no IP header
   */
  get payload(): Uint8Array {
    if (!this.#isScanned()) return NO_BYTES;
    this.#noteSum();
    if (this.#isDoubtful) this.#verify();
    this.#changes |= CHANGES.BYTES;
    return this.readPayload();
  }
  set payload(value: Uint8Array) {
    checkBytes(value, 'packet.payload');
    if (!this.#isScanned()) {
      throw new DivertError(
        'bad-packet',
        'The payload of a packet without an IP header was assigned.',
      );
    }
    this.#setPayload(value);
  }

  /**
   * Other bytes for the same packet. They are not copied, and are written to by setters and on send;
   * all checksums are computed on send.
   *
   * @param bytes - from the IP header, of any length
   * @throws TypeError when they are no Uint8Array
   */
  replace(bytes: Uint8Array): void {
    checkBytes(bytes, 'packet.replace');
    if (this.#isDoubtful) this.#verify();
    this.#move(bytes, 0, bytes.length);
    this.#changes = CHANGES.BYTES | CHANGES.IP | CHANGES.TRANSPORT;
    this.#sumBefore = NO_SUM;
    this.#follow();
  }

  /** A copy that is the caller's, with all that was changed so far. */
  retain(): Packet {
    const copy = new Packet(NO_BYTES, {});
    copy.assume(this);
    return copy;
  }

  /** Moves to memory of its own, with all that was changed so far. @internal */
  own(): void {
    const memory = this.memory.slice(this.offset, this.offset + this.length);
    this.#move(memory, 0, memory.length);
    this.#follow();
  }

  /** Takes over a copy of another packet and of the state of its changes. @internal */
  assume(from: Packet): void {
    from.#readAddress();
    const memory = from.memory.slice(from.offset, from.offset + from.length);
    this.rebind(
      memory,
      0,
      memory.length,
      from.flags,
      from.#interfaceIndex,
      from.#subInterfaceIndex,
      from.#timestamp,
      from.#layer,
    );
    this.#validAtFirst = from.#validAtFirst;
    this.#changes = from.#changes;
    this.#sumBefore = from.#sumBefore;
    this.#isDoubtful = from.#isDoubtful;
    this.#wasWrong = from.#wasWrong;
    this.#process = from.#process;
  }

  /**
   * Makes stale checksums right; afterwards the packet counts as unchanged. For senders.
   *
   * @returns false when the bytes are those that were there at first
   * @internal
   */
  finish(): boolean {
    this.#readAddress();
    const cleared = this.#validAtFirst & ~this.flags;
    if (this.#changes === 0 && cleared === 0) return false;
    if (this.#isScanned()) {
      const { memory, offset, flags } = this;
      const changes = this.#wasWrong ? this.#changes | CHANGES.WRONG : this.#changes;
      this.flags = fixChecksums(memory, offset, this.#scan, changes, flags, this.#sumBefore);
      if (this.#address) writeChecksumFlags(this.#address, this.flags);
    }
    this.#validAtFirst = this.flags & CHECKSUM_BITS;
    this.#changes = 0;
    this.#sumBefore = NO_SUM;
    return true;
  }

  /** Told by the views before each write. @internal */
  mark(changes: number): void {
    if (this.#isDoubtful) this.#verify();
    // Over a piece the checksum cannot be computed again, only mended by the difference.
    if (this.#isScanned() && !isWhole(this.#scan)) this.#noteSum();
    this.#changes |= changes;
    if ((changes & CHANGES.IP_ASSIGNED) !== 0) this.#claim(ADDRESS_FLAGS.IP_CHECKSUM);
    if ((changes & CHANGES.TRANSPORT_ASSIGNED) !== 0) {
      this.#claim(ADDRESS_FLAGS.TCP_CHECKSUM | ADDRESS_FLAGS.UDP_CHECKSUM);
    }
  }

  /** The caller says that these checksums are as they shall be. */
  #claim(flags: number): void {
    this.#readAddress();
    this.flags |= flags;
    if (this.#address) writeChecksumFlags(this.#address, this.flags);
  }

  /** Takes over what the caller wrote to the address object. */
  #readAddress(): void {
    const address = this.#address;
    if (!address) return;
    this.flags = encodeFlags(address);
    this.#interfaceIndex = address.interfaceIndex;
    this.#subInterfaceIndex = address.subInterfaceIndex;
    this.#timestamp = address.timestamp;
    this.#layer = encodeLayer(address.layer);
  }

  #isScanned(): boolean {
    if (this.#scanState === 'none' || (this.#changes & CHANGES.LAYOUT) !== 0) {
      const found = scanPacket(this.memory, this.offset, this.length, this.#scan);
      this.#scanState = found ? 'good' : 'bad';
    }
    return this.#scanState === 'good';
  }

  #noteSum(): void {
    if (this.#sumBefore !== NO_SUM) return;
    this.#sumBefore = sumCovered(this.memory, this.offset, this.#scan);
  }

  /** Before the first change: afterwards the sum says nothing about what came. */
  #verify(): void {
    this.#isDoubtful = false;
    if (!this.#isScanned()) return;
    const { memory, offset } = this;
    const isNoted = this.#sumBefore !== NO_SUM;
    const sum = isNoted ? this.#sumBefore : sumCovered(memory, offset, this.#scan);
    this.#wasWrong = isWrong(memory, offset, this.#scan, sum);
  }

  #setPayload(value: Uint8Array): void {
    const scan = this.#scan;
    const end = endWithPayload(scan, value.length);
    this.mark(CHANGES.BYTES | CHANGES.TRANSPORT);
    if (end <= this.length) {
      this.memory.set(value, this.offset + scan.payloadOffset);
      this.#move(this.memory, this.offset, end);
    } else {
      const memory = new Uint8Array(end);
      memory.set(this.memory.subarray(this.offset, this.offset + scan.payloadOffset));
      memory.set(value, scan.payloadOffset);
      this.#move(memory, 0, end);
    }
    if (end !== scan.ipLength) {
      this.#changes |= CHANGES.IP | CHANGES.PSEUDO_HEADER | CHANGES.LAYOUT;
      writeLengths(this.memory, this.offset, scan, end);
    }
    this.#follow();
  }

  #move(memory: Uint8Array, offset: number, length: number): void {
    this.memory = memory;
    this.offset = offset;
    this.length = length;
    this.#bytes = null;
    this.#scanState = 'none';
  }

  #follow(): void {
    if (this.#isScanned()) this.#views.follow(this.memory, this.offset, this.#scan);
  }
}

function checkBytes(value: Uint8Array, name: string): void {
  if (value instanceof Uint8Array) return;
  throw new TypeError(`${name}: expected a Uint8Array, got ${describeType(value)}`);
}

function writeChecksumFlags(address: Address, flags: number): void {
  address.ipChecksum = (flags & ADDRESS_FLAGS.IP_CHECKSUM) !== 0;
  address.tcpChecksum = (flags & ADDRESS_FLAGS.TCP_CHECKSUM) !== 0;
  address.udpChecksum = (flags & ADDRESS_FLAGS.UDP_CHECKSUM) !== 0;
}
