/**
 * Which connection a packet belongs to, seen from the client and seen from the proxy.
 *
 * @module
 */
import { Connection, type ConnectionInit } from './connection.ts';
import { type EndpointKey, withPort } from './endpoint-key.ts';

/** Ports that are tried for a client whose own is taken at the proxy. */
const FIRST_PORT = 1024;
const PORTS = 65_536 - FIRST_PORT;
/** Ports in a row that are tried: none of them is free only when nearly all are taken. */
const TRIES = 512;

export class ConnectionTable {
  /** By the client's endpoint, then by its destination. */
  readonly #bySource = new Map<EndpointKey, Map<EndpointKey, Connection>>();
  readonly #byPeer = new Map<EndpointKey, Connection>();

  /** Connections that are remembered. */
  get size(): number {
    return this.#byPeer.size;
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#byPeer.values();
  }

  /** Of a packet from a client. */
  fromClient(source: EndpointKey, destination: EndpointKey): Connection | undefined {
    return this.#bySource.get(source)?.get(destination);
  }

  /** Of a packet to a client, from the proxy. */
  fromProxy(peer: EndpointKey): Connection | undefined {
    return this.#byPeer.get(peer);
  }

  /**
   * Takes a connection in. The proxy sees the client's own port, or another one when a connection of
   * the same address and port to somewhere else is there.
   *
   * @returns null when no port was found
   */
  add(
    init: Omit<ConnectionInit, 'peerKey' | 'peerPort'>,
    nowMs: number,
    random: () => number = Math.random,
  ): Connection | null {
    const peerPort = this.#freePort(init.sourceKey, init.source.port, random);
    if (peerPort === null) return null;
    const peerKey = withPort(init.sourceKey, peerPort);
    const connection = new Connection({ ...init, peerKey, peerPort }, nowMs);
    this.#byPeer.set(peerKey, connection);
    const others = this.#bySource.get(init.sourceKey);
    if (others) others.set(init.destinationKey, connection);
    else this.#bySource.set(init.sourceKey, new Map([[init.destinationKey, connection]]));
    return connection;
  }

  /** Forgets what is over; returns how many were. */
  expire(nowMs: number): number {
    let expired = 0;
    for (const connection of this.#byPeer.values()) {
      if (!connection.isOver(nowMs)) continue;
      this.remove(connection);
      expired++;
    }
    return expired;
  }

  /** Forgets a connection. */
  remove({ peerKey, sourceKey, destinationKey }: Connection): void {
    this.#byPeer.delete(peerKey);
    const others = this.#bySource.get(sourceKey);
    others?.delete(destinationKey);
    if (others?.size === 0) this.#bySource.delete(sourceKey);
  }

  #freePort(source: EndpointKey, own: number, random: () => number): number | null {
    if (!this.#byPeer.has(withPort(source, own))) return own;
    const start = Math.floor(random() * PORTS);
    for (let step = 0; step < TRIES; step++) {
      const port = FIRST_PORT + ((start + step) % PORTS);
      if (!this.#byPeer.has(withPort(source, port))) return port;
    }
    return null;
  }
}
