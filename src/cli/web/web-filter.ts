/**
 * Blocks web sites by the name that a client sends: the host of an HTTP request, the server name of TLS.
 *
 * @module
 */

import type { NetworkHandle } from '../../divert/network-handle.ts';
import type { AddressInit } from '../../packet/address.ts';
import type { Packet } from '../../packet/packet.ts';
import { httpRequest, isPartialHttpRequest } from '../../packet/peek/http.ts';
import { StreamHead } from '../../packet/peek/stream-head.ts';
import { readClientHello } from '../../packet/peek/tls.ts';
import { reject, rejectAnswers } from '../../recipes/index.ts';
import { answerPacket, blockPage, blockResponse } from './block-page.ts';
import type { BlockList } from './blocklist.ts';

/** A request that was blocked. */
export interface BlockedRequest {
  readonly protocol: 'http' | 'tls';
  readonly host: string;
  /** The entry of the block list. */
  readonly entry: string;
  readonly packet: Packet;
}

export interface WebFilterOptions {
  readonly list: BlockList;
  /** HTML to show instead of the built-in page. */
  readonly page?: string | undefined;
  readonly onBlocked: (request: BlockedRequest) => void;
}

/** A name, and where it was. */
type Named = Pick<BlockedRequest, 'protocol' | 'host'>;

/** The beginning of a connection whose name has not come yet. */
interface Beginning {
  readonly head: StreamHead;
  segments: number;
}

const TLS_HANDSHAKE = 22;
/** Names come with the first few segments; later ones are not looked at. */
const SEGMENTS_MAX = 8;
const BEGINNINGS_MAX = 4096;
const VALID = { ipChecksum: true, tcpChecksum: true, udpChecksum: true } as const;

/** Looks at the packets of clients that carry data. */
export class WebFilter {
  /** Requests and greetings with a name. */
  seen = 0;
  blocked = 0;
  readonly #handle: NetworkHandle;
  readonly #options: WebFilterOptions;
  readonly #beginnings = new Map<string, Beginning>();

  constructor(handle: NetworkHandle, options: WebFilterOptions) {
    this.#handle = handle;
    this.#options = options;
  }

  /** Sends a packet on, or ends its connection. */
  handle(packet: Packet): void {
    const named = this.#readName(packet);
    const entry = named === null ? null : this.#options.list.find(named.host);
    if (named === null || entry === null) {
      this.#handle.send(packet);
      return;
    }
    this.blocked++;
    this.#options.onBlocked({ ...named, entry, packet });
    if (named.protocol === 'tls') reject(this.#handle, packet);
    else this.#answer(packet, named.host);
  }

  #readName(packet: Packet): Named | null {
    const { tcp } = packet;
    const payload = packet.readPayload();
    if (tcp === null || payload.length === 0) return null;
    const key = connectionKey(packet);
    const known = this.#beginnings.get(key);
    // Most of what passes is data in the middle of a connection, which begins with neither.
    if (known === undefined && !canBegin(payload[0] ?? 0)) return null;
    const beginning = known ?? { head: new StreamHead(), segments: 0 };
    beginning.head.add(packet);
    const found = nameIn(beginning.head.bytes);
    if (found === 'partial' && ++beginning.segments < SEGMENTS_MAX) {
      if (this.#beginnings.size >= BEGINNINGS_MAX) this.#beginnings.clear();
      this.#beginnings.set(key, beginning);
      return null;
    }
    this.#beginnings.delete(key);
    if (found === null || found === 'partial') return null;
    this.seen++;
    return found;
  }

  /** The page for the client, a reset for the server. */
  #answer(packet: Packet, host: string): void {
    const page = answerPacket(packet, blockResponse(this.#options.page ?? blockPage(host)));
    const reset = rejectAnswers(packet).find(({ to }) => to === 'destination');
    const [onward, back] = waysOf(packet);
    this.#handle.drop(packet);
    if (reset) this.#handle.send(reset.bytes, onward);
    if (page) this.#handle.send(page, back);
  }
}

/** Whether a request or a greeting can begin with a byte. */
function canBegin(byte: number): boolean {
  return byte === TLS_HANDSHAKE || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}

function nameIn(bytes: Uint8Array): Named | 'partial' | null {
  const hello = readClientHello(bytes);
  if (hello.kind === 'partial') return 'partial';
  if (hello.kind === 'complete') {
    return hello.serverName === null ? null : { protocol: 'tls', host: hello.serverName };
  }
  const host = httpRequest(bytes)?.host ?? null;
  if (host !== null) return { protocol: 'http', host };
  return isPartialHttpRequest(bytes) ? 'partial' : null;
}

function connectionKey({ ip, ipv6, tcp }: Packet): string {
  const header = ip ?? ipv6;
  return `${header?.srcAddr} ${tcp?.srcPort} ${header?.dstAddr} ${tcp?.dstPort}`;
}

/** Addresses of packets that go where this one goes, and back. */
function waysOf({ address }: Packet): [onward: AddressInit, back: AddressInit] {
  const { interfaceIndex, layer, loopback, outbound } = address;
  // In a router the way is that of the route.
  if (layer === 'forward') return [VALID, VALID];
  if (loopback) {
    const here = { ...VALID, outbound: true, loopback: true, interfaceIndex };
    return [here, here];
  }
  return [
    { ...VALID, outbound, interfaceIndex },
    { ...VALID, outbound: !outbound, interfaceIndex },
  ];
}
