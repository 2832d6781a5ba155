import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type NetworkHandle, open, type Packet } from '../../src/index.ts';
import { datagram, FAMILIES, hopsOf, received, receivedLengths } from '../helpers/datagram.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { runScript, startScript, waitReady } from '../helpers/traffic.ts';

const PORT = 5100;
const IDLE_MS = 700;
const FILTER = `outbound and udp.DstPort == ${PORT}`;

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

/** Closed after each test, so that one that fails does not hold up the next. */
const opened: NetworkHandle[] = [];
afterEach(async () => {
  for (const handle of opened.splice(0)) await handle.close();
});

const openAt = async (priority: number, filter = FILTER, options = {}): Promise<NetworkHandle> => {
  const handle = await open(filter, { namespace: net.a.path, priority, ...options });
  opened.push(handle);
  return handle;
};

/** Does something with every packet of a handle. */
const each = async (handle: NetworkHandle, act: (packet: Packet) => void): Promise<void> => {
  for await (const packet of handle) act(packet);
};

const receive = (address: string, count: number) =>
  startScript(net.b, 'udp-receive', [address, PORT, count, IDLE_MS]);

const append = (packet: Packet, byte: number): void => {
  packet.payload = Uint8Array.of(...packet.payload, byte);
};

/** Numbers in an order that is the same every time, and neither rising nor falling. */
const shuffled = <T>(values: readonly T[]): T[] =>
  values
    .map((value, index) => ({ value, key: (index * 7 + 3) % values.length }))
    .sort((left, right) => left.key - right.key)
    .map(({ value }) => value);

describe.each(FAMILIES)('%s', (family) => {
  const make = (payload: number, more = {}): Uint8Array =>
    datagram(family, { from: net.a[family], to: net.b[family], port: PORT, payload, ...more });

  describe.each(['outbound', 'inbound'] as const)('%s', (direction) => {
    test('10 handles in a row, opened in any order: highest first, each once, changes seen', async () => {
      const namespace = net[direction === 'outbound' ? 'a' : 'b'].path;
      const filter = `${direction} and udp.DstPort == ${PORT}`;
      const priorities = [30000, 29999, 1000, 2, 1, 0, -1, -1000, -29999, -30000];
      const receiver = await receive(net.b[family], 3);
      const handles = new Map<number, NetworkHandle>();
      for (const priority of shuffled(priorities)) {
        handles.set(priority, await openAt(priority, filter, { namespace }));
      }
      const work = priorities.map((priority, index) => {
        const handle = handles.get(priority) as NetworkHandle;
        return each(handle, (packet) => {
          expect(packet.payload.subarray(-index || packet.payload.length)).toEqual(
            Uint8Array.from({ length: index }, (_, place) => 100 + place),
          );
          append(packet, 100 + index);
          handle.send(packet);
        });
      });
      await runScript(net.a, 'udp-send', [net.b[family], PORT, 1, 3]);
      const tail = priorities.map((_, index) => 100 + index);
      expect((await received(receiver)).map((bytes) => [...bytes.subarray(-10)])).toEqual([
        tail,
        tail,
        tail,
      ]);
      for (const handle of handles.values()) {
        expect(handle.stats()).toMatchObject({ matched: 3, received: 3, sent: 3 });
        await handle.close();
      }
      await Promise.all(work);
    });
  });

  test('what one drops, lower ones never see', async () => {
    const high = await openAt(5);
    const low = await openAt(4);
    const work = each(high, (packet) => high.drop(packet));
    await runScript(net.a, 'udp-send', [net.b[family], PORT, 1, 20]);
    for (let tries = 0; high.stats().dropped < 20 && tries < 400; tries++) await sleep(5);
    expect(high.stats().dropped).toBe(20);
    expect(low.stats()).toMatchObject({ matched: 0, received: 0 });
    await high.close();
    await work;
  });

  test('a higher one in mode drop hides packets, a lower one does not', async () => {
    const hiding = await openAt(0, `${FILTER} and udp.PayloadLength < 5`, {
      mode: 'drop',
    });
    const high = await openAt(1);
    const low = await openAt(-1);
    const receiver = await receive(net.b[family], 10);
    const work = [high, low].map((handle) => each(handle, (packet) => handle.send(packet)));
    await runScript(net.a, 'udp-send', [net.b[family], PORT, 1, 10]);
    expect(await receivedLengths(receiver)).toEqual([5, 6, 7, 8, 9, 10]);
    expect(high.stats().received).toBe(10);
    expect(low.stats().received).toBe(6);
    expect(hiding.stats()).toMatchObject({ matched: 4, dropped: 4 });
    await high.close();
    await low.close();
    await Promise.all(work);
  });

  test('the same priority with filters that exclude each other', async () => {
    const odd = await openAt(7, `${FILTER} and udp.SrcPort == 41001`);
    const even = await openAt(7, `${FILTER} and udp.SrcPort == 41002`);
    const receiver = await receive(net.b[family], 4);
    const work = [odd, even].map((handle, index) =>
      each(handle, (packet) => {
        append(packet, index);
        handle.send(packet);
      }),
    );
    const injector = await openAt(30000, 'false');
    for (const sourcePort of [41001, 41002, 41001, 41003]) {
      injector.send(make(3, { sourcePort }), { outbound: true });
    }
    const got = await received(receiver);
    expect(got.map((bytes) => [...bytes.subarray(3)]).sort()).toEqual([[], [0], [0], [1]]);
    expect([odd.stats().received, even.stats().received]).toEqual([2, 1]);
    await odd.close();
    await even.close();
    await Promise.all(work);
  });

  test('an injected packet is seen by lower priorities only, as an impostor', async () => {
    const handles = new Map<number, NetworkHandle>();
    for (const priority of [11, 10, 9, 8]) handles.set(priority, await openAt(priority));
    const same = await openAt(10, 'false');
    const seen: string[] = [];
    const work = [...handles].map(([priority, handle]) =>
      each(handle, (packet) => {
        seen.push(`${priority} ${packet.address.impostor} ${hopsOf(packet)}`);
        handle.send(packet);
      }),
    );
    const receiver = await receive(net.b[family], 2);
    same.send(make(50, { ttl: 64 }), { outbound: true });
    handles.get(9)?.send(make(51, { ttl: 64 }), { outbound: true });
    // The second is not seen by the handle of priority 9 and so may overtake the first.
    expect((await receivedLengths(receiver)).sort()).toEqual([50, 51]);
    // Whoever sends an impostor on takes a hop from it.
    expect(seen.sort()).toEqual(['8 true 63', '8 true 64', '9 true 64']);
    for (const handle of handles.values()) await handle.close();
    await Promise.all(work);
  });

  test('inbound too', async () => {
    const filter = `inbound and udp.DstPort == ${PORT}`;
    const above = await openAt(3, filter);
    const injector = await openAt(2, filter);
    const below = await openAt(1, filter);
    const receiver = await startScript(net.a, 'udp-receive', [net.a[family], PORT, 3, IDLE_MS]);
    const flags: boolean[] = [];
    const work = each(below, (packet) => {
      flags.push(packet.address.impostor);
      below.send(packet);
    });
    for (const size of [10, 3000, 20_000]) {
      const bytes = datagram(family, {
        from: net.b[family],
        to: net.a[family],
        port: PORT,
        payload: size,
      });
      injector.send(bytes, { interfaceIndex: net.a.interfaceIndex });
    }
    expect(await receivedLengths(receiver)).toEqual([10, 3000, 20_000]);
    expect(flags).toEqual([true, true, true]);
    expect(above.stats().matched).toBe(0);
    expect(injector.stats()).toMatchObject({ matched: 0, injected: 3 });
    await below.close();
    await work;
  });

  test('filters on impostor are exact in the kernel', async () => {
    const injector = await openAt(100, 'false');
    const only = await openAt(2, `${FILTER} and impostor`);
    const never = await openAt(1, `${FILTER} and not impostor`);
    const work = [only, never].map((handle) => each(handle, (packet) => handle.send(packet)));
    const receiver = await receive(net.b[family], 7);
    for (let size = 61; size <= 63; size++) injector.send(make(size), { outbound: true });
    await runScript(net.a, 'udp-send', [net.b[family], PORT, 1, 4]);
    expect(await receivedLengths(receiver)).toEqual([61, 62, 63, 1, 2, 3, 4]);
    expect(only.stats()).toMatchObject({ matched: 3, passed: 0, received: 3 });
    expect(never.stats()).toMatchObject({ matched: 4, passed: 0, received: 4 });
    await only.close();
    await never.close();
    await Promise.all(work);
  });

  test.each(['one by one', 'by batches', 'turned'])(
    'an impostor without a hop left is host-unreachable, %s',
    async (how) => {
      const injector = await openAt(1, 'false');
      const handle = await openAt(0);
      const receiver = await receive(net.b[family], 2);
      injector.send(make(30, { ttl: 1 }), { outbound: true });
      injector.send(make(31, { ttl: 2 }), { outbound: true });
      const unreachable = expect.objectContaining({ code: 'host-unreachable', win32: 1232 });
      if (how === 'by batches') {
        for await (const batch of handle.batches()) {
          expect(batch.length).toBe(2);
          expect(() => batch.send()).toThrow(unreachable);
          break;
        }
      } else {
        const spent = (await handle.receive()) as Packet;
        if (how === 'turned') spent.address.outbound = false;
        expect(() => handle.send(spent)).toThrow(unreachable);
        handle.send((await handle.receive()) as Packet);
      }
      expect(await receivedLengths(receiver)).toEqual([31]);
      expect(handle.stats()).toMatchObject({ received: 2, sent: 1, dropped: 1, unreachable: 1 });
    },
  );

  test('across processes, whichever opened first', async () => {
    const start = (priority: number) =>
      waitReady(
        net.a.spawn(process.execPath, [
          '--input-type=module',
          '-e',
          `import { open } from 'netdivert';
           const handle = await open('${FILTER}', { priority: ${priority} });
           console.log('ready');
           for await (const packet of handle) {
             packet.payload = Uint8Array.of(...packet.payload, ${priority});
             handle.send(packet);
           }`,
        ]),
      );
    const running = [await start(10)];
    const own = await openAt(20);
    running.push(await start(30));
    const work = each(own, (packet) => {
      append(packet, 20);
      own.send(packet);
    });
    const receiver = await receive(net.b[family], 3);
    await runScript(net.a, 'udp-send', [net.b[family], PORT, 1, 3]);
    const got = await received(receiver);
    expect(got.map((bytes) => [...bytes.subarray(-3)])).toEqual([
      [30, 20, 10],
      [30, 20, 10],
      [30, 20, 10],
    ]);
    for (const { child } of running) child.kill();
    await own.close();
    await work;
  });

  test('two processes that send everything as new packets settle', async () => {
    const script = (priority: number): string => `
      import { open, Packet } from 'netdivert';
      const handle = await open('udp', { priority: ${priority} });
      console.log('ready');
      process.once('SIGTERM', () => handle.close());
      for await (const packet of handle) {
        const copy = new Packet(packet.bytes.slice(), packet.address);
        handle.drop(packet);
        try { handle.send(copy); } catch (error) { console.log(error.code); }
      }
      const { received, dropped, injected } = handle.stats();
      console.log(JSON.stringify({ received, dropped, injected }));`;
    const start = (priority: number) =>
      waitReady(net.a.spawn(process.execPath, ['--input-type=module', '-e', script(priority)]));
    for (const [first, second] of [
      [0, 0],
      [1, 0],
    ] as const) {
      const running = [await start(first), await start(second)];
      const receiver = await receive(net.b[family], 1000);
      await runScript(net.a, 'udp-send', [net.b[family], PORT, 1, 20]);
      expect(await receivedLengths(receiver)).toHaveLength(20);
      await sleep(first === second ? 1000 : 10_000);
      for (const { child } of running) child.kill('SIGTERM');
      const outputs = await Promise.all(running.map(({ output }) => output));
      const counts = outputs.map((text) => JSON.parse(text) as Record<string, number>);
      const total = counts.reduce((sum, { injected = 0 }) => sum + injected, 0);
      expect(total).toBe(first === second ? 20 : 40);
      for (const { received: all, dropped, injected } of counts) {
        expect({ dropped, injected }).toEqual({ dropped: all, injected: all });
      }
    }
  });
});
