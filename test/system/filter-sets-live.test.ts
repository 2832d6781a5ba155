import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FilterSet, type NetworkOpenOptions, open } from '../../src/index.ts';
import { namesOfMaps } from '../helpers/kernel-objects.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { runScript } from '../helpers/traffic.ts';

const PORT = 5005;
const MAP_NAME = `ndivert_${process.pid}`;
/** Nobody here has any of them. */
const ADDRESSES = Array.from(
  { length: 100_000 },
  (_, index) => `172.${16 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`,
);

let net: Network;
beforeEach(async () => {
  net = await createNetwork();
});
afterEach(() => net.close());

const send = (count: number, address = net.b.ipv4): Promise<string> =>
  runScript(net.a, 'udp-send', [address, PORT, 1, count]);

/** Waits until as many packets came by. */
async function settle(read: () => number, count: number): Promise<void> {
  for (let tries = 0; read() < count && tries < 400; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe.each<[string, NetworkOpenOptions]>([
  ['divert', {}],
  ['sniff', { mode: 'sniff' }],
])('sets of a handle, %s', (_, options) => {
  test('members come and go while it is open; a new filter has new maps', async () => {
    const blocked = new FilterSet(['192.0.2.0/24']);
    const handle = await open(`inbound and udp.DstPort == ${PORT} and ip.SrcAddr in @blocked`, {
      ...options,
      namespace: net.b.path,
      dialect: 'extended',
      sets: { blocked },
    });
    const reading = (async () => {
      for await (const packet of handle) if (!options.mode) handle.send(packet);
    })();
    const received = (): number => handle.stats().received;
    await send(10);
    expect(received()).toBe(0);
    blocked.add(net.a.ipv4);
    await send(10);
    await settle(received, 10);
    expect(received()).toBe(10);
    blocked.replace(ADDRESSES);
    await send(10);
    blocked.add(`${net.a.ipv4}/32`);
    await send(5);
    await settle(received, 15);
    expect(received()).toBe(15);
    await handle.setFilter(`inbound and udp.DstPort == ${PORT} and not (ip.SrcAddr in @blocked)`);
    await send(10);
    blocked.clear();
    await send(10);
    await settle(received, 25);
    expect(received()).toBe(25);
    expect(handle.stats().passed).toBe(0);
    await handle.close();
    await reading;
    blocked.add('192.0.2.1');
    // The kernel frees what programs had after a grace period.
    const own = (): string[] => namesOfMaps().filter((name) => name === MAP_NAME);
    await settle(() => -own().length, 0);
    expect(own()).toEqual([]);
  });
});
