/**
 * Builds packets header by header. Lengths are filled in; checksums are not.
 *
 * @module
 */

import { parseIPv4Address, parseIPv6Address } from '../../src/packet/ip-text.ts';

export interface IPv4Options {
  tos?: number;
  id?: number;
  /** The 3 flag bits and the offset as one 16-bit number. */
  fragment?: number;
  ttl?: number;
  protocol?: number;
  checksum?: number;
  source?: string;
  destination?: string;
  /** Multiple of 4 bytes. */
  options?: Uint8Array;
  /** Instead of the true one. */
  totalLength?: number;
}

export interface IPv6Options {
  trafficClass?: number;
  flowLabel?: number;
  nextHeader?: number;
  hopLimit?: number;
  source?: string;
  destination?: string;
  /** Instead of the true one. */
  payloadLength?: number;
}

export interface TcpOptions {
  sourcePort?: number;
  destinationPort?: number;
  sequence?: number;
  acknowledgment?: number;
  flags?: number;
  window?: number;
  checksum?: number;
  urgentPointer?: number;
  options?: Uint8Array;
  /** In units of 4 bytes, instead of the true one. */
  dataOffset?: number;
}

export interface UdpOptions {
  sourcePort?: number;
  destinationPort?: number;
  length?: number;
  checksum?: number;
}

export interface IcmpOptions {
  type?: number;
  code?: number;
  checksum?: number;
  body?: number;
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export function ipv4(options: IPv4Options, data: Uint8Array): Uint8Array {
  const extra = options.options ?? new Uint8Array(0);
  const header = new DataView(new ArrayBuffer(20));
  const headerLength = 20 + extra.length;
  header.setUint8(0, 0x40 | (headerLength / 4));
  header.setUint8(1, options.tos ?? 0);
  header.setUint16(2, options.totalLength ?? headerLength + data.length);
  header.setUint16(4, options.id ?? 0x1234);
  header.setUint16(6, options.fragment ?? 0x4000);
  header.setUint8(8, options.ttl ?? 64);
  header.setUint8(9, options.protocol ?? 6);
  header.setUint16(10, options.checksum ?? 0);
  header.setUint32(12, parseIPv4Address(options.source ?? '10.0.0.1') ?? 0);
  header.setUint32(16, parseIPv4Address(options.destination ?? '192.0.2.7') ?? 0);
  return concat(new Uint8Array(header.buffer), extra, data);
}

export function ipv6(options: IPv6Options, data: Uint8Array): Uint8Array {
  const header = new DataView(new ArrayBuffer(40));
  const first = (options.trafficClass ?? 0) * 0x100000 + (options.flowLabel ?? 0);
  header.setUint32(0, 0x60000000 + first);
  header.setUint16(4, options.payloadLength ?? data.length);
  header.setUint8(6, options.nextHeader ?? 6);
  header.setUint8(7, options.hopLimit ?? 64);
  setIPv6Address(header, 8, options.source ?? '2001:db8::1');
  setIPv6Address(header, 24, options.destination ?? '2001:db8:ffff::7');
  return concat(new Uint8Array(header.buffer), data);
}

function setIPv6Address(header: DataView, at: number, address: string): void {
  const [w0, w1, w2, w3] = parseIPv6Address(address) ?? [0, 0, 0, 0];
  [w3, w2, w1, w0].forEach((word, index) => {
    header.setUint32(at + 4 * index, word);
  });
}

/** An extension header with a length field; `units` of 8 bytes (of 4 for AH) besides the first 8. */
export function extension(next: number, units: number, bytes: number): Uint8Array {
  const header = new Uint8Array(bytes);
  header[0] = next;
  header[1] = units;
  return header;
}

/** `fragment`: the offset in units of 8 bytes times 8, plus 1 when more follow. */
export function fragmentHeader(next: number, fragment: number, reserved = 0): Uint8Array {
  return Uint8Array.of(next, reserved, fragment >> 8, fragment, 0x11, 0x22, 0x33, 0x44);
}

export function tcp(options: TcpOptions, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const extra = options.options ?? new Uint8Array(0);
  const header = new DataView(new ArrayBuffer(20));
  header.setUint16(0, options.sourcePort ?? 51234);
  header.setUint16(2, options.destinationPort ?? 443);
  header.setUint32(4, options.sequence ?? 0x11223344);
  header.setUint32(8, options.acknowledgment ?? 0x55667788);
  header.setUint8(12, (options.dataOffset ?? 5 + extra.length / 4) << 4);
  header.setUint8(13, options.flags ?? 0x18);
  header.setUint16(14, options.window ?? 0x4000);
  header.setUint16(16, options.checksum ?? 0);
  header.setUint16(18, options.urgentPointer ?? 0);
  return concat(new Uint8Array(header.buffer), extra, payload);
}

export function udp(options: UdpOptions, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const header = new DataView(new ArrayBuffer(8));
  header.setUint16(0, options.sourcePort ?? 5353);
  header.setUint16(2, options.destinationPort ?? 53);
  header.setUint16(4, options.length ?? 8 + payload.length);
  header.setUint16(6, options.checksum ?? 0);
  return concat(new Uint8Array(header.buffer), payload);
}

export function icmp(options: IcmpOptions, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const header = new DataView(new ArrayBuffer(8));
  header.setUint8(0, options.type ?? 8);
  header.setUint8(1, options.code ?? 0);
  header.setUint16(2, options.checksum ?? 0);
  header.setUint32(4, options.body ?? 0x00010002);
  return concat(new Uint8Array(header.buffer), payload);
}
