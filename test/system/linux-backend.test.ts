import { expect } from 'vitest';
import { testBackend, WORLD_PORT, type World } from '../conformance/backend.ts';
import { listTables } from '../helpers/kernel-objects.ts';
import { createNetwork } from '../helpers/namespaces.ts';
import { runScript, startScript } from '../helpers/traffic.ts';

async function createWorld(): Promise<World> {
  const net = await createNetwork();
  const { ipv4 } = net.b;
  return {
    options: { namespace: net.b.path },
    listen: async (count, firstMs = 20_000) => {
      const args = [ipv4, WORLD_PORT, count, 1000, firstMs];
      const { output } = await startScript(net.b, 'udp-receive', args);
      const payloads = output.then((text) =>
        text
          .split('\n')
          .filter(Boolean)
          .map((line) => new Uint8Array(Buffer.from(line, 'base64'))),
      );
      return { payloads };
    },
    send: async (from, to) => {
      await runScript(net.a, 'udp-send', [ipv4, WORLD_PORT, from, to]);
    },
    expectClean: async () => expect(await listTables(net.b)).toEqual([]),
    close: () => net.close(),
  };
}

testBackend('the Linux kernel', createWorld);
