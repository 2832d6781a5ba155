/**
 * Packets on their way from one capture file to the other.
 *
 * @module
 */

import { ADDRESS_FLAGS } from '../../packet/address.ts';
import { readUint16 } from '../../packet/bytes.ts';
import type { ProcessInfo } from '../../packet/process-info.ts';
import { captureDirection, captureInterfaceIndex, networkLayer } from '../network-layer.ts';
import { processName } from '../notes.ts';
import { type CaptureDirection, type CaptureRecord, LINK_TYPE } from '../record.ts';
import type { CapturePacket } from '../write/write-capture.ts';
import type { LocalAddresses } from './local-addresses.ts';

const IPV4_TOTAL_LENGTH = 2;
const IPV6_PAYLOAD_LENGTH = 4;
const IPV6_HEADER_BYTES = 40;
/** Of loopback interfaces on Linux and the BSDs. */
const LOOPBACK_NAME = /^lo0?$/;
/** Before the IP header: Ethernet type, PPPoE header with its length last, PPP protocol. */
const PPPOE = { TYPE: 0x8864, TYPE_BEFORE: 10, LENGTH_BEFORE: 4, PROTOCOL_BYTES: 2 } as const;

/** {@link Traveller.offset} of what is no IP packet: no handle meets it. @internal */
export const NOT_IP = -1;

/** @internal */
export interface Traveller {
  /** As it is written when it goes on as it is. */
  readonly packet: CapturePacket;
  /** Where its IP header starts in `packet.bytes`. */
  readonly offset: number;
  /** Bytes of the IP packet that are here. */
  readonly length: number;
  /** Bytes the IP packet has. */
  readonly originalLength: number;
  /** ADDRESS_FLAGS without those of checksums. */
  readonly flags: number;
  readonly interfaceIndex: number;
  /** Whose it is, where the file says so. */
  readonly process: ProcessInfo | null;
  /** It was with a program. */
  readonly wasMet: boolean;
}

/** Which way packets go where the file does not say. @internal */
export interface Directions {
  readonly local: LocalAddresses;
  readonly fallback: CaptureDirection;
}

/** What a record becomes. No spread: measured, it costs more than all the rest of a packet's way. @internal */
export function travellerOf(record: CaptureRecord, directions: Directions): Traveller {
  const bytes = networkLayer(record);
  const offset = bytes === null ? NOT_IP : bytes.byteOffset - record.bytes.byteOffset;
  const length = bytes === null ? 0 : bytes.length;
  const whole = bytes === null ? 0 : ipLength(bytes, record.originalLength - offset);
  return {
    packet: record,
    offset,
    length,
    originalLength: Math.max(length, whole),
    flags: bytes === null ? 0 : flagsOf(record, offset, directions),
    interfaceIndex: captureInterfaceIndex(record) ?? record.interface.index + 1,
    process: record.processId === null ? null : processOf(record, record.processId),
    wasMet: false,
  };
}

/** The packet after it was with a program. @internal */
export function metTraveller(traveller: Traveller): Traveller {
  const { packet, offset, length, originalLength, flags, interfaceIndex, process } = traveller;
  return {
    packet,
    offset,
    length,
    originalLength,
    flags,
    interfaceIndex,
    process,
    wasMet: true,
  };
}

/** The same packet with other bytes from the IP header on. @internal */
export function withBytes(traveller: Traveller, bytes: Uint8Array): Traveller {
  const { packet, offset } = traveller;
  const all = new Uint8Array(offset + bytes.length);
  all.set(packet.bytes.subarray(0, offset));
  all.set(bytes, offset);
  if (offset >= PPPOE.TYPE_BEFORE && packet.linkType === LINK_TYPE.ETHERNET) {
    setPppoeLength(all, offset, bytes.length);
  }
  const { length } = bytes;
  return {
    ...traveller,
    packet: { ...packet, bytes: all, originalLength: all.length },
    length,
    originalLength: length,
  };
}

/** The packet with the direction it was taken to have. @internal */
export function withDirection({ packet, flags }: Traveller): CapturePacket {
  const direction = directionOf(flags);
  return packet.direction === direction ? packet : { ...packet, direction };
}

/** @internal */
export function directionOf(flags: number): CaptureDirection {
  return (flags & ADDRESS_FLAGS.OUTBOUND) !== 0 ? 'outbound' : 'inbound';
}

function setPppoeLength(bytes: Uint8Array, offset: number, ipBytes: number): void {
  if (readUint16(bytes, offset - PPPOE.TYPE_BEFORE) !== PPPOE.TYPE) return;
  const length = ipBytes + PPPOE.PROTOCOL_BYTES;
  bytes[offset - PPPOE.LENGTH_BEFORE] = length >> 8;
  bytes[offset - PPPOE.LENGTH_BEFORE + 1] = length & 0xff;
}

/** All that a file has of a process. */
function processOf(record: CaptureRecord, pid: number): ProcessInfo {
  return {
    pid,
    name: processName(record) ?? '',
    executable: null,
    commandLine: null,
    userId: null,
    cgroup: null,
    confidence: 'likely',
  };
}

/** What the IP header says; offloaded packets may leave it to the length of the record. */
function ipLength(bytes: Uint8Array, captured: number): number {
  if (isIPv6(bytes, 0)) {
    const payload = readUint16(bytes, IPV6_PAYLOAD_LENGTH);
    return payload === 0 ? captured : IPV6_HEADER_BYTES + payload;
  }
  return readUint16(bytes, IPV4_TOTAL_LENGTH) || captured;
}

function isIPv6(bytes: Uint8Array, offset: number): boolean {
  return (bytes[offset] ?? 0) >> 4 === 6;
}

/** Packets from this host to this host are loopback, and outbound only. */
function flagsOf(record: CaptureRecord, offset: number, { local, fallback }: Directions): number {
  const { bytes } = record;
  const { IPV6, LOOPBACK, OUTBOUND } = ADDRESS_FLAGS;
  const ipv6 = isIPv6(bytes, offset);
  const family = ipv6 ? IPV6 : 0;
  const isFromHere = local.hasSource(bytes, offset, ipv6);
  const isLoopback =
    (isFromHere && local.hasDestination(bytes, offset, ipv6)) ||
    LOOPBACK_NAME.test(record.interface.name ?? '');
  if (isLoopback) return family | OUTBOUND | LOOPBACK;
  const computed = isFromHere ? 'outbound' : 'inbound';
  const direction = captureDirection(record) ?? (local.areKnown ? computed : fallback);
  return direction === 'outbound' ? family | OUTBOUND : family;
}
