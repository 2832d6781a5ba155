/**
 * `WinDivertHelper*` (WinDivert manual, section "Helper Programming API"). What is an output pointer
 * there is a result here; a pointer into the packet is a view or bytes over the same memory.
 *
 * @module
 */
import { invalidParameter } from '../divert/options.ts';
import { FilterError, type FilterErrorCode } from '../errors.ts';
import { compileFilter, evaluateFilter, formatFilter } from '../filter/index.ts';
import { type AddressInit, LAYERS, type Layer } from '../packet/address.ts';
import { calcChecksums } from '../packet/checksum.ts';
import { hashPacket } from '../packet/hash.ts';
import {
  formatIPv4Address,
  formatIPv6Address,
  parseIPv4Address,
  parseIPv6Address,
} from '../packet/ip-text.ts';
import { parsePacket } from '../packet/parse.ts';
import { decrementTtl } from '../packet/ttl.ts';
import type { WINDIVERT_ADDRESS } from './address.ts';
import {
  WINDIVERT_ICMPHDR,
  type WINDIVERT_ICMPV6HDR,
  WINDIVERT_IPHDR,
  WINDIVERT_IPV6HDR,
  WINDIVERT_TCPHDR,
  WINDIVERT_UDPHDR,
} from './headers.ts';

/** What `WinDivertHelperParsePacket` finds; null for what the packet does not have. */
export interface WinDivertParsedPacket {
  readonly ipHdr: WINDIVERT_IPHDR | null;
  readonly ipv6Hdr: WINDIVERT_IPV6HDR | null;
  /** The transport protocol, behind IPv6 extension headers. */
  readonly protocol: number;
  readonly icmpHdr: WINDIVERT_ICMPHDR | null;
  readonly icmpv6Hdr: WINDIVERT_ICMPV6HDR | null;
  readonly tcpHdr: WINDIVERT_TCPHDR | null;
  readonly udpHdr: WINDIVERT_UDPHDR | null;
  /** The payload. */
  readonly data: Uint8Array | null;
  readonly dataLen: number;
  /** The remaining packets of a batch. */
  readonly next: Uint8Array | null;
  readonly nextLen: number;
}

/** What `WinDivertHelperCompileFilter` says. */
export interface WinDivertCompiledFilter {
  /** The filter as `WinDivertOpen` takes it too; null where WinDivert returns FALSE. */
  readonly object: string | null;
  readonly errorStr: string;
  /** 0-based offset of the offending token. */
  readonly errorPos: number;
}

/** What WinDivert calls its filter errors. */
const ERROR_TEXTS: Readonly<Record<FilterErrorCode, string>> = {
  'out-of-memory': 'Out of memory',
  'too-deep': 'Filter expression too deep',
  'too-long': 'Filter expression too long',
  'bad-token': 'Filter expression contains a bad token',
  'bad-token-for-layer': 'Filter expression contains a bad token for layer',
  'unexpected-token': 'Filter expression parse error',
  'index-out-of-bounds': 'Filter expression array index is out-of-bounds',
  'object-too-short': 'Filter object buffer is too short',
  'bad-object': 'Filter object is invalid',
  internal: 'Internal assertion failed',
};
const NO_ERROR_TEXT = 'No error';

/**
 * Finds the headers and the payload of a packet, or of the first packet of a batch.
 *
 * @param packet from the IP header
 * @returns null where WinDivert returns FALSE: no valid IP header, or less than it says
 * @example
 * for (let rest = batch; rest; ) {
 *   const parsed = WinDivertHelperParsePacket(rest);
 *   rest = parsed?.next ?? null;
 * }
 */
export function WinDivertHelperParsePacket(packet: Uint8Array): WinDivertParsedPacket | null {
  const layout = parsePacket(packet);
  if (!layout) return null;
  const { ip, ipv6, icmp, icmpv6, tcp, udp, data, dataLength, next, nextLength } = layout;
  return {
    ipHdr: ip === null ? null : new WINDIVERT_IPHDR(packet, ip),
    ipv6Hdr: ipv6 === null ? null : new WINDIVERT_IPV6HDR(packet, ipv6),
    protocol: layout.protocol,
    icmpHdr: icmp === null ? null : new WINDIVERT_ICMPHDR(packet, icmp),
    icmpv6Hdr: icmpv6 === null ? null : new WINDIVERT_ICMPHDR(packet, icmpv6),
    tcpHdr: tcp === null ? null : new WINDIVERT_TCPHDR(packet, tcp),
    udpHdr: udp === null ? null : new WINDIVERT_UDPHDR(packet, udp),
    data: data === null ? null : packet.subarray(data, data + dataLength),
    dataLen: dataLength,
    next: next === null ? null : packet.subarray(next, next + nextLength),
    nextLen: nextLength,
  };
}

/**
 * Hash of a packet's IP and transport header.
 *
 * @param seed 64 bits
 * @returns 64 bits; 0 for what is no packet
 */
export function WinDivertHelperHashPacket(packet: Uint8Array, seed: bigint | number = 0n): bigint {
  return hashPacket(packet, BigInt(seed));
}

/** Reads a dotted IPv4 address, in host order; null where WinDivert returns FALSE. */
export function WinDivertHelperParseIPv4Address(addrStr: string): number | null {
  return parseIPv4Address(addrStr);
}

/** Reads an IPv6 address, four words in host order, the least significant first; null where WinDivert returns FALSE. */
export function WinDivertHelperParseIPv6Address(
  addrStr: string,
): [number, number, number, number] | null {
  return parseIPv6Address(addrStr);
}

/** @param addr in host order */
export function WinDivertHelperFormatIPv4Address(addr: number): string {
  return formatIPv4Address(addr);
}

/** @param addr four words in host order, the least significant first */
export function WinDivertHelperFormatIPv6Address(addr: Iterable<number>): string {
  return formatIPv6Address([...addr]);
}

/**
 * Computes the checksums of a packet, in place.
 *
 * @param addr gets the flags of the checksums that were computed
 * @param flags `WINDIVERT_HELPER_NO_*_CHECKSUM`: what to leave alone
 * @returns false for what is no packet, and for the transport checksum of a truncated packet or a piece
 */
export function WinDivertHelperCalcChecksums(
  packet: Uint8Array,
  addr: WINDIVERT_ADDRESS | null = null,
  flags: number | bigint = 0,
): boolean {
  const computed: AddressInit = {};
  const isComputed = calcChecksums(packet, { flags: Number(flags), address: computed });
  if (addr && computed.ipChecksum) addr.IPChecksum = 1;
  if (addr && computed.tcpChecksum) addr.TCPChecksum = 1;
  if (addr && computed.udpChecksum) addr.UDPChecksum = 1;
  return isComputed;
}

/** Takes one hop off, mending the IPv4 checksum. False, with nothing changed, when none is left. */
export function WinDivertHelperDecrementTTL(packet: Uint8Array): boolean {
  return decrementTtl(packet);
}

/**
 * Compiles a filter; never throws for a wrong one.
 *
 * @param layer `WINDIVERT_LAYER_*`
 * @throws {@link DivertError} 87 for a layer that there is not
 */
export function WinDivertHelperCompileFilter(
  filter: string,
  layer: number,
): WinDivertCompiledFilter {
  const name = layerName(layer);
  try {
    const { object } = compileFilter(filter, name);
    return { object, errorStr: NO_ERROR_TEXT, errorPos: 0 };
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    return { object: null, errorStr: ERROR_TEXTS[error.code], errorPos: error.position };
  }
}

/**
 * Whether a packet or event matches. A filter is compiled at each call: an object string is quicker.
 *
 * @param packet from the IP header; null on the event layers
 * @throws {@link DivertError} 87 where GetLastError() would not be 0 afterwards
 */
export function WinDivertHelperEvalFilter(
  filter: string,
  packet: Uint8Array | null,
  addr: WINDIVERT_ADDRESS | null,
): boolean {
  if (!addr) throw invalidParameter('WinDivertHelperEvalFilter() without an address.');
  return evaluateFilter(filter, packet, addr.toAddress());
}

/**
 * A filter or object string as text.
 *
 * @param layer `WINDIVERT_LAYER_*`
 * @throws {@link FilterError} 87 when it does not compile
 */
export function WinDivertHelperFormatFilter(filter: string, layer: number): string {
  return formatFilter(filter, layerName(layer));
}

function layerName(layer: number): Layer {
  const name = LAYERS[layer];
  if (name === undefined) throw invalidParameter(`There is no layer ${layer}.`);
  return name;
}
