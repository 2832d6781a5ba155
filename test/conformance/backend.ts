/**
 * What every backend's handles do, whatever holds the packets.
 *
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NetworkHandle, type NetworkOpenOptions, open, type Packet } from '../../src/index.ts';
import { PATIENCE } from '../helpers/patience.ts';

/** Datagrams to this port arrive at the world's host. */
export const WORLD_PORT = 6000;

/** A host with handles on it, and somebody who sends datagrams to it. */
export interface World {
  /** Options that put a handle on the host. */
  readonly options: NetworkOpenOptions;
  /**
   * Listens for datagrams until `count` came, or none for a while.
   *
   * @param firstMs how long to wait for the first
   */
  listen(count: number, firstMs?: number): Promise<{ readonly payloads: Promise<Uint8Array[]> }>;
  /** Sends one datagram of every length from..to; byte i of length n is (n + i) & 255. */
  send(from: number, to: number): Promise<void>;
  /** Nothing of any handle is left. */
  expectClean(): Promise<void>;
  close(): Promise<void>;
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

const code = (name: string, win32?: number) =>
  expect.objectContaining(win32 === undefined ? { code: name } : { code: name, win32 });

/** What a backend has not, so that some tests do not apply. */
export interface BackendLimits {
  /** Packets wait in the backend until the program asks for them: no queue fills or expires. */
  readonly isPaced?: boolean;
}

/** Runs the suite. */
export function testBackend(
  name: string,
  createWorld: () => Promise<World>,
  { isPaced = false }: BackendLimits = {},
): void {
  describe(`handles on ${name}`, () => {
    const testQueue = test.skipIf(isPaced);
    let world: World;
    beforeAll(async () => {
      world = await createWorld();
    });
    afterAll(() => world.close());

    const openHere = (options: NetworkOpenOptions = {}): Promise<NetworkHandle> =>
      open(`inbound and udp.DstPort == ${WORLD_PORT}`, { ...world.options, ...options });

    const lengths = async (listening: { payloads: Promise<Uint8Array[]> }): Promise<number[]> =>
      (await listening.payloads).map((payload) => payload.length);

    async function untilReceived(handle: NetworkHandle, count: number): Promise<void> {
      for (let tries = 0; handle.stats().received < count && tries < 1000; tries++) await sleep(5);
      expect(handle.stats().received).toBe(count);
    }

    describe('close', () => {
      testQueue.each([
        ['pass', range(1, 150)],
        ['drop', []],
      ] as const)('what still waits: onExit %s', async (onExit, arrives) => {
        const listening = await world.listen(150, 2000);
        const handle = await openHere({ onExit });
        await world.send(1, 150);
        await untilReceived(handle, 150);
        await handle.close();
        expect(await lengths(listening)).toEqual(arrives);
        expect(handle.stats()).toMatchObject({
          sent: arrives.length,
          bypassed: arrives.length,
          dropped: 150 - arrives.length,
        });
      });

      test.each([
        ['drop', []],
        ['pass', range(1, 20)],
      ] as const)(
        'what was delivered and never decided: unhandled %s',
        async (unhandled, arrives) => {
          const listening = await world.listen(20, 2000);
          const handle = await openHere({ unhandled });
          await world.send(1, 20);
          for (let index = 0; index < 20; index++) await handle.receive();
          await handle.close();
          expect(await lengths(listening)).toEqual(arrives);
          expect(handle.stats()).toMatchObject({ delivered: 20, held: 0, sent: arrives.length });
        },
      );

      testQueue(
        'undecided packets get their fate after queueTimeMs, while the handle is open',
        async () => {
          const listening = await world.listen(5);
          const handle = await openHere({ unhandled: 'pass', queueTimeMs: 400 * PATIENCE });
          await world.send(1, 5);
          for (let index = 0; index < 5; index++) await handle.receive();
          expect(await lengths(listening)).toEqual(range(1, 5));
          await handle.close();
        },
      );

      test('is idempotent and ends what waits', async () => {
        const handle = await openHere();
        const waiting = handle.receive();
        const looping = (async () => {
          for await (const _ of handle) throw new Error('nothing was sent');
          return 'ended';
        })();
        const batching = (async () => {
          for await (const _ of handle.batches()) throw new Error('nothing was sent');
          return 'ended';
        })();
        await Promise.all([handle.close(), handle.close()]);
        expect(await Promise.all([waiting, looping, batching])).toEqual([null, 'ended', 'ended']);
        expect(await handle.receive()).toBeNull();
        expect(() => handle.shutdown('both')).toThrow(code('closed'));
        expect(() => handle.send(new Uint8Array(20), {})).toThrow(code('closed'));
        await handle.close();
        await world.expectClean();
      });

      testQueue('what a loop was just given can still be sent', async () => {
        const listening = await world.listen(40);
        const handle = await openHere();
        await world.send(1, 40);
        await untilReceived(handle, 40);
        const work = (async () => {
          for await (const packet of handle) {
            if (packet.payload.length === 20) void handle.close();
            await null;
            handle.send(packet);
          }
        })();
        await work;
        await handle.close();
        expect(await lengths(listening)).toHaveLength(40);
        expect(handle.stats()).toMatchObject({ delivered: 20, sent: 40, bypassed: 20, dropped: 0 });
      });

      testQueue('what a batch holds then is unhandled, and its send does nothing', async () => {
        const listening = await world.listen(40, 2000);
        const handle = await openHere({ unhandled: 'pass' });
        await world.send(1, 40);
        await untilReceived(handle, 40);
        for await (const batch of handle.batches(30)) {
          expect(batch.length).toBe(30);
          await handle.close();
          expect(batch.length).toBe(0);
          expect(() => batch.send()).toThrow(code('closed'));
        }
        expect(await lengths(listening)).toHaveLength(40);
        expect(handle.stats()).toMatchObject({ sent: 40, bypassed: 40, held: 0 });
      });

      test('await using closes', async () => {
        {
          await using handle = await openHere();
          expect(handle.stats().received).toBe(0);
        }
        await world.expectClean();
      });

      test('an AbortSignal closes; a waiting receive ends, it does not throw', async () => {
        const controller = new AbortController();
        const handle = await openHere({ signal: controller.signal });
        const waiting = handle.receive();
        controller.abort();
        expect(await waiting).toBeNull();
        await handle.close();
        const late = await openHere({ signal: AbortSignal.abort() });
        expect(await late.receive()).toBeNull();
        await world.expectClean();
      });

      test('a signal of one receive ends that one only', async () => {
        const listening = await world.listen(1);
        const handle = await openHere();
        const controller = new AbortController();
        const first = handle.receive({ signal: controller.signal });
        const second = handle.receive();
        controller.abort();
        expect(await first).toBeNull();
        await world.send(7, 7);
        const packet = await second;
        expect(packet?.payload).toHaveLength(7);
        if (packet) handle.send(packet);
        expect(await lengths(listening)).toEqual([7]);
        await handle.close();
      });
    });

    describe('shutdown', () => {
      testQueue(
        'receive: what is queued can be received, new packets go on, then null',
        async () => {
          const listening = await world.listen(20);
          const handle = await openHere();
          await world.send(1, 10);
          await untilReceived(handle, 10);
          handle.shutdown('receive');
          await world.send(11, 20);
          const seen: number[] = [];
          for await (const packet of handle) {
            seen.push(packet.payload.length);
            handle.send(packet);
          }
          expect(seen).toEqual(range(1, 10));
          expect((await lengths(listening)).sort((a, b) => a - b)).toEqual(range(1, 20));
          await handle.close();
        },
      );

      test('send: sends fail with no-data', async () => {
        const handle = await openHere();
        await world.send(3, 3);
        const packet = (await handle.receive()) as Packet;
        handle.shutdown('send');
        expect(() => handle.send(packet)).toThrow(code('no-data', 232));
        handle.drop(packet);
        await world.send(4, 4);
        for await (const batch of handle.batches()) {
          expect(() => batch.send()).toThrow(code('no-data', 232));
          batch.drop();
          break;
        }
        await handle.close();
      });
    });

    describe('the queue', () => {
      testQueue.each([
        ['drop', 32, 68],
        ['pass', 100, 0],
      ] as const)(
        'a full one loses its oldest: onOverload %s',
        async (onOverload, arrive, lost) => {
          const listening = await world.listen(arrive);
          const handle = await openHere({ queueLength: 32, onOverload });
          await world.send(1, 100);
          await untilReceived(handle, 100);
          const first = (await handle.receive()) as Packet;
          expect(first.payload).toHaveLength(69);
          handle.send(first);
          handle.shutdown('receive');
          for await (const packet of handle) handle.send(packet);
          expect(await lengths(listening)).toHaveLength(arrive);
          expect(handle.stats().lost).toMatchObject({ queueFull: lost, total: lost });
          await handle.close();
        },
      );

      testQueue('packets expire after queueTimeMs', async () => {
        const queueTimeMs = 100 * PATIENCE;
        const handle = await openHere({ queueTimeMs });
        await world.send(1, 10);
        await untilReceived(handle, 10);
        await sleep(queueTimeMs + 50);
        await world.send(11, 11);
        await untilReceived(handle, 11);
        const packet = (await handle.receive()) as Packet;
        expect(packet.payload).toHaveLength(11);
        handle.drop(packet);
        expect(handle.stats()).toMatchObject({ received: 11, dropped: 1, lost: { expired: 10 } });
        await handle.close();
      });

      test('parameters have their ranges', async () => {
        const handle = await openHere();
        expect(handle.getParam('queueLength')).toBe(4096);
        expect(handle.getParam('queueTimeMs')).toBe(2000);
        expect(handle.getParam('queueSizeBytes')).toBe(4194304);
        expect([handle.getParam('versionMajor'), handle.getParam('versionMinor')]).toEqual([2, 2]);
        handle.setParam('queueLength', 16384);
        expect(handle.getParam('queueLength')).toBe(16384);
        for (const [param, value] of [
          ['queueLength', 31],
          ['queueLength', 16385],
          ['queueTimeMs', 99],
          ['queueTimeMs', 16001],
          ['queueSizeBytes', 65534],
          ['queueSizeBytes', 33554433],
          ['queueLength', 100.5],
          ['versionMajor', 3],
        ] as const) {
          expect(() => handle.setParam(param, value)).toThrow(code('invalid-parameter', 87));
        }
        await handle.close();
      });
    });

    describe('packets in the hands of the program', () => {
      test('a retained packet outlives the next turns and can be sent late, changed', async () => {
        const listening = await world.listen(300);
        const handle = await openHere();
        await world.send(1, 300);
        const kept: Packet[] = [];
        for (let index = 0; index < 300; index++) {
          const packet = await handle.receive();
          if (packet) kept.push(packet.retain());
        }
        await sleep(100);
        for (const packet of kept.reverse()) {
          expect(packet.payload[0]).toBe(packet.payload.length & 255);
          packet.payload = packet.payload.map(() => 9);
          handle.send(packet);
        }
        const arrived = await listening.payloads;
        expect(arrived.map((payload) => payload.length)).toEqual(range(1, 300).reverse());
        expect(arrived.every((payload) => payload.every((byte) => byte === 9))).toBe(true);
        expect(handle.stats()).toMatchObject({ sent: 300, changed: 300, held: 0 });
        await handle.close();
      });

      test('packets that are kept without being retained are sent unchanged', async () => {
        const listening = await world.listen(100);
        const handle = await openHere();
        await world.send(1, 100);
        const kept: Packet[] = [];
        for (let index = 0; index < 100; index++) {
          const packet = await handle.receive();
          if (packet) kept.push(packet);
        }
        for (const packet of kept) handle.send(packet);
        expect(await lengths(listening)).toEqual(range(1, 100));
        await handle.close();
      });

      test('deciding twice is refused, with what to do', async () => {
        const handle = await openHere();
        await world.send(1, 2);
        const sent = (await handle.receive()) as Packet;
        const dropped = (await handle.receive()) as Packet;
        handle.send(sent);
        handle.drop(dropped);
        for (const act of [
          () => handle.send(sent),
          () => handle.drop(sent),
          () => handle.send(dropped),
          () => handle.drop(dropped),
          () => dropped.retain(),
        ]) {
          expect(act).toThrow(
            expect.objectContaining({
              code: 'stale-packet',
              hint: expect.stringContaining('retain'),
            }),
          );
        }
        await handle.close();
        expect(handle.stats()).toMatchObject({ sent: 1, dropped: 1, held: 0 });
      });

      test.each([
        ['no IP version', (bytes: Uint8Array) => bytes.fill(0, 0, 1)],
        ['longer than it is', (bytes: Uint8Array) => bytes.fill(255, 2, 4)],
        [
          'a header that does not fit',
          (bytes: Uint8Array) => bytes.fill(0x4f, 0, 1).subarray(0, 28),
        ],
        ['empty', (bytes: Uint8Array) => bytes.subarray(0, 0)],
      ])('bytes that are no packet are refused, the original stays: %s', async (_, spoil) => {
        const listening = await world.listen(1);
        const handle = await openHere();
        await world.send(30, 30);
        const packet = (await handle.receive()) as Packet;
        const good = packet.bytes.slice();
        packet.replace(spoil(packet.bytes.slice()));
        expect(() => handle.send(packet)).toThrow(code('invalid-parameter', 87));
        packet.replace(good);
        handle.send(packet);
        expect(await lengths(listening)).toEqual([30]);
        await handle.close();
      });

      test('batches: some dropped, some changed, the rest sent; undecided ones are unhandled', async () => {
        const listening = await world.listen(200);
        const handle = await openHere();
        const work = (async () => {
          let decided = 0;
          for await (const batch of handle.batches(50)) {
            const dropped: Packet[] = [];
            for (const packet of batch) {
              const { length } = packet.payload;
              if (length % 3 === 0) dropped.push(packet);
              else if (length % 3 === 1) packet.payload = new Uint8Array(length);
            }
            expect(batch.length).toBeLessThanOrEqual(50);
            if (decided < 90) batch.sendExcept(dropped);
            decided += batch.length;
          }
        })();
        await world.send(1, 90);
        await untilReceived(handle, 90);
        await world.send(91, 120);
        await untilReceived(handle, 120);
        await handle.close();
        await work;
        const want = range(1, 90).filter((length) => length % 3 !== 0);
        expect(await lengths(listening)).toEqual(want);
        expect(handle.stats()).toMatchObject({ sent: 60, dropped: 60, unhandled: 30, held: 0 });
      });
    });

    describe('several handles', () => {
      testQueue('150 packets held by one survive others that open, change and close', async () => {
        const listening = await world.listen(150);
        const handle = await openHere({ queueTimeMs: 16_000 });
        await world.send(1, 150);
        await untilReceived(handle, 150);
        for (let cycle = 0; cycle < 10; cycle++) {
          const other = await openHere({ priority: cycle });
          await other.setFilter('inbound and tcp');
          await other.close();
        }
        for (let index = 0; index < 150; index++) {
          const packet = await handle.receive();
          if (packet) handle.send(packet);
        }
        expect(await lengths(listening)).toEqual(range(1, 150));
        await handle.close();
        expect(handle.stats()).toMatchObject({ received: 150, delivered: 150, sent: 150, held: 0 });
      });

      test('higher priority first, and the next sees the change', async () => {
        const listening = await world.listen(20);
        const order: string[] = [];
        const handles: NetworkHandle[] = [];
        const work = [-5, 30000, 7].map(async (priority) => {
          const handle = await openHere({ priority });
          handles.push(handle);
          for await (const packet of handle) {
            order.push(`${priority}:${packet.payload.length}`);
            packet.payload = new Uint8Array(packet.payload.length + 1);
            handle.send(packet);
          }
        });
        while (handles.length < 3) await sleep(5);
        await world.send(10, 29);
        expect((await lengths(listening)).sort()).toEqual(range(13, 32));
        for (const handle of handles) await handle.close();
        await Promise.all(work);
        for (const length of range(10, 29)) {
          const [a, b, c] = [`30000:${length}`, `7:${length + 1}`, `-5:${length + 2}`].map(
            (entry) => order.indexOf(entry),
          );
          expect([a, b, c].every((position) => position !== undefined && position >= 0)).toBe(true);
          expect([a, b, c]).toEqual([a, b, c].sort((x = 0, y = 0) => x - y));
        }
        expect(order).toHaveLength(60);
      });
    });

    describe('bad arguments', () => {
      test.each([
        ['priority', { priority: 30001 }],
        ['priority', { priority: -30001 }],
        ['priority', { priority: 1.5 }],
        ['queueLength', { queueLength: 0 }],
        ['queueTimeMs', { queueTimeMs: 99 }],
        ['queueSizeBytes', { queueSizeBytes: 1 }],
        ['mode', { mode: 'look' }],
        ['access', { access: 'none' }],
        ['layer', { layer: 'ethernet' }],
        ['onExit', { onExit: 'maybe' }],
      ])('%s: %j', async (option, options) => {
        await expect(openHere(options as NetworkOpenOptions)).rejects.toMatchObject({
          code: 'invalid-parameter',
          message: expect.stringContaining(option),
        });
      });

      test('of send, drop and batches', async () => {
        const handle = await openHere();
        const send = handle.send as (...values: unknown[]) => void;
        expect(() => send.call(handle, 'text')).toThrow(TypeError);
        expect(() => send.call(handle, new Uint8Array(20))).toThrow(TypeError);
        expect(() => handle.drop({} as Packet)).toThrow(TypeError);
        expect(() => handle.batches(0)).toThrow(code('invalid-parameter'));
        expect(() => handle.batches(256)).toThrow(code('invalid-parameter'));
        expect(() => handle.shutdown('all' as 'both')).toThrow(code('invalid-parameter'));
        await handle.close();
      });
    });
  });
}
