import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type {
  Backend,
  ChannelCounters,
  ChannelListener,
  NetworkChannel,
} from '../../src/divert/backend.ts';
import { Slot } from '../../src/divert/slot.ts';
import { type NetworkHandle, type OpenOptions, open } from '../../src/index.ts';
import { build } from '../packet/build.ts';

const NO_COUNTS: ChannelCounters = {
  offered: 0,
  matched: 0,
  passed: 0,
  bypassed: 0,
  dropped: 0,
  kernelQueue: 0,
  socketOverrun: 0,
  lateVerdict: 0,
  lateChanged: 0,
  ringFull: 0,
};

/** A number of packets that are there from the start. */
class PacedChannel implements NetworkChannel {
  readonly isPaced = true;
  readonly budgets: number[] = [];
  readonly sent: number[] = [];
  isDrained = false;
  #left: number;
  readonly #error: Error | undefined;
  #listener: ChannelListener | undefined;

  constructor(count: number, error?: Error) {
    this.#left = count;
    this.#error = error;
  }

  start(listener: ChannelListener): void {
    this.#listener = listener;
  }

  read(budget: number, sink: (slot: Slot) => void): boolean {
    this.budgets.push(budget);
    if (this.#left === 0) {
      if (this.#error) this.#listener?.failed(this.#error);
      else this.#listener?.ended?.();
    }
    for (let count = 0; count < budget && this.#left > 0; count++) {
      const slot = new Slot(build(4, 'udp', new Uint8Array(1000)), { release: () => {} });
      slot.id = this.#left--;
      slot.length = slot.originalLength = slot.memory.length;
      slot.undecided = true;
      sink(slot);
    }
    return this.#left > 0;
  }

  fail(error: Error): void {
    this.#listener?.failed(error);
  }

  accept(slot: Slot): void {
    this.sent.push(slot.id);
  }
  acceptChanged(slot: Slot): void {
    this.sent.push(slot.id);
  }
  async drained(): Promise<void> {
    await sleep(1);
    this.isDrained = true;
  }
  drop(): void {}
  flush(): void {}
  inject(): void {}
  setFilter(): void {}
  detach(): void {}
  counters = (): ChannelCounters => NO_COUNTS;
  async close(): Promise<void> {}
}

async function openPaced(channel: PacedChannel, options: OpenOptions = {}): Promise<NetworkHandle> {
  const backend: Backend = { name: 'paced', openNetwork: () => channel };
  const handle = await open('true', { ...options, layer: 'network', backend });
  return handle;
}

describe('a handle on a paced channel', () => {
  test('reads what it is asked for, and ends by itself', async () => {
    const channel = new PacedChannel(3);
    const handle = await openPaced(channel);
    await sleep(5);
    expect(channel.budgets).toEqual([]);
    for await (const packet of handle) handle.send(packet);
    expect(channel.sent).toEqual([3, 2, 1]);
    expect(channel.budgets).toEqual([1, 1, 1, 1]);
    expect(await handle.receive()).toBeNull();
    expect(handle.stats()).toMatchObject({ received: 3, sent: 3, queued: 0, held: 0 });
    await handle.close();
  });

  test('batches have all that was asked for, whatever the limits of the queue', async () => {
    const channel = new PacedChannel(250);
    const handle = await openPaced(channel, { queueLength: 32, queueSizeBytes: 65535 });
    const lengths: number[] = [];
    for await (const batch of handle.batches(100)) {
      lengths.push(batch.length);
      batch.send();
    }
    expect(lengths).toEqual([100, 100, 50]);
    expect(handle.stats()).toMatchObject({ sent: 250, lost: { total: 0 } });
    await handle.close();
  });

  test('loses nothing to time', async () => {
    const handle = await openPaced(new PacedChannel(1), { queueTimeMs: 100 });
    const packet = await handle.receive();
    await sleep(600);
    if (packet) handle.send(packet);
    expect(handle.stats()).toMatchObject({ sent: 1, unhandled: 0, lost: { total: 0 } });
    await handle.close();
  });

  test('closed early, it leaves the rest unread', async () => {
    const channel = new PacedChannel(5);
    const handle = await openPaced(channel);
    const packet = await handle.receive();
    if (packet) handle.send(packet);
    await handle.close();
    expect(await handle.receive()).toBeNull();
    expect(channel.sent).toEqual([5]);
    expect(channel.budgets).toEqual([1]);
  });

  test('a failure is thrown behind the packets before it, and not again by close', async () => {
    const handle = await openPaced(new PacedChannel(2, new Error('broken file')));
    let received = 0;
    const loop = (async () => {
      for await (const packet of handle) {
        handle.send(packet);
        received++;
      }
    })();
    await expect(loop).rejects.toThrow('broken file');
    expect(received).toBe(2);
    await handle.close();
  });

  test('a failure that no receive saw is thrown by close, once', async () => {
    const channel = new PacedChannel(2);
    const handle = await openPaced(channel);
    channel.fail(new Error('disk full'));
    await expect(handle.close()).rejects.toThrow('disk full');
    await handle.close();
  });

  test('flush waits until what was sent went on', async () => {
    const channel = new PacedChannel(1);
    const handle = await openPaced(channel);
    const packet = await handle.receive();
    if (packet) handle.send(packet);
    await handle.flush();
    expect(channel.isDrained).toBe(true);
    await handle.close();
  });
});
