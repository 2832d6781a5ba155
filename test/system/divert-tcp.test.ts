import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { open } from '../../src/index.ts';
import { createNetwork, type Network, type NetworkEnd } from '../helpers/namespaces.ts';
import { runScript, startScript } from '../helpers/traffic.ts';

const MASK = 0x55;
const MEGABYTE = 1 << 20;

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

/** Sends a stream and returns what sender and receiver saw of it. */
async function transfer(
  from: NetworkEnd,
  to: NetworkEnd,
  address: string,
  bytes: number,
  mask: number,
) {
  const port = 7000;
  const receiver = await startScript(to, 'tcp-receive', [address, port, mask]);
  const sent = JSON.parse(await runScript(from, 'tcp-send', [address, port, bytes]));
  const received = JSON.parse(await receiver.output);
  return { sent, received };
}

describe('TCP with every payload rewritten', () => {
  test.each([
    ['inbound', 'ipv4', 100],
    ['outbound', 'ipv4', 20],
    ['inbound', 'ipv6', 20],
    ['outbound', 'ipv6', 20],
  ] as const)('%s over %s: %i MB arrive byte-exact', async (direction, family, megabytes) => {
    const end = direction === 'inbound' ? net.b : net.a;
    const filter = `${direction} and tcp.DstPort == 7000`;
    const handle = await open(filter, { namespace: end.path });
    const work = (async () => {
      for await (const batch of handle.batches()) {
        for (const packet of batch) {
          const { payload } = packet;
          for (let i = 0; i < payload.length; i++) payload[i] = (payload[i] ?? 0) ^ MASK;
        }
        batch.send();
      }
    })();
    const { sent, received } = await transfer(
      net.a,
      net.b,
      net.b[family],
      megabytes * MEGABYTE,
      MASK,
    );
    await handle.close();
    await work;
    expect(received).toEqual(sent);
    const { received: packets, sent: back, dropped, lost } = handle.stats();
    expect({ packets, dropped, lost: lost.total }).toEqual({ packets: back, dropped: 0, lost: 0 });
    expect(packets).toBeGreaterThan((megabytes * MEGABYTE) / 1460);
  });
});

describe('loopback', () => {
  test.each(['127.0.0.1', '::1'])('16 MB over %s, in segments of 64 KB, pass', async (address) => {
    const handle = await open('loopback and tcp', { namespace: net.a.path });
    let longest = 0;
    let inbound = 0;
    const work = (async () => {
      for await (const packet of handle) {
        longest = Math.max(longest, packet.length);
        if (!packet.address.outbound || !packet.address.loopback) inbound++;
        handle.send(packet);
      }
    })();
    const { sent, received } = await transfer(net.a, net.a, address, 16 * MEGABYTE, 0);
    await handle.close();
    await work;
    expect(received).toEqual(sent);
    expect(longest).toBeGreaterThan(60000);
    expect(inbound).toBe(0);
  });
});
