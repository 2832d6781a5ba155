/**
 * What can be known of a packet's headers: one of eight worlds, IP version times transport header.
 * A set of worlds is a bit mask; tests for headers split it.
 *
 * @module
 */

import { IPPROTO } from '../../packet/layout.ts';
import { FIELD, type FieldHeader } from '../fields.ts';

/** A set of worlds. */
export type Worlds = number;

const V4_TCP = 0x01;
const V4_UDP = 0x02;
const V4_ICMP = 0x04;
const V4_OTHER = 0x08;
const V6_TCP = 0x10;
const V6_UDP = 0x20;
const V6_ICMPV6 = 0x40;
const V6_OTHER = 0x80;

export const V4_WORLDS: Worlds = V4_TCP | V4_UDP | V4_ICMP | V4_OTHER;
export const V6_WORLDS: Worlds = V6_TCP | V6_UDP | V6_ICMPV6 | V6_OTHER;
export const ALL_WORLDS: Worlds = V4_WORLDS | V6_WORLDS;

/** The worlds in which a packet has a header. */
export const HEADER_WORLDS: Readonly<Record<FieldHeader, Worlds>> = {
  ip: V4_WORLDS,
  ipv6: V6_WORLDS,
  tcp: V4_TCP | V6_TCP,
  udp: V4_UDP | V6_UDP,
  icmp: V4_ICMP,
  icmpv6: V6_ICMPV6,
};

/** A transport header: its protocol number is what the program keeps in a register. */
export type TransportHeader = Exclude<FieldHeader, 'ip' | 'ipv6'>;

export const TRANSPORT_PROTOCOLS: Readonly<Record<TransportHeader, number>> = {
  tcp: IPPROTO.TCP,
  udp: IPPROTO.UDP,
  icmp: IPPROTO.ICMP,
  icmpv6: IPPROTO.ICMPV6,
};

/** The header that a bare presence field (`ip`, `tcp`, ...) asks for. */
export const PRESENCE_HEADERS: ReadonlyMap<number, FieldHeader> = new Map([
  [FIELD.ip, 'ip'],
  [FIELD.ipv6, 'ipv6'],
  [FIELD.icmp, 'icmp'],
  [FIELD.icmpv6, 'icmpv6'],
  [FIELD.tcp, 'tcp'],
  [FIELD.udp, 'udp'],
]);

/** The worlds of packets of an IP version. */
export function familyWorlds(family: 4 | 6 | 'both'): Worlds {
  if (family === 'both') return ALL_WORLDS;
  return family === 4 ? V4_WORLDS : V6_WORLDS;
}
