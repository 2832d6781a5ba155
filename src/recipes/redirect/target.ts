/**
 * Where the proxy listens.
 *
 * @module
 */
import { DivertError } from '../../errors.ts';
import {
  formatIPv4Address,
  formatIPv6Address,
  parseIPv4Address,
  parseIPv6Address,
} from '../../packet/ip-text.ts';
import type { IPv6Words } from '../../packet/ipv6.ts';
import type { Packet } from '../../packet/packet.ts';
import type { TcpView } from '../../packet/tcp.ts';

const LOCALHOST = 'localhost';
const LOCALHOST_IPV4 = 0x7f00_0001;
const LOCALHOST_IPV6: IPv6Words = [1, 0, 0, 0];
/** 127.0.0.0/8 */
const LOOPBACK_NET = 127;
/** fe80::/10 */
const LINK_LOCAL = { MASK: 0xffc0_0000, VALUE: 0xfe80_0000 } as const;
const PORT_MAX = 65_535;

/** Address and port of a proxy. */
export interface ProxyAddress {
  /** An IPv4 or IPv6 address, or 'localhost' (default): 127.0.0.1 and ::1. */
  readonly host?: string;
  readonly port: number;
}

export class Target {
  readonly port: number;
  readonly #ipv4: number | null;
  readonly #ipv6: IPv6Words | null;

  /** @throws {@link DivertError} `invalid-parameter` */
  constructor({ host = LOCALHOST, port }: ProxyAddress) {
    if (!Number.isInteger(port) || port < 1 || port > PORT_MAX) {
      throw refuse(`The proxy's port is ${JSON.stringify(port)}.`, `It is 1 to ${PORT_MAX}.`);
    }
    this.port = port;
    const isBoth = host === LOCALHOST;
    this.#ipv4 = isBoth ? LOCALHOST_IPV4 : parseIPv4Address(host);
    this.#ipv6 = isBoth ? LOCALHOST_IPV6 : this.#ipv4 === null ? parseIPv6Address(host) : null;
    if (this.#ipv4 === null && this.#ipv6 === null) {
      throw refuse(
        `The proxy's host is ${JSON.stringify(host)}.`,
        "It is an IPv4 or IPv6 address, or 'localhost'.",
      );
    }
  }

  /** Whether it is an address of lo, which nothing that comes in by a device can be sent to. */
  get isLoopback(): boolean {
    if (this.#ipv4 !== null) return this.#ipv4 >>> 24 === LOOPBACK_NET;
    return String(this.#ipv6) === String(LOCALHOST_IPV6);
  }

  /** A filter for packets that the proxy sends. */
  get sourceFilter(): string {
    const ipv4 = this.#ipv4 === null ? null : `ip.SrcAddr == ${formatIPv4Address(this.#ipv4)}`;
    const ipv6 = this.#ipv6 === null ? null : `ipv6.SrcAddr == ${formatIPv6Address(this.#ipv6)}`;
    const addresses = [ipv4, ipv6].filter((test) => test !== null).join(' or ');
    return `tcp.SrcPort == ${this.port} and (${addresses})`;
  }

  /** Whether the proxy sent a packet. */
  isSource({ tcp, ip, ipv6 }: Packet): boolean {
    if (tcp?.srcPort !== this.port) return false;
    if (ip) return ip.sourceAddressNumber === this.#ipv4;
    return ipv6 !== null && isSame(ipv6.sourceAddressWords, this.#ipv6);
  }

  /** Whether a packet can be sent to the proxy: its IP version is the proxy's, and it is not on its way there. */
  isReachable({ tcp, ip, ipv6 }: Packet): boolean {
    const isPort = tcp?.dstPort === this.port;
    if (ip) return this.#ipv4 !== null && !(isPort && ip.destinationAddressNumber === this.#ipv4);
    if (!ipv6 || this.#ipv6 === null) return false;
    const destination = ipv6.destinationAddressWords;
    // What is said on one link only cannot be said elsewhere.
    if ((destination[3] & LINK_LOCAL.MASK) >>> 0 === LINK_LOCAL.VALUE) return false;
    return !(isPort && isSame(destination, this.#ipv6));
  }

  /** Sends a packet there that {@link isReachable}. */
  setDestination({ ip, ipv6 }: Packet, tcp: TcpView): void {
    if (ip && this.#ipv4 !== null) ip.destinationAddress = this.#ipv4;
    if (ipv6 && this.#ipv6 !== null) ipv6.destinationAddress = this.#ipv6;
    tcp.dstPort = this.port;
  }
}

function isSame(words: IPv6Words, others: IPv6Words | null): boolean {
  if (others === null) return false;
  return (
    words[0] === others[0] &&
    words[1] === others[1] &&
    words[2] === others[2] &&
    words[3] === others[3]
  );
}

function refuse(message: string, hint: string): DivertError {
  return new DivertError('invalid-parameter', message, { hint });
}
