import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { open, type Packet } from '../../src/index.ts';
import { FAMILIES, type Family } from '../helpers/datagram.ts';
import { createNetwork, type Network, type NetworkEnd } from '../helpers/namespaces.ts';
import { runScript, startScript } from '../helpers/traffic.ts';

const PORT = 7000;
const MASK = 0x55;
const MEGABYTE = 1 << 20;
/** Longer than any segment. */
const MTU_BYTES = 1500;

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

type Direction = 'inbound' | 'outbound';
const BOTH = (['inbound', 'outbound'] as const).flatMap((direction) =>
  FAMILIES.map((family) => [direction, family] as const),
);

/** Sends a stream from a to b and returns what both saw of it. */
async function transfer(address: string, bytes: number, mask: number, to: NetworkEnd = net.b) {
  const receiver = await startScript(to, 'tcp-receive', [address, PORT, mask]);
  const sent = JSON.parse(await runScript(net.a, 'tcp-send', [address, PORT, bytes]));
  return { sent, received: JSON.parse(await receiver.output) };
}

/** Diverts a transfer, calling `work` for each packet before it is sent on. */
async function divertTransfer(
  direction: Direction,
  family: Family,
  megabytes: number,
  work: (packet: Packet) => void,
  mask = 0,
) {
  const handle = await open(`${direction} and tcp.DstPort == ${PORT}`, {
    namespace: direction === 'inbound' ? net.b.path : net.a.path,
    largePackets: true,
    queueSizeBytes: 33554432,
  });
  let longest = 0;
  const loop = (async () => {
    for await (const batch of handle.batches()) {
      for (const packet of batch) {
        longest = Math.max(longest, packet.length);
        work(packet);
      }
      batch.send();
    }
  })();
  const result = await transfer(net.b[family], megabytes * MEGABYTE, mask);
  await handle.close();
  await loop;
  return { ...result, longest, stats: handle.stats() };
}

describe('largePackets', () => {
  test.each(BOTH)(
    '%s over %s: 100 MB with every payload rewritten arrive byte-exact',
    async (direction, family) => {
      const { sent, received, longest, stats } = await divertTransfer(
        direction,
        family,
        100,
        ({ payload }) => {
          for (let index = 0; index < payload.length; index++) {
            payload[index] = (payload[index] ?? 0) ^ MASK;
          }
        },
        MASK,
      );
      expect(received).toEqual(sent);
      expect(longest).toBeGreaterThan(10 * MTU_BYTES);
      expect(stats.received).toBeLessThan((100 * MEGABYTE) / MTU_BYTES / 2);
      expect(stats).toMatchObject({ sent: stats.received, dropped: 0, lost: { total: 0 } });
    },
  );
});
