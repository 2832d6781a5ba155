import { expect, test } from 'vitest';
import { type NetworkOpenOptions, open, Packet, shape } from '../../src/index.ts';
import { FakeKernel } from '../helpers/fake-kernel.ts';
import { build } from '../packet/build.ts';

/** A datagram with a number in its payload. */
const numbered = (number: number): Uint8Array =>
  build(4, 'udp', Uint8Array.of(number >> 16, number >> 8, number));
const numberOf = (bytes: Uint8Array): number => {
  const [high = 0, middle = 0, low = 0] = new Packet(bytes, {}).payload;
  return (high << 16) | (middle << 8) | low;
};
const numbers = (count: number): number[] => [...new Array(count).keys()];

async function start(options: NetworkOpenOptions = {}) {
  const kernel = new FakeKernel();
  const handle = await open('udp', { backend: kernel, ...options });
  return {
    kernel,
    handle,
    arrive: (count: number): void => {
      for (let number = 0; number < count; number++) kernel.arrive(numbered(number));
    },
    delivered: (): number[] => kernel.delivered.map(numberOf),
  };
}

test('delayed packets leave in their order, as themselves', async () => {
  const { handle, kernel, arrive, delivered } = await start();
  const shaper = await shape(handle, { inbound: { latencyMs: 30, jitterMs: 20 } });
  arrive(500);
  await expect.poll(delivered).toEqual(numbers(500));
  expect(kernel.delivered[7]).toEqual(numbered(7));
  await shaper.close();
  expect(handle.stats()).toMatchObject({ sent: 500, injected: 0, dropped: 0, changed: 0, held: 0 });
  await handle.close();
});

test('more than the kernel keeps are put in anew when they are due', async () => {
  const packets = 13_000;
  const { handle, arrive, delivered } = await start();
  const shaper = await shape(handle, { inbound: { latencyMs: 10_000 } });
  arrive(packets);
  await expect.poll(() => shaper.stats().inbound.waiting, { timeout: 30_000 }).toBe(packets);
  expect(handle.stats()).toMatchObject({ held: 12_000, dropped: 1000 });
  await shaper.close();
  expect(delivered().sort((one, other) => one - other)).toEqual(numbers(packets));
  expect(handle.stats()).toMatchObject({ sent: 12_000, dropped: 1000, injected: 1000, held: 0 });
  expect(shaper.stats().inbound).toMatchObject({ packets, sent: packets, failed: 0, waiting: 0 });
  await handle.close();
});

test('what takes longer than the kernel keeps it is put in anew', async () => {
  const { handle, arrive, delivered } = await start();
  const shaper = await shape(handle, { inbound: { latencyMs: 50_000, duplicate: 1 } });
  arrive(10);
  await expect.poll(() => shaper.stats().inbound.waiting).toBe(10);
  expect(handle.stats()).toMatchObject({ held: 0, dropped: 10 });
  await shaper.close();
  expect(delivered()).toEqual(numbers(10).flatMap((number) => [number, number]));
  await handle.close();
});

test('when the handle is closed, what is delayed leaves at once', async () => {
  const { handle, arrive, delivered } = await start();
  const shaper = await shape(handle, { inbound: { latencyMs: 5000 } });
  arrive(10);
  await expect.poll(() => shaper.stats().inbound.waiting).toBe(10);
  await handle.close();
  await shaper.ended;
  expect(shaper.stats().inbound).toMatchObject({ sent: 10, failed: 0, waiting: 0 });
  expect(delivered()).toEqual(numbers(10));
  expect(handle.stats()).toMatchObject({ received: 10, sent: 10, held: 0 });
});

test('a handle that is not its own stays open', async () => {
  const { handle, arrive, delivered } = await start();
  const shaper = await shape(handle, {});
  await shaper.close();
  arrive(1);
  const packet = await handle.receive();
  if (packet) handle.send(packet);
  await handle.flush();
  expect(delivered()).toEqual([0]);
  await handle.close();
});
