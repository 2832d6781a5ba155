import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NetworkHandle, open, type Packet } from '../../src/index.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { runScript, startScript } from '../helpers/traffic.ts';

const LONGEST = 1400;
const PORT = 5000;

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

const original = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (length + index) & 255);
const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 0x5a);

interface Change {
  name: string;
  /** What the receiver shall get instead of `payload`. */
  expected: (payload: Uint8Array) => Uint8Array;
  apply: (packet: Packet) => void;
}

const inPlace = (packet: Packet): void => {
  const { payload } = packet;
  for (let index = 0; index < payload.length; index++)
    payload[index] = (payload[index] ?? 0) ^ 0x5a;
};
const longer = (payload: Uint8Array): Uint8Array =>
  new Uint8Array([...payload, ...Buffer.from('0123456789')]);

const CHANGES: Change[] = [
  { name: 'unchanged', expected: (payload) => payload, apply: () => {} },
  { name: 'written in place', expected: flip, apply: inPlace },
  {
    name: 'assigned',
    expected: flip,
    apply: (packet) => {
      packet.payload = flip(packet.payload);
    },
  },
  {
    name: '10 bytes longer',
    expected: longer,
    apply: (packet) => {
      packet.payload = longer(packet.payload);
    },
  },
  {
    name: '10 bytes shorter',
    expected: (payload) => payload.subarray(0, Math.max(0, payload.length - 10)),
    apply: (packet) => {
      packet.payload = packet.payload.subarray(0, Math.max(0, packet.payload.length - 10));
    },
  },
];

async function sendEach(handle: NetworkHandle, apply: (packet: Packet) => void): Promise<void> {
  for await (const packet of handle) {
    apply(packet);
    handle.send(packet);
  }
}

async function sendBatches(handle: NetworkHandle, apply: (packet: Packet) => void): Promise<void> {
  for await (const batch of handle.batches()) {
    for (const packet of batch) apply(packet);
    batch.send();
  }
}

/** Every length once through a handle; returns what arrived, sorted by length. */
async function exchange(
  direction: 'outbound' | 'inbound',
  family: 'ipv4' | 'ipv6',
  apply: (packet: Packet) => void,
  loop: typeof sendEach,
) {
  const address = net.b[family];
  const receiver = await startScript(net.b, 'udp-receive', [address, PORT, LONGEST, 3000]);
  const end = direction === 'outbound' ? net.a : net.b;
  const handle = await open(`${direction} and udp.DstPort == ${PORT}`, { namespace: end.path });
  const work = loop(handle, apply);
  await runScript(net.a, 'udp-send', [address, PORT, 1, LONGEST]);
  const lines = (await receiver.output).trimEnd().split('\n');
  await handle.close();
  await work;
  const arrived = lines.map((line) => new Uint8Array(Buffer.from(line, 'base64')));
  return { arrived, stats: handle.stats() };
}

const content = (datagrams: Uint8Array[]): string[] =>
  datagrams.map((bytes) => Buffer.from(bytes).toString('hex')).sort();

describe.each(['outbound', 'inbound'] as const)('%s datagrams', (direction) => {
  describe.each(['ipv4', 'ipv6'] as const)('over %s, every length 1..1400', (family) => {
    test.each(CHANGES)('$name', async ({ apply, expected }) => {
      const { arrived, stats } = await exchange(direction, family, apply, sendEach);
      const want = Array.from({ length: LONGEST }, (_, index) => expected(original(index + 1)));
      expect(content(arrived)).toEqual(content(want));
      expect(stats).toMatchObject({ received: LONGEST, sent: LONGEST, dropped: 0 });
      expect(stats.lost.total).toBe(0);
    });

    test('by batches, assigned', async () => {
      const { arrived, stats } = await exchange(
        direction,
        family,
        (packet) => {
          packet.payload = flip(packet.payload);
        },
        sendBatches,
      );
      const want = Array.from({ length: LONGEST }, (_, index) => flip(original(index + 1)));
      expect(content(arrived)).toEqual(content(want));
      expect(stats).toMatchObject({ matched: LONGEST, sent: LONGEST, changed: LONGEST });
    });
  });
});
