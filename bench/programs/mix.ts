/** The eight packets and four filters that evaluators are measured on. */

import { ADDRESS_FLAGS, type AddressInit } from '../../src/packet/address.ts';
import { icmp, ipv4, ipv6, tcp, text, udp } from '../../test/helpers/build-packet.ts';

const UDP = 17;
const ICMP = 1;
/** The last part of a fragmented packet. */
const LAST_FRAGMENT = 0x00b9;
const ADDRESSES = Array.from({ length: 60 }, (_, at) => `10.0.${at}.${at * 3}`);
const list = (test: string): string => ADDRESSES.map((address) => test + address).join(' or ');

/** One filter in both languages. libpcap has no direction here: the hook is the direction. */
export interface FilterPair {
  readonly windivert: string;
  readonly libpcap: string;
}

export const FILTERS: Readonly<Record<string, FilterPair>> = {
  port: { windivert: 'tcp.DstPort == 443 and outbound', libpcap: 'tcp dst port 443' },
  ports: {
    windivert: 'outbound and (tcp.DstPort == 80 or udp.DstPort == 53)',
    libpcap: 'tcp dst port 80 or udp dst port 53',
  },
  'list of 60': { windivert: list('ip.DstAddr == '), libpcap: list('ip dst host ') },
  payload: {
    windivert: 'tcp.PayloadLength > 0 and tcp.Payload32[0] == 0x47455420',
    libpcap: 'tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420',
  },
};

/** TCP SYN, HTTP GET, DNS, ICMP, TCP and UDP over IPv6, a last fragment, 1500 bytes of TCP. */
export const MIX: readonly Uint8Array[] = [
  ipv4({}, tcp({ flags: 0x02 })),
  ipv4({}, tcp({ destinationPort: 80 }, text('GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n'))),
  ipv4({ protocol: UDP }, udp({}, new Uint8Array(30))),
  ipv4({ protocol: ICMP }, icmp({}, new Uint8Array(56))),
  ipv6({}, tcp({}, new Uint8Array(100))),
  ipv6({ nextHeader: UDP }, udp({}, new Uint8Array(40))),
  ipv4({ protocol: UDP, fragment: LAST_FRAGMENT }, new Uint8Array(500)),
  ipv4({}, tcp({}, new Uint8Array(1460))),
];

export const versionOf = (packet: Uint8Array): 4 | 6 => ((packet[0] ?? 0) >> 4 === 6 ? 6 : 4);

/** What a handle would know of each. */
export const MIX_ADDRESSES: readonly AddressInit[] = MIX.map((packet) => ({
  layer: 'network',
  event: 'packet',
  timestamp: 123_456_789n,
  sniffed: false,
  outbound: true,
  loopback: false,
  impostor: false,
  ipv6: versionOf(packet) === 6,
  interfaceIndex: 2,
  subInterfaceIndex: 0,
}));

export const MIX_FLAGS: readonly number[] = MIX.map(
  (packet) => ADDRESS_FLAGS.OUTBOUND | (versionOf(packet) === 6 ? ADDRESS_FLAGS.IPV6 : 0),
);
