/**
 * An Ethernet frame around a packet, as devices get them.
 *
 * @module
 */
import { readUint16, writeUint16 } from '../../packet/bytes.ts';
import { allocate, type Memory } from '../sys/memory.ts';

export const ETHERNET_HEADER_BYTES = 14;
const SOURCE = 6;
const TYPE = 12;
const ETHERTYPE = { IPV4: 0x0800, IPV6: 0x86dd } as const;
const LONGEST_PACKET_BYTES = 65_575;

const IPV4_TTL = 8;
const IPV4_CHECKSUM = 10;
const IPV4_DESTINATION = 16;
const IPV6_HOP_LIMIT = 7;
const IPV6_DESTINATION = 24;
const LARGEST_TTL = 255;

export class Frame {
  readonly memory: Memory = allocate(ETHERNET_HEADER_BYTES + LONGEST_PACKET_BYTES);
  length = 0;

  /**
   * @param packet a whole IP packet, at most 65,575 bytes
   * @param device hardware address of the device it comes in on, 6 bytes
   * @param interfaceIndex of that device; written in place of the source address
   */
  fill(packet: Uint8Array, device: Uint8Array, interfaceIndex: number): void {
    const { bytes, view } = this.memory;
    const isIPv6 = (packet[0] ?? 0) >> 4 === 6;
    bytes.set(device, 0);
    addressGroup(bytes, packet, isIPv6);
    view.setUint32(SOURCE, interfaceIndex, true);
    view.setUint16(TYPE, isIPv6 ? ETHERTYPE.IPV6 : ETHERTYPE.IPV4);
    bytes.set(packet, ETHERNET_HEADER_BYTES);
    this.length = ETHERNET_HEADER_BYTES + packet.length;
  }

  /** Gives the packet the hop that forwarding takes from it. One with 255 hops has no more. */
  addHop(): void {
    const { bytes } = this.memory;
    const isIPv6 = (bytes[ETHERNET_HEADER_BYTES] ?? 0) >> 4 === 6;
    const at = ETHERNET_HEADER_BYTES + (isIPv6 ? IPV6_HOP_LIMIT : IPV4_TTL);
    const hops = bytes[at] ?? 0;
    if (hops === LARGEST_TTL) return;
    bytes[at] = hops + 1;
    if (isIPv6) return;
    const field = ETHERNET_HEADER_BYTES + IPV4_CHECKSUM;
    // The sum gained 0x0100, so its complement loses it, borrow around (RFC 1624).
    const checksum = readUint16(bytes, field) - 0x0100;
    writeUint16(bytes, field, checksum < 0 ? checksum + 0xffff : checksum);
  }
}

/** Multicast and broadcast packets come in frames for a group, or the stack takes them for addressed to us. */
function addressGroup(frame: Uint8Array, packet: Uint8Array, isIPv6: boolean): void {
  const at = isIPv6 ? IPV6_DESTINATION : IPV4_DESTINATION;
  const first = packet[at] ?? 0;
  if (isIPv6) {
    if (first !== 0xff) return;
    frame.fill(0x33, 0, 2);
    for (let index = 0; index < 4; index++) frame[2 + index] = packet[at + 12 + index] ?? 0;
  } else if (first >= 224 && first < 240) {
    // RFC 1112 section 6.4: 01:00:5e and the low 23 bits.
    frame.set([0x01, 0x00, 0x5e, (packet[at + 1] ?? 0) & 0x7f], 0);
    for (let index = 0; index < 2; index++) frame[4 + index] = packet[at + 2 + index] ?? 0;
  } else if (first === 255) {
    frame.fill(255, 0, 6);
  }
}
