import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Backend } from '../../src/divert/backend.ts';
import { Packet } from '../../src/packet/packet.ts';
import { networkLayer, pcapBackend, readCapture, writeCapture } from '../../src/pcap/index.ts';
import { build } from '../packet/build.ts';
import { testBackend, WORLD_PORT, type World } from './backend.ts';

const IDLE_MS = 100;

function datagram(length: number): Uint8Array {
  const payload = Uint8Array.from({ length }, (_, index) => (length + index) & 255);
  const packet = new Packet(build(4, 'udp', payload), {});
  if (packet.udp) packet.udp.dstPort = WORLD_PORT;
  packet.finish();
  return packet.bytes;
}

/** A capture that is still being written, like one that comes through a pipe. */
class LiveCapture {
  readonly #input = new Readable({ read: () => {} });
  readonly #writer = writeCapture({ write: (bytes) => void this.#input.push(bytes) });
  readonly #written: Uint8Array[] = [];
  readonly backend: Backend = pcapBackend({
    read: this.#input,
    write: { write: (bytes) => void this.#written.push(bytes.slice()) },
  });

  get isClosed(): boolean {
    return this.#input.destroyed;
  }

  async arrive(bytes: Uint8Array): Promise<void> {
    await this.#writer.write({ bytes, timestampNs: 1n, direction: 'inbound' });
    await this.#writer.flush();
  }

  /** Payloads of what got through. */
  async payloads(): Promise<Uint8Array[]> {
    const found: Uint8Array[] = [];
    if (this.#written.length === 0) return found;
    for await (const record of readCapture(Buffer.concat(this.#written))) {
      found.push(new Packet(networkLayer(record) ?? record.bytes, {}).payload);
    }
    return found;
  }
}

/** A capture is read once: there is a new one when the handles of the last one are closed. */
async function createWorld(): Promise<World> {
  let capture = new LiveCapture();
  const current = (): LiveCapture => {
    if (capture.isClosed) capture = new LiveCapture();
    return capture;
  };
  const backend: Backend = {
    name: 'pcap',
    openNetwork: (filter, options) => current().backend.openNetwork(filter, options),
  };
  return {
    options: { backend },
    listen: async (count, firstMs = 5000) => {
      const listened = current();
      const first = (await listened.payloads()).length;
      const payloads = (async () => {
        let seen: Uint8Array[] = [];
        for (let idle = 0; seen.length < count; ) {
          const now = (await listened.payloads()).slice(first);
          idle = now.length === seen.length ? idle + 5 : 0;
          seen = now;
          if (idle > (seen.length === 0 ? Math.min(firstMs, 500) : IDLE_MS)) break;
          await sleep(5);
        }
        return seen;
      })();
      return { payloads };
    },
    send: async (from, to) => {
      for (let length = from; length <= to; length++) await current().arrive(datagram(length));
    },
    expectClean: async () => expect(capture.isClosed).toBe(true),
    close: async () => {},
  };
}

testBackend('capture files', createWorld, { isPaced: true });
