/**
 * Which packets may be answered with an error (RFC 1122 3.2.2, RFC 1812 4.3.2.7, RFC 4443 2.4 e).
 *
 * @module
 */
import { readUint8, readUint32 } from '../../packet/bytes.ts';
import { IPPROTO, type PacketScan } from '../../packet/layout.ts';
import { IP_ADDRESSES, TCP } from './offsets.ts';

/** ICMP types that are no errors: asking and answering (IANA). */
const ICMP_QUERIES: ReadonlySet<number> = new Set([0, 8, 9, 10, 13, 14, 15, 16, 17, 18, 42, 43]);
/** ICMPv6 types below this are errors. */
const ICMPV6_FIRST_QUERY = 128;
const ICMPV6_REDIRECT = 137;

/** First byte of 224.0.0.0/4 and all above: multicast, reserved, broadcast. */
const IPV4_FIRST_MULTICAST = 224;
const IPV4_LOOPBACK = 127;
const IPV6_MULTICAST = 0xff;

/**
 * Whether a packet may be answered with a reset or an unreachable message.
 *
 * @param bytes - hold it from `offset` on
 * @param isLoopback - it goes over lo: addresses of lo are hosts
 */
export function isAnswerable(
  bytes: Uint8Array,
  offset: number,
  scan: PacketScan,
  isLoopback: boolean,
): boolean {
  const { SOURCE, DESTINATION } = IP_ADDRESSES[scan.version === 4 ? 4 : 6];
  if (scan.fragmentOffset !== 0) return false;
  if (!isHost(bytes, offset + DESTINATION, scan)) return false;
  if (!isHost(bytes, offset + SOURCE, scan)) return false;
  if (scan.version === 4 && !isLoopback && bytes[offset + SOURCE] === IPV4_LOOPBACK) return false;
  switch (scan.protocol) {
    case IPPROTO.TCP:
      return scan.tcp >= 0 && (readUint8(bytes, offset + scan.tcp + TCP.FLAGS) & TCP.RST) === 0;
    case IPPROTO.ICMP:
      return scan.icmp >= 0 && ICMP_QUERIES.has(readUint8(bytes, offset + scan.icmp));
    case IPPROTO.ICMPV6:
      return scan.icmpv6 >= 0 && isIcmpv6Query(readUint8(bytes, offset + scan.icmpv6));
    default:
      return true;
  }
}

function isIcmpv6Query(type: number): boolean {
  return type >= ICMPV6_FIRST_QUERY && type !== ICMPV6_REDIRECT;
}

/** Whether an address can be that of one host. */
function isHost(bytes: Uint8Array, at: number, scan: PacketScan): boolean {
  const first = readUint8(bytes, at);
  if (scan.version === 4) return first !== 0 && first < IPV4_FIRST_MULTICAST;
  let bits = 0;
  for (let word = 0; word < 16; word += 4) bits |= readUint32(bytes, at + word);
  return first !== IPV6_MULTICAST && bits !== 0;
}
