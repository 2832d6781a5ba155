/**
 * Which packets are redirected, and what is rewritten in them.
 *
 * The client's packets get the proxy's address and port for their destination; the proxy's packets
 * get the original destination for their source. Nothing else changes: sequence numbers, options and
 * data are the two ends' own.
 *
 * @module
 */
import type { IPv6Words } from '../../packet/ipv6.ts';
import type { Packet } from '../../packet/packet.ts';
import type { TcpView } from '../../packet/tcp.ts';
import type { Connection } from './connection.ts';
import { ConnectionTable } from './connection-table.ts';
import { type Endpoint, type EndpointKey, keyOf, parseKey } from './endpoint-key.ts';
import { limitSegmentSize } from './segment-size.ts';
import type { Target } from './target.ts';

const SYN = 0x02;
const ACK = 0x10;

/** Counters of a redirection. */
export interface TranslationStats {
  /** Connections that are remembered now, those that just ended among them. */
  connections: number;
  /** Connections redirected so far. */
  opened: number;
  /** Of those, the ones the proxy sees with another port than the client's own. */
  remapped: number;
  /** Connections of the proxy itself, which were let go. */
  excluded: number;
  /** Connections that could not be redirected because no port was left; they were let go. */
  refused: number;
  /** Packets that were rewritten to the proxy, and back. */
  packetsToProxy: number;
  packetsToClients: number;
}

export class Translation {
  readonly #target: Target;
  readonly #isExcluded: (packet: Packet, nowMs: number) => boolean;
  readonly #table = new ConnectionTable();
  readonly #counts = {
    opened: 0,
    remapped: 0,
    excluded: 0,
    refused: 0,
    packetsToProxy: 0,
    packetsToClients: 0,
  };

  /** @param isExcluded asked once for each new connection: it is let go */
  constructor(target: Target, isExcluded: (packet: Packet, nowMs: number) => boolean) {
    this.#target = target;
    this.#isExcluded = isExcluded;
  }

  stats(): TranslationStats {
    return { connections: this.#table.size, ...this.#counts };
  }

  /** Where a client of the proxy wanted to go; null for one that was not redirected. */
  originalDestination(peer: Endpoint): Endpoint | null {
    const key = parseKey(peer);
    const connection = key === null ? undefined : this.#table.fromProxy(key);
    return connection?.destination ?? null;
  }

  /** Forgets connections that are over. */
  expire(nowMs: number): void {
    this.#table.expire(nowMs);
  }

  /** Rewrites a packet of either side, if it is one of a redirected connection. */
  translate(packet: Packet, nowMs: number): void {
    if (this.#target.isSource(packet)) {
      this.translateBack(packet, nowMs);
      return;
    }
    const connection = this.find(packet, nowMs);
    if (connection) this.apply(packet, connection);
  }

  /** The connection of a client's packet; a new one for its first SYN. */
  find(packet: Packet, nowMs: number): Connection | null {
    const { tcp } = packet;
    if (!tcp || !this.#target.isReachable(packet)) return null;
    const { memory, offset } = packet;
    const source = keyOf(memory, offset, 'SOURCE', tcp.srcPort);
    const destination = keyOf(memory, offset, 'DESTINATION', tcp.dstPort);
    const known = this.#table.fromClient(source, destination);
    const isFirst = (tcp.flags & (SYN | ACK)) === SYN && known?.isUsed() !== true;
    if (isFirst && this.#isExcluded(packet, nowMs)) {
      this.#counts.excluded++;
      if (known) this.#table.remove(known);
      return null;
    }
    const connection =
      known ?? (isFirst ? this.#open(packet, tcp, source, destination, nowMs) : null);
    if (known && isFirst) this.#counts.opened++;
    connection?.fromClient(tcp.flags, nowMs);
    return connection;
  }

  /** Rewrites a client's packet so that the proxy gets it. */
  apply(packet: Packet, connection: Connection): void {
    const { tcp } = packet;
    if (!tcp) return;
    if (tcp.syn) limitSegmentSize(tcp);
    this.#target.setDestination(packet, tcp);
    if (connection.peerPort !== connection.source.port) tcp.srcPort = connection.peerPort;
    this.#counts.packetsToProxy++;
  }

  /** Rewrites a packet of the proxy so that the client takes it. */
  translateBack(packet: Packet, nowMs: number): void {
    const { tcp, ip, ipv6, memory, offset } = packet;
    if (!tcp) return;
    const connection = this.#table.fromProxy(keyOf(memory, offset, 'DESTINATION', tcp.dstPort));
    if (!connection) return;
    connection.fromProxy(tcp.flags, nowMs);
    if (tcp.syn) limitSegmentSize(tcp);
    const { destinationAddress, destination, source } = connection;
    if (ip) ip.sourceAddress = destinationAddress as number;
    else if (ipv6) ipv6.sourceAddress = destinationAddress as IPv6Words;
    tcp.srcPort = destination.port;
    if (connection.peerPort !== source.port) tcp.dstPort = source.port;
    this.#counts.packetsToClients++;
  }

  #open(
    packet: Packet,
    tcp: TcpView,
    sourceKey: EndpointKey,
    destinationKey: EndpointKey,
    nowMs: number,
  ): Connection | null {
    const ip = packet.ip ?? packet.ipv6;
    if (!ip) return null;
    const destinationAddress =
      packet.ip?.destinationAddressNumber ?? packet.ipv6?.destinationAddressWords ?? 0;
    const connection = this.#table.add(
      {
        source: { address: ip.srcAddr, port: tcp.srcPort },
        destination: { address: ip.dstAddr, port: tcp.dstPort },
        destinationAddress,
        sourceKey,
        destinationKey,
      },
      nowMs,
    );
    if (!connection) {
      this.#counts.refused++;
      return null;
    }
    this.#counts.opened++;
    if (connection.peerPort !== connection.source.port) this.#counts.remapped++;
    return connection;
  }
}
