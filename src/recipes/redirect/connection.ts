/**
 * One redirected TCP connection: whose it is, and how long it is remembered.
 *
 * @module
 */
import type { IPv6Words } from '../../packet/ipv6.ts';
import type { Endpoint, EndpointKey } from './endpoint-key.ts';

/** How long a connection without packets is remembered, by state, in milliseconds. */
export const TIMEOUTS_MS = {
  /** Linux gives up a connection attempt after 127 s. */
  opening: 130_000,
  /** RFC 5382 REQ-5: not less than 2 hours 4 minutes. */
  open: 7_500_000,
  /** Both ends have said FIN: TIME-WAIT (RFC 9293: twice the segment lifetime) is over. */
  closing: 120_000,
  /** After a reset nothing comes but what was on the way. */
  reset: 10_000,
} as const;

export type ConnectionState = keyof typeof TIMEOUTS_MS;

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;

/** What is known of a connection when it begins. */
export interface ConnectionInit {
  readonly source: Endpoint;
  readonly destination: Endpoint;
  /** The destination's address as it is written into packets. */
  readonly destinationAddress: number | IPv6Words;
  readonly sourceKey: EndpointKey;
  readonly destinationKey: EndpointKey;
  /** The client as the proxy sees it. */
  readonly peerKey: EndpointKey;
  readonly peerPort: number;
}

export class Connection implements ConnectionInit {
  readonly source: Endpoint;
  readonly destination: Endpoint;
  /** The destination's address as it is written into packets. */
  readonly destinationAddress: number | IPv6Words;
  readonly sourceKey: EndpointKey;
  readonly destinationKey: EndpointKey;
  readonly peerKey: EndpointKey;
  readonly peerPort: number;
  state: ConnectionState = 'opening';
  lastSeenMs: number;
  /** Who has said FIN. */
  #clientFin = false;
  #proxyFin = false;

  constructor(init: ConnectionInit, nowMs: number) {
    this.source = init.source;
    this.destination = init.destination;
    this.destinationAddress = init.destinationAddress;
    this.sourceKey = init.sourceKey;
    this.destinationKey = init.destinationKey;
    this.peerKey = init.peerKey;
    this.peerPort = init.peerPort;
    this.lastSeenMs = nowMs;
  }

  /** Notes a segment of the client. */
  fromClient(flags: number, nowMs: number): void {
    this.lastSeenMs = nowMs;
    if ((flags & (SYN | ACK)) === SYN) {
      // The same ports once more.
      if (this.state !== 'open') this.#restart();
      return;
    }
    if ((flags & FIN) !== 0) this.#clientFin = true;
    this.#follow(flags);
  }

  /** Notes a segment of the proxy. */
  fromProxy(flags: number, nowMs: number): void {
    this.lastSeenMs = nowMs;
    if ((flags & FIN) !== 0) this.#proxyFin = true;
    if ((flags & SYN) === 0) this.#follow(flags);
  }

  /** Whether a SYN with its ports is none of a new connection. */
  isUsed(): boolean {
    return this.state === 'opening' || this.state === 'open';
  }

  /** Whether it can be forgotten. */
  isOver(nowMs: number): boolean {
    return nowMs - this.lastSeenMs > TIMEOUTS_MS[this.state];
  }

  #restart(): void {
    this.state = 'opening';
    this.#clientFin = false;
    this.#proxyFin = false;
  }

  #follow(flags: number): void {
    if ((flags & RST) !== 0) this.state = 'reset';
    else if (this.#clientFin && this.#proxyFin) this.state = 'closing';
    else if (this.state === 'opening') this.state = 'open';
  }
}
