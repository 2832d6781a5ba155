import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NetworkHandle, open, type Packet } from '../../src/index.ts';
import { countDescriptors, countMaps, listTables, programsOf } from '../helpers/kernel-objects.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { runScript, startScript, waitReady } from '../helpers/traffic.ts';

const PORT = 6000;
const FILTER = `udp.DstPort == ${PORT}`;

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

const openHere = (options = {}): Promise<NetworkHandle> =>
  open(`inbound and ${FILTER}`, { namespace: net.b.path, ...options });

const send = (from: number, to: number): Promise<string> =>
  runScript(net.a, 'udp-send', [net.b.ipv4, PORT, from, to]);

const receive = (count: number, firstMs = 20_000) =>
  startScript(net.b, 'udp-receive', [net.b.ipv4, PORT, count, 1000, firstMs]);

const lengths = async (running: { output: Promise<string> }): Promise<number[]> =>
  (await running.output)
    .split('\n')
    .filter(Boolean)
    .map((line) => Buffer.from(line, 'base64').length);

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Waits until as many packets came in. */
async function untilReceived(handle: NetworkHandle, count: number): Promise<void> {
  for (let tries = 0; handle.stats().received < count && tries < 1000; tries++) await sleep(5);
  expect(handle.stats().received).toBe(count);
}

describe('nothing left behind', () => {
  test('1,000 handles opened and closed leave no descriptor, rule, program or map', async () => {
    await (await openHere()).close();
    const before = { descriptors: countDescriptors(), maps: countMaps() };
    for (let cycle = 0; cycle < 1000; cycle++) await (await openHere()).close();
    expect({ descriptors: countDescriptors(), maps: countMaps() }).toEqual(before);
    expect(await listTables(net.b)).toEqual([]);
    for (let tries = 0; programsOf(process.pid).length > 0 && tries < 200; tries++) await sleep(10);
    expect(programsOf(process.pid)).toEqual([]);
  });

  test('while another queue exists the empty chains stay, and are used again', async () => {
    const other = await openHere();
    for (let cycle = 0; cycle < 20; cycle++) await (await openHere()).close();
    const { stdout } = await net.b.exec('nft', ['list', 'ruleset']);
    expect(stdout.match(/type filter hook/g)).toHaveLength(2);
    await other.close();
    expect(await listTables(net.b)).toEqual([]);
  });

  test('kill -9 under load leaves nothing and traffic flows again', async () => {
    const divert = await waitReady(
      net.b.spawn(process.execPath, [
        '--input-type=module',
        '-e',
        `import { open } from 'netdivert';
         const handle = await open('${FILTER}');
         console.log('ready');
         for await (const batch of handle.batches()) batch.send();`,
      ]),
    );
    const flood = net.a.spawn(process.execPath, [
      '--input-type=module',
      '-e',
      `import dgram from 'node:dgram';
       const socket = dgram.createSocket('udp4');
       const more = () => { for (let i = 0; i < 50; i++) socket.send('load', ${PORT}, '${net.b.ipv4}'); setImmediate(more); };
       more();`,
    ]);
    const pid = Number(divert.child.pid);
    await sleep(500);
    expect(await listTables(net.b)).toHaveLength(1);
    divert.child.kill('SIGKILL');
    await divert.output;
    const receiver = await receive(100);
    expect(await lengths(receiver)).toHaveLength(100);
    flood.kill('SIGKILL');
    expect(await listTables(net.b)).toEqual([]);
    for (let tries = 0; programsOf(pid).length > 0 && tries < 200; tries++) await sleep(10);
    expect(programsOf(pid)).toEqual([]);
  });
});

describe('close', () => {
  test.each([
    ['pass', range(1, 150)],
    ['drop', []],
  ] as const)('what still waits: onExit %s', async (onExit, arrives) => {
    const receiver = await receive(150, 2000);
    const handle = await openHere({ onExit });
    await send(1, 150);
    await untilReceived(handle, 150);
    await handle.close();
    expect(await lengths(receiver)).toEqual(arrives);
    const { sent, bypassed, dropped } = handle.stats();
    expect({ sent, bypassed, dropped }).toEqual({
      sent: arrives.length,
      bypassed: arrives.length,
      dropped: 150 - arrives.length,
    });
  });

  test.each([
    ['drop', []],
    ['pass', range(1, 20)],
  ] as const)('what was delivered and never decided: unhandled %s', async (unhandled, arrives) => {
    const receiver = await receive(20, 2000);
    const handle = await openHere({ unhandled });
    await send(1, 20);
    for (let index = 0; index < 20; index++) await handle.receive();
    await handle.close();
    expect(await lengths(receiver)).toEqual(arrives);
    expect(handle.stats()).toMatchObject({ delivered: 20, held: 0, sent: arrives.length });
  });

  test('undecided packets get their fate after queueTimeMs, while the handle is open', async () => {
    const receiver = await receive(5);
    const handle = await openHere({ unhandled: 'pass', queueTimeMs: 100 });
    await send(1, 5);
    for (let index = 0; index < 5; index++) await handle.receive();
    expect(await lengths(receiver)).toEqual(range(1, 5));
    await handle.close();
  });

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
    expect(() => handle.shutdown('both')).toThrow(/closed/);
    expect(() => handle.send(new Uint8Array(20), {})).toThrow(/closed/);
    await handle.close();
  });

  test('await using closes', async () => {
    {
      await using handle = await openHere();
      expect(handle.stats().received).toBe(0);
      expect(await listTables(net.b)).toHaveLength(1);
    }
    expect(await listTables(net.b)).toEqual([]);
  });

  test('an AbortSignal closes; a waiting receive ends, it does not throw', async () => {
    const controller = new AbortController();
    const handle = await openHere({ signal: controller.signal });
    const waiting = handle.receive();
    controller.abort();
    expect(await waiting).toBeNull();
    await handle.close();
    expect(await listTables(net.b)).toEqual([]);
    const late = await openHere({ signal: AbortSignal.abort() });
    expect(await late.receive()).toBeNull();
    expect(await listTables(net.b)).toEqual([]);
  });

  test('a signal of one receive ends that one only', async () => {
    const receiver = await receive(1);
    const handle = await openHere();
    const controller = new AbortController();
    const first = handle.receive({ signal: controller.signal });
    const second = handle.receive();
    controller.abort();
    expect(await first).toBeNull();
    await send(7, 7);
    const packet = await second;
    expect(packet?.payload).toHaveLength(7);
    if (packet) handle.send(packet);
    expect(await lengths(receiver)).toEqual([7]);
    await handle.close();
  });
});

describe('shutdown', () => {
  test('receive: what is queued can still be received, new packets go on, then null', async () => {
    const receiver = await receive(20);
    const handle = await openHere();
    await send(1, 10);
    await untilReceived(handle, 10);
    handle.shutdown('receive');
    await send(11, 20);
    const seen: number[] = [];
    for (;;) {
      const packet = await handle.receive();
      if (!packet) break;
      seen.push(packet.payload.length);
      handle.send(packet);
    }
    expect(seen).toEqual(range(1, 10));
    expect((await lengths(receiver)).sort((a, b) => a - b)).toEqual(range(1, 20));
    await handle.close();
  });

  test('send: sends fail with no-data', async () => {
    const handle = await openHere();
    await send(3, 3);
    const packet = (await handle.receive()) as Packet;
    handle.shutdown('send');
    expect(() => handle.send(packet)).toThrow(
      expect.objectContaining({ code: 'no-data', win32: 232 }),
    );
    handle.drop(packet);
    await handle.close();
  });
});

describe('packets in the hands of the program', () => {
  test('a retained packet outlives the next turns and can be sent late, changed', async () => {
    const receiver = await receive(300);
    const handle = await openHere();
    await send(1, 300);
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
    const arrived = (await receiver.output).split('\n').filter(Boolean);
    expect(arrived).toHaveLength(300);
    expect(arrived.every((line) => Buffer.from(line, 'base64').every((byte) => byte === 9))).toBe(
      true,
    );
    expect(handle.stats()).toMatchObject({ sent: 300, changed: 300, held: 0 });
    await handle.close();
  });

  test('deciding twice is refused, with what to do', async () => {
    const handle = await openHere();
    await send(1, 2);
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
        expect.objectContaining({ code: 'stale-packet', hint: expect.stringContaining('retain') }),
      );
    }
    await handle.close();
    expect(handle.stats()).toMatchObject({ sent: 1, dropped: 1, held: 0 });
  });

  test('batches: some dropped, some changed, the rest sent; undecided ones are unhandled', async () => {
    const receiver = await receive(200);
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
    await send(1, 90);
    await untilReceived(handle, 90);
    await send(91, 120);
    await untilReceived(handle, 120);
    await handle.close();
    await work;
    const got = await lengths(receiver);
    expect(got).toEqual(range(1, 90).filter((length) => length % 3 !== 0));
    expect(handle.stats()).toMatchObject({ sent: 60, dropped: 60, unhandled: 30, held: 0 });
  });

  test('150 packets held by one handle survive others that open, change and close', async () => {
    const receiver = await receive(150);
    const handle = await openHere();
    await send(1, 150);
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
    expect(await lengths(receiver)).toEqual(range(1, 150));
    await handle.close();
    expect(handle.stats()).toMatchObject({ received: 150, delivered: 150, sent: 150, held: 0 });
  });
});
