import { calcChecksums } from '../../src/packet/checksum.ts';

export type Family = 4 | 6;
export type Transport = 'tcp' | 'udp' | 'icmp';

const PROTOCOLS = { 4: { tcp: 6, udp: 17, icmp: 1 }, 6: { tcp: 6, udp: 17, icmp: 58 } } as const;

const HEADERS: Record<Transport, readonly number[]> = {
  tcp: [0xc8, 0x22, 0, 80, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x18, 0x40, 0, 0, 0, 0, 0],
  udp: [0xc8, 0x22, 0, 53, 0, 0, 0, 0],
  icmp: [8, 0, 0, 0, 0x12, 0x34, 0, 1],
};

export interface BuildOptions {
  /** IPv4 options, or IPv6 extension headers behind `nextHeader`. */
  extra?: readonly number[];
  /** First header number with IPv6 extension headers. */
  nextHeader?: number;
  /** Flags and offset of IPv4. */
  fragment?: number;
}

/** A packet with valid lengths and checksums. */
export function build(
  family: Family,
  transport: Transport,
  payload: Uint8Array | number,
  options: BuildOptions = {},
): Uint8Array {
  const data =
    typeof payload === 'number'
      ? Uint8Array.from({ length: payload }, (_, index) => (index * 7 + 1) & 0xff)
      : payload;
  const { extra = [], fragment = 0x4000 } = options;
  const header = [...HEADERS[transport]];
  const inner = header.length + data.length;
  if (transport === 'udp') header.splice(4, 2, inner >> 8, inner & 0xff);
  const protocol = PROTOCOLS[family][transport];
  const ip =
    family === 4
      ? ipv4Header(20 + extra.length + inner, 20 + extra.length, protocol, fragment)
      : ipv6Header(extra.length + inner, options.nextHeader ?? protocol);
  const bytes = Uint8Array.of(...ip, ...extra, ...header, ...data);
  calcChecksums(bytes);
  return bytes;
}

function ipv4Header(total: number, header: number, protocol: number, fragment: number): number[] {
  const first = [0x40 | (header / 4), 0, total >> 8, total & 0xff, 0x12, 0x34];
  return [...first, fragment >> 8, fragment & 0xff, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
}

function ipv6Header(length: number, nextHeader: number): number[] {
  const address = (last: number): number[] => [0x20, 1, 0xd, 0xb8, ...new Array(11).fill(0), last];
  return [0x60, 0, 0, 0, length >> 8, length & 0xff, nextHeader, 64, ...address(1), ...address(2)];
}

/** All checksums said to be valid, as for a received packet. */
export const VALID = { ipChecksum: true, tcpChecksum: true, udpChecksum: true } as const;

/** The packet with all its checksums computed again. */
export function recomputed(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  calcChecksums(copy);
  return copy;
}
