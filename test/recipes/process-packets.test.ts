import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
  type NetworkHandle,
  type NetworkOpenOptions,
  open,
  Packet,
  type ProcessOptions,
  processPackets,
  recipes,
} from '../../src/index.ts';
import { collectGarbage } from '../helpers/collect-garbage.ts';
import { FakeKernel } from '../helpers/fake-kernel.ts';
import { Random } from '../helpers/random.ts';
import { build } from '../packet/build.ts';

/** A datagram of a flow, with a number in its payload. */
function datagram(flow: number, number: number): Uint8Array {
  const packet = new Packet(build(4, 'udp', Uint8Array.of(flow, number >> 8, number)), {});
  if (packet.udp) packet.udp.srcPort = 1000 + flow;
  packet.finish();
  return packet.bytes;
}

const flowOf = (packet: Packet): number => packet.payload[0] ?? -1;
const numberOf = (packet: Packet): number =>
  ((packet.payload[1] ?? 0) << 8) | (packet.payload[2] ?? 0);

async function start(options: NetworkOpenOptions = {}) {
  const kernel = new FakeKernel();
  const handle = await open('udp', { backend: kernel, ...options });
  return {
    kernel,
    handle,
    arrive: (flow: number, number: number): void => kernel.arrive(datagram(flow, number)),
    delivered: (): Packet[] => kernel.delivered.map((bytes) => new Packet(bytes, {})),
  };
}

/** Waits until `count` packets are received, then lets no more come. */
async function receiveAll(handle: NetworkHandle, count: number): Promise<void> {
  await expect.poll(() => handle.stats().received).toBe(count);
  handle.shutdown('receive');
}

function expectBalance(handle: NetworkHandle): void {
  const { received, sent, dropped, lost, queued, held } = handle.stats();
  expect(sent + dropped + lost.total + queued + held).toBe(received);
  expect({ lost: lost.total, queued, held }).toEqual({ lost: 0, queued: 0, held: 0 });
}

/** A promise to be resolved by hand. */
function gate(): { opened: Promise<void>; open: () => void } {
  let release: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { opened, open: release };
}

const FLOWS = 5;
const PACKETS = 400;

describe('order', () => {
  async function run(order: ProcessOptions['order']) {
    const random = new Random(7);
    const { handle, arrive, delivered } = await start();
    for (let number = 0; number < PACKETS; number++) arrive(number % FLOWS, number);
    const work = processPackets(
      handle,
      async () => {
        for (let turns = random.below(6); turns > 0; turns--) await turn();
      },
      { order, concurrency: 16 },
    );
    await receiveAll(handle, PACKETS);
    expect(await work).toEqual({
      processed: PACKETS,
      passed: PACKETS,
      dropped: 0,
      decided: 0,
      failed: 0,
    });
    expectBalance(handle);
    return delivered();
  }
  const isSorted = (numbers: number[]): boolean =>
    numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0));

  test('flow: packets of a flow in theirs, flows in any', async () => {
    const packets = await run('flow');
    for (let flow = 0; flow < FLOWS; flow++) {
      const numbers = packets.filter((packet) => flowOf(packet) === flow).map(numberOf);
      expect(numbers).toHaveLength(PACKETS / FLOWS);
      expect(isSorted(numbers)).toBe(true);
    }
    expect(isSorted(packets.map(numberOf))).toBe(false);
  });

  test('all: every packet', async () => {
    expect((await run('all')).map(numberOf)).toEqual([...new Array(PACKETS).keys()]);
  });

  test('none: as handlers end', async () => {
    const numbers = (await run('none')).map(numberOf);
    expect(numbers).toHaveLength(PACKETS);
    expect(isSorted(numbers.filter((number) => number % FLOWS === 0))).toBe(false);
  });
});

test('one slow handler holds up its flow only', async () => {
  const { handle, arrive, delivered } = await start();
  const slow = gate();
  const work = processPackets(handle, async (packet) => {
    if (flowOf(packet) === 1 && numberOf(packet) === 0) await slow.opened;
  });
  arrive(1, 0);
  arrive(1, 1);
  arrive(2, 0);
  await expect.poll(() => delivered().map(flowOf)).toEqual([2]);
  slow.open();
  await expect.poll(() => delivered().map(flowOf)).toEqual([2, 1, 1]);
  await handle.close();
  await work;
});

test('verdicts: pass, drop, nothing, changed, decided by the handler', async () => {
  const { handle, arrive, delivered } = await start();
  for (let number = 0; number < 6; number++) arrive(number, number);
  const work = processPackets(handle, (packet) => {
    switch (numberOf(packet)) {
      case 0:
        return 'pass';
      case 1:
        return 'drop';
      case 2:
        return Promise.resolve('drop');
      case 3:
        packet.payload = Uint8Array.of(3, 0, 99);
        return undefined;
      case 4:
        handle.send(packet);
        return undefined;
      default:
        handle.drop(packet);
        return 'pass';
    }
  });
  await receiveAll(handle, 6);
  expect(await work).toEqual({ processed: 6, passed: 2, dropped: 2, decided: 2, failed: 0 });
  expect(delivered().map(numberOf).sort()).toEqual([0, 4, 99]);
  expectBalance(handle);
});

test('no more handlers run than said, and no more packets are in hand than four times as many', async () => {
  const { handle, arrive } = await start();
  const first = gate();
  const count = { running: 0, most: 0, started: 0 };
  for (let number = 0; number < 100; number++) arrive(1, number);
  const work = processPackets(
    handle,
    async (packet) => {
      count.started++;
      count.most = Math.max(count.most, ++count.running);
      if (numberOf(packet) === 0) await first.opened;
      else await turn();
      count.running--;
    },
    { concurrency: 3 },
  );
  await expect.poll(() => count.started).toBe(12);
  await sleep(20);
  expect(count).toEqual({ running: 1, most: 3, started: 12 });
  first.open();
  await receiveAll(handle, 100);
  await work;
  expect(count).toEqual({ running: 0, most: 3, started: 100 });
  expectBalance(handle);
});

describe('a handler that fails', () => {
  const failOnThree = async (packet: Packet): Promise<void> => {
    await turn();
    if (numberOf(packet) === 3) throw new Error('three');
  };
  test.each([
    ['pass', { passed: 6, dropped: 0 }],
    ['drop', { passed: 5, dropped: 1 }],
  ] as const)('onError %s', async (onError, expected) => {
    const { handle, arrive } = await start();
    for (let number = 0; number < 6; number++) arrive(0, number);
    const work = processPackets(handle, failOnThree, { onError });
    await receiveAll(handle, 6);
    expect(await work).toMatchObject({ ...expected, failed: 1 });
    expectBalance(handle);
  });

  test.each([
    ['at once', failOnThreeAtOnce],
    ['later', failOnThree],
  ])('onError throw, %s: ends when no packet is in hand', async (_name, handler) => {
    const { handle, arrive } = await start();
    for (let number = 0; number < 6; number++) arrive(0, number);
    await expect(processPackets(handle, handler)).rejects.toThrow('three');
    await handle.close();
    expect(handle.stats().dropped).toBe(1);
    expectBalance(handle);
  });
  function failOnThreeAtOnce(packet: Packet): undefined {
    if (numberOf(packet) === 3) throw new Error('three');
  }

  test('what it made of the packet cannot be sent', async () => {
    const { handle, arrive } = await start();
    arrive(0, 0);
    const breaking = processPackets(handle, (packet) => packet.replace(new Uint8Array(3)), {
      onError: 'pass',
    });
    await receiveAll(handle, 1);
    expect(await breaking).toMatchObject({ passed: 0, dropped: 1, failed: 1 });
    expectBalance(handle);
  });
});

describe('the end', () => {
  test('signal: one that nobody else holds', async () => {
    const { handle } = await start();
    const work = processPackets(handle, () => 'pass', { signal: AbortSignal.timeout(50) });
    await turn();
    collectGarbage();
    await turn();
    collectGarbage();
    expect(await work).toMatchObject({ processed: 0 });
    await handle.close();
  });

  test('signal: packets in hand are finished, others stay', async () => {
    const { handle, arrive, delivered } = await start();
    const controller = new AbortController();
    const slow = gate();
    const work = processPackets(handle, () => slow.opened, { signal: controller.signal });
    arrive(0, 0);
    await expect.poll(() => handle.stats().delivered).toBe(1);
    controller.abort();
    slow.open();
    expect(await work).toMatchObject({ processed: 1, passed: 1 });
    arrive(0, 1);
    expect(numberOf((await handle.receive()) ?? new Packet(datagram(0, 9), {}))).toBe(1);
    await handle.close();
    expect(delivered().map(numberOf)).toEqual([0]);
  });

  test('a handle that is closed gives up what is in hand', async () => {
    const { handle, arrive } = await start();
    const slow = gate();
    const work = processPackets(handle, () => slow.opened);
    arrive(0, 0);
    await expect.poll(() => handle.stats().delivered).toBe(1);
    await handle.close();
    slow.open();
    expect(await work).toEqual({ processed: 1, passed: 0, dropped: 0, decided: 1, failed: 0 });
    expect(handle.stats()).toMatchObject({ unhandled: 1, dropped: 1, held: 0 });
  });
});

test.each([
  [{ concurrency: 0 }, 'concurrency'],
  [{ concurrency: 1.5 }, 'concurrency'],
  [{ order: 'any' as 'none' }, 'order'],
  [{ onError: 'ignore' as 'drop' }, 'onError'],
])('options %j are refused', async (options, name) => {
  const { handle } = await start();
  await expect(processPackets(handle, () => 'pass', options)).rejects.toMatchObject({
    code: 'invalid-parameter',
    message: expect.stringContaining(`Option ${name}`),
  });
  await handle.close();
});

test('it is recipes.process too', () => {
  expect(recipes.process).toBe(processPackets);
});
