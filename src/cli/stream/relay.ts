/**
 * A proxy that connects clients with whom they meant, and writes down what goes both ways.
 *
 * @module
 */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Redirection } from '../../recipes/index.ts';
import { printJson } from '../json.ts';
import { print, tell } from '../output.ts';
import type { Endpoint } from '../values.ts';

const NUMBER_DIGITS = 6;

/** Where a connection was meant to go. */
type Lookup = Pick<Redirection, 'originalDestination'>;

export class StreamRelay {
  readonly #folder: string;
  readonly #json: boolean;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #lookup: Lookup | undefined;
  #count = 0;

  private constructor(folder: string, json: boolean, server: Server) {
    this.#folder = folder;
    this.#json = json;
    this.#server = server;
  }

  /** Listens on a port of the system's choice; the folder is made when it is not there. */
  static async open(folder: string, json: boolean): Promise<StreamRelay> {
    await mkdir(folder, { recursive: true });
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      // Both families: connections come with the addresses they have.
      server.listen({ port: 0, host: '::' }, resolve);
    });
    return new StreamRelay(folder, json, server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Begins to serve clients. */
  start(lookup: Lookup): void {
    this.#lookup = lookup;
    this.#server.on('connection', (client) => {
      this.#track(client);
      this.#serve(client).catch((error: unknown) => tell(`connection lost: ${String(error)}`));
    });
  }

  /** Ends the connections that are open. Idempotent. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(client: Socket): Promise<void> {
    const { remoteAddress = '', remotePort = 0 } = client;
    const to = this.#lookup?.originalDestination(remoteAddress, remotePort) ?? null;
    // Who connects to the relay itself meant nobody.
    if (to === null) {
      client.destroy();
      return;
    }
    const server = connect({ host: to.address, port: to.port, allowHalfOpen: true });
    this.#track(server);
    const name = String(++this.#count).padStart(NUMBER_DIGITS, '0');
    const destination = { host: to.address, port: to.port };
    const startedAtMs = performance.now();
    const [sent, received] = await Promise.all([
      this.#copy(client, server, `${name}.client`),
      this.#copy(server, client, `${name}.server`),
    ]);
    this.#report(name, destination, {
      sent,
      received,
      seconds: (performance.now() - startedAtMs) / 1000,
    });
  }

  /** Copies one direction; resolves with the number of bytes when it has ended. */
  async #copy(from: Socket, to: Socket, name: string): Promise<number> {
    const file = createWriteStream(join(this.#folder, name));
    let count = 0;
    from.on('data', (chunk: Buffer) => {
      count += chunk.length;
      const full = [to, file].filter((target) => !target.write(chunk));
      if (full.length === 0) return;
      from.pause();
      Promise.all(full.map((target) => once(target, 'drain'))).then(() => from.resume(), noted);
    });
    from.on('end', () => to.end());
    // An end that breaks takes the other one with it.
    from.on('close', (hasError) => {
      if (hasError || !from.readableEnded) to.destroy();
    });
    await ended(from);
    await new Promise((resolve) => file.end(resolve));
    return count;
  }

  #report(
    name: string,
    { host, port }: Endpoint,
    counts: { sent: number; received: number; seconds: number },
  ): void {
    const { received, seconds, sent } = counts;
    if (this.#json) {
      printJson({ type: 'stream', name, destination: host, destinationPort: port, ...counts });
    } else {
      const end = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
      print(`${name} ${end} ${sent} bytes sent, ${received} received in ${seconds.toFixed(3)} s`);
    }
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    // Errors come to whoever copies.
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
  }
}

/** Resolves when no more comes from a socket. */
function ended(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('end', () => resolve());
    socket.once('close', () => resolve());
  });
}

/** A target that broke has closed the connection. */
function noted(): void {}
