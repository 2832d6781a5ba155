/**
 * Packets: parsing, checksums, hash, TTL, address text, and typed views over bytes. Imports nothing
 * from Node and runs in a browser too.
 *
 * @module
 */

export type { Address, AddressInit, AddressValue, EventName, Layer, Wide } from './address.ts';
export { CHECKSUM_FLAGS, calcChecksums } from './checksum.ts';
export { hashPacket } from './hash.ts';
export { IcmpView, Icmpv6View } from './icmp.ts';
export {
  formatIPv4Address,
  formatIPv6Address,
  parseIPv4Address,
  parseIPv6Address,
} from './ip-text.ts';
export { IPv4View } from './ipv4.ts';
export { IPv6View, type IPv6Words } from './ipv6.ts';
export { Packet } from './packet.ts';
export { type PacketLayout, parsePacket } from './parse.ts';
export {
  type DnsMessage,
  type DnsOptions,
  type DnsQuestion,
  dnsMessage,
  dnsQuestions,
} from './peek/dns.ts';
export { type HttpRequest, httpRequest } from './peek/http.ts';
export { StreamHead } from './peek/stream-head.ts';
export { tlsServerName } from './peek/tls.ts';
export type { ProcessInfo } from './process-info.ts';
export { TcpView } from './tcp.ts';
export { decrementTtl } from './ttl.ts';
export { UdpView } from './udp.ts';
