/**
 * UDP datagrams to send through a handle, and what a receiver got.
 *
 * @module
 */
import type { Packet } from '../../src/index.ts';
import { ipv4, ipv6, udp } from './build-packet.ts';
import type { Running } from './traffic.ts';

export type Family = 'ipv4' | 'ipv6';

export const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];

/** What a packet is made of. */
export interface Datagram {
  from: string;
  to: string;
  port: number;
  /** Payload: as many bytes with the value `length & 255`, or these. */
  payload: number | Uint8Array;
  sourcePort?: number;
  ttl?: number;
  /** IPv4: may not be cut. */
  dontFragment?: boolean;
}

/** A datagram without checksums. */
export function datagram(family: Family, options: Datagram): Uint8Array {
  const { from: source, to: destination, ttl = 64 } = options;
  const payload =
    typeof options.payload === 'number'
      ? new Uint8Array(options.payload).fill(options.payload)
      : options.payload;
  const data = udp(
    { sourcePort: options.sourcePort ?? 40000, destinationPort: options.port },
    payload,
  );
  return family === 'ipv4'
    ? ipv4(
        { source, destination, protocol: 17, ttl, fragment: options.dontFragment ? 0x4000 : 0 },
        data,
      )
    : ipv6({ source, destination, nextHeader: 17, hopLimit: ttl }, data);
}

/** Lengths of the datagrams a `udp-receive` script got, in order. */
export async function receivedLengths(running: Running): Promise<number[]> {
  return (await received(running)).map((bytes) => bytes.length);
}

/** The datagrams it got. */
export async function received(running: Running): Promise<Buffer[]> {
  const lines = (await running.output).split('\n').filter(Boolean);
  return lines.map((line) => Buffer.from(line, 'base64'));
}

/** Exchanges source and destination, addresses and UDP ports. */
export function swapEnds(packet: Packet): void {
  const ip = packet.ip ?? packet.ipv6;
  if (!ip) return;
  [ip.srcAddr, ip.dstAddr] = [ip.dstAddr, ip.srcAddr];
  const { udp: header } = packet;
  if (header) [header.srcPort, header.dstPort] = [header.dstPort, header.srcPort];
}

/** Time to live or hop limit. */
export function hopsOf(packet: Packet): number {
  return packet.ip?.ttl ?? packet.ipv6?.hopLimit ?? -1;
}
