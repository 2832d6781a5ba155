import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { Packet } from '../../src/packet/packet.ts';
import { FakeKernel } from '../helpers/fake-kernel.ts';
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

async function createWorld(): Promise<World> {
  const kernel = new FakeKernel();
  return {
    options: { backend: kernel },
    listen: async (count, firstMs = 5000) => {
      const first = kernel.delivered.length;
      const payloads = (async () => {
        for (let idle = 0, seen = 0; seen < count; ) {
          const now = kernel.delivered.length - first;
          idle = now === seen ? idle + 5 : 0;
          seen = now;
          if (idle > (seen === 0 ? Math.min(firstMs, 500) : IDLE_MS)) break;
          await sleep(5);
        }
        return kernel.delivered.slice(first).map((bytes) => new Packet(bytes, {}).payload);
      })();
      return { payloads };
    },
    send: async (from, to) => {
      for (let length = from; length <= to; length++) kernel.arrive(datagram(length));
    },
    expectClean: async () => expect(kernel.openChannels).toBe(0),
    close: async () => {},
  };
}

testBackend('the fake kernel', createWorld);
