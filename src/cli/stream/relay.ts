/**
 * A proxy that connects clients with whom they meant, and writes down what goes both ways.
 *
 * @module
 */

import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
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
    ]).finally(() => {
      client.destroy();
      server.destroy();
    });
    this.#report(name, destination, {
      sent,
      received,
      seconds: (performance.now() - startedAtMs) / 1000,
    });
  }

  /** Copies one direction; resolves with the number of bytes. */
  async #copy(from: Socket, to: Socket, name: string): Promise<number> {
    const file: WriteStream = createWriteStream(join(this.#folder, name));
    const tap = new PassThrough();
    const saved = pipeline(tap, file);
    try {
      await pipeline(
        from,
        async function* (source: AsyncIterable<Buffer>) {
          for await (const chunk of source) {
            if (!tap.write(chunk)) await new Promise((resolve) => tap.once('drain', resolve));
            yield chunk;
          }
        },
        to,
      );
    } finally {
      tap.end();
      await saved;
    }
    return file.bytesWritten;
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
