/**
 * From what was captured on a link to the IP packet inside.
 *
 * @module
 */

import { type CaptureDirection, type CaptureRecord, LINK_TYPE } from './record.ts';

const ETHER_TYPE = {
  IPV4: 0x0800,
  IPV6: 0x86dd,
  VLAN: 0x8100,
  SERVICE_VLAN: 0x88a8,
  OLD_SERVICE_VLAN: 0x9100,
  PPPOE_SESSION: 0x8864,
} as const;
const VLAN_TAG_BYTES = 4;

/** Where the type of what follows stands, and where that starts. */
const ETHERNET = { TYPE: 12, LENGTH: 14 } as const;
const LINUX_SLL = { PACKET_TYPE: 0, TYPE: 14, LENGTH: 16 } as const;
const LINUX_SLL2 = { TYPE: 0, INTERFACE: 4, PACKET_TYPE: 10, LENGTH: 20 } as const;
/** Address and control bytes may stand before the protocol (RFC 1662). */
const PPP = { ADDRESS_CONTROL: 0xff03, PROTOCOL_BYTES: 2, IPV4: 0x0021, IPV6: 0x0057 } as const;
/** Before the protocol (RFC 2516). */
const PPPOE_HEADER_BYTES = 6;
/** BSD loopback: an address family, in the byte order of the machine that wrote it. */
const LOOPBACK_HEADER_BYTES = 4;

/** Packet types of the Linux cooked headers (include/uapi/linux/if_packet.h). */
const PACKET_OUTGOING = 4;
const PACKET_OTHERHOST = 3;

const IPV4 = { MIN_LENGTH: 20, TOTAL_LENGTH: 2 } as const;
const IPV6 = { LENGTH: 40, PAYLOAD_LENGTH: 4 } as const;

/**
 * Finds the IP packet in a captured record: Ethernet (with any number of VLAN tags, and PPPoE), raw IP,
 * Linux cooked (both versions), BSD loopback and PPP. Link padding behind the packet is left out.
 *
 * @returns a view of the record's bytes from the IP header on, or null when there is no IP packet
 */
export function networkLayer(record: Pick<CaptureRecord, 'bytes' | 'linkType'>): Uint8Array | null {
  const start = networkOffset(record);
  if (start === null || start >= record.bytes.length) return null;
  return trimPadding(record.bytes.subarray(start));
}

/**
 * Which way a record went: as the file says, else as its Linux cooked header says.
 *
 * @returns null when neither says
 */
export function captureDirection(
  record: Pick<CaptureRecord, 'bytes' | 'linkType' | 'direction'>,
): CaptureDirection | null {
  if (record.direction !== null) return record.direction;
  const type = cookedPacketType(record);
  if (type === null || type === PACKET_OTHERHOST) return null;
  return type === PACKET_OUTGOING ? 'outbound' : 'inbound';
}

/**
 * The kernel's number of the interface, which Linux cooked headers of version 2 have.
 *
 * @returns null when the record does not say
 */
export function captureInterfaceIndex({
  bytes,
  linkType,
}: Pick<CaptureRecord, 'bytes' | 'linkType'>): number | null {
  if (linkType !== LINK_TYPE.LINUX_SLL2) return null;
  const high = uint16(bytes, LINUX_SLL2.INTERFACE);
  const low = uint16(bytes, LINUX_SLL2.INTERFACE + 2);
  return high === null || low === null ? null : high * 0x10000 + low;
}

function cookedPacketType({
  bytes,
  linkType,
}: Pick<CaptureRecord, 'bytes' | 'linkType'>): number | null {
  if (linkType === LINK_TYPE.LINUX_SLL) return uint16(bytes, LINUX_SLL.PACKET_TYPE);
  if (linkType === LINK_TYPE.LINUX_SLL2) return bytes[LINUX_SLL2.PACKET_TYPE] ?? null;
  return null;
}

/** Where the IP header starts in a record, if there is one. */
function networkOffset({
  bytes,
  linkType,
}: Pick<CaptureRecord, 'bytes' | 'linkType'>): number | null {
  switch (linkType) {
    case LINK_TYPE.ETHERNET:
      return afterTags(bytes, ETHERNET.TYPE, ETHERNET.LENGTH);
    case LINK_TYPE.LINUX_SLL:
      return afterTags(bytes, LINUX_SLL.TYPE, LINUX_SLL.LENGTH);
    case LINK_TYPE.LINUX_SLL2:
      return afterTags(bytes, LINUX_SLL2.TYPE, LINUX_SLL2.LENGTH);
    case LINK_TYPE.PPP:
      return afterPpp(bytes, uint16(bytes, 0) === PPP.ADDRESS_CONTROL ? 2 : 0);
    case LINK_TYPE.NULL:
    case LINK_TYPE.LOOP:
      // The families of IPv6 differ between systems; the version in the packet says the same.
      return LOOPBACK_HEADER_BYTES;
    case LINK_TYPE.RAW:
    case LINK_TYPE.RAW_BSD:
    case LINK_TYPE.RAW_OPENBSD:
    case LINK_TYPE.IPV4:
    case LINK_TYPE.IPV6:
      return 0;
    default:
      return null;
  }
}

/** Offset of the IP header behind a type field and the VLAN tags it may announce. */
function afterTags(bytes: Uint8Array, typeAt: number, headerLength: number): number | null {
  let type = uint16(bytes, typeAt);
  let start = headerLength;
  while (
    type === ETHER_TYPE.VLAN ||
    type === ETHER_TYPE.SERVICE_VLAN ||
    type === ETHER_TYPE.OLD_SERVICE_VLAN
  ) {
    type = uint16(bytes, start + VLAN_TAG_BYTES - 2);
    start += VLAN_TAG_BYTES;
  }
  if (type === ETHER_TYPE.PPPOE_SESSION) return afterPpp(bytes, start + PPPOE_HEADER_BYTES);
  return type === ETHER_TYPE.IPV4 || type === ETHER_TYPE.IPV6 ? start : null;
}

function afterPpp(bytes: Uint8Array, protocolAt: number): number | null {
  const protocol = uint16(bytes, protocolAt);
  if (protocol !== PPP.IPV4 && protocol !== PPP.IPV6) return null;
  return protocolAt + PPP.PROTOCOL_BYTES;
}

/** Cuts what follows the packet; null when it is none. A length of 0 stands for offloaded ones. */
function trimPadding(bytes: Uint8Array): Uint8Array | null {
  const version = (bytes[0] ?? 0) >> 4;
  if (version === 4 && bytes.length >= IPV4.MIN_LENGTH) {
    const total = uint16(bytes, IPV4.TOTAL_LENGTH) ?? 0;
    return total >= IPV4.MIN_LENGTH ? bytes.subarray(0, total) : bytes;
  }
  if (version === 6 && bytes.length >= IPV6.LENGTH) {
    const payload = uint16(bytes, IPV6.PAYLOAD_LENGTH) ?? 0;
    return payload > 0 ? bytes.subarray(0, IPV6.LENGTH + payload) : bytes;
  }
  return null;
}

function uint16(bytes: Uint8Array, at: number): number | null {
  const high = bytes[at];
  const low = bytes[at + 1];
  return high === undefined || low === undefined ? null : (high << 8) | low;
}
