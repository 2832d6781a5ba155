import { execFileSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type NetworkHandle,
  type OpenOptions,
  open,
  type Packet,
  type Stats,
} from '../../src/index.ts';
import { blockEventLoop, type Overload, sendBatches } from '../accounting/overload.ts';
import { randomOverload } from '../accounting/random-overload.ts';
import {
  type KernelView,
  readKernelView,
  startWatching,
  stopWatching,
} from '../helpers/kernel-view.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { unregisterHook } from '../helpers/nft.ts';
import { PATIENCE } from '../helpers/patience.ts';
import { Random } from '../helpers/random.ts';
import { type Running, runScript, scriptPath, startScript } from '../helpers/traffic.ts';

const PORT = 6100;
const FILTER = `inbound and udp.DstPort == ${PORT}`;
/** `npm run trust -- accounting` has more of all of it. */
const SCALE = Number(process.env.ACCOUNTING_SCALE ?? 1);
const RANDOM_ROUNDS = Number(process.env.ACCOUNTING_ROUNDS ?? 1);
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));
const REPORT = process.env.TRUST_REPORT;
const LIMIT_MS = 120_000 * SCALE;
/** With the headers, 64 bytes. */
const PAYLOAD = 36;

let net: Network;
let before: KernelView;
let sink: Running;
beforeAll(async () => {
  net = await createNetwork();
});
beforeEach(async () => {
  await startWatching(net.b);
  before = await readKernelView(net.b);
  sink = await startScript(net.b, 'udp-sink', [net.b.ipv4, PORT]);
});
afterEach(async () => {
  sink.child.kill();
  await sink.output;
  await stopWatching(net.b);
});
afterAll(() => net.close());

const openHere = (options: OpenOptions = {}, filter = FILTER): Promise<NetworkHandle> =>
  open(filter, { namespace: net.b.path, ...options }) as Promise<NetworkHandle>;

const flood = (count: number, length = PAYLOAD): Promise<string> =>
  runScript(net.a, 'udp-flood', [net.b.ipv4, PORT, count, length]);

/** Floods while this process does nothing, as in a long computation. */
function floodBlocked(count: number, length = PAYLOAD): void {
  const script = [process.execPath, scriptPath('udp-flood')];
  const args = [net.b.ipv4, PORT, count, length].map(String);
  execFileSync('nsenter', [`--net=${net.a.path}`, ...script, ...args]);
}

/** Waits until nothing is on its way to the handle, and no decision on its way to the kernel. */
async function untilQuiet(handle: NetworkHandle): Promise<void> {
  for (let last = ''; ; ) {
    await handle.flush();
    const now = JSON.stringify(handle.stats());
    if (now === last) return;
    last = now;
    await sleep(200 * PATIENCE);
  }
}

/** What must hold however much was lost. */
function expectBalance(stats: Stats, kernel: KernelView): void {
  const { received, sent, dropped, lost, queued, held, matched, passed } = stats;
  expect(received).toBe(sent + dropped + lost.total + queued + held);
  expect(matched).toBe(received + passed);
  expect(stats.offered).toBe(kernel.offered);
  expect(stats.matched).toBe(kernel.matched);
  expect(lost.kernelQueue).toBe(kernel.queueDropped);
  expect(lost.socketOverrun).toBe(kernel.userDropped);
  expect(kernel.waiting).toBe(queued + held);
  expect(stats.offered).toBe(kernel.arrived);
  expect(kernel.through).toBe(stats.offered - matched + passed + sent);
  expect(kernel.datagrams - before.datagrams).toBe(sent + passed);
}

const OVERLOADS: Overload[] = [
  {
    name: 'a program that keeps up',
    count: 20_000,
    consume: sendBatches,
    expected: ({ lost, sent }, count) => expect([lost.total, sent]).toEqual([0, count]),
  },
  {
    name: 'nobody receives: the oldest go first',
    options: { queueLength: 32 },
    count: 20_000,
    expected: ({ lost, queued }, count) =>
      expect([lost.queueFull, queued]).toEqual([count - 32, 32]),
  },
  {
    name: 'a queue that is full by its bytes',
    options: { queueSizeBytes: 65_535, queueTimeMs: 16_000 },
    count: 20_000,
    expected: ({ queued }) => expect(queued).toBe(Math.floor(65_535 / 64)),
  },
  {
    name: 'a slow program with a short queue time',
    options: { queueTimeMs: 100, queueLength: 16_384 },
    count: 10_000,
    consume: async (handle) => {
      for await (const packet of handle) {
        handle.send(packet);
        await sleep(5);
      }
    },
    expected: ({ lost, sent }) => {
      expect(lost.expired).toBeGreaterThan(0);
      expect(sent).toBeGreaterThan(0);
    },
  },
  {
    name: 'a program that computes long on each batch',
    options: { queueLength: 256 },
    count: 50_000,
    consume: async (handle) => {
      for await (const batch of handle.batches(16)) {
        batch.sendExcept([...batch].slice(0, 4));
        blockEventLoop(2);
      }
    },
    expected: ({ sent, dropped }) => {
      expect(dropped).toBeGreaterThan(0);
      expect(sent).toBeGreaterThan(0);
    },
  },
  {
    name: 'a blocked event loop: the kernel queue is full',
    count: 150_000,
    consume: sendBatches,
    blocked: true,
    expected: ({ lost }) => expect(lost.kernelQueue).toBeGreaterThan(0),
  },
  {
    name: 'a blocked event loop and large packets: the socket is full',
    count: 90_000,
    length: 1400,
    consume: sendBatches,
    blocked: true,
    expected: ({ lost }) => expect(lost.socketOverrun).toBeGreaterThan(0),
  },
  {
    name: "a blocked event loop with onOverload 'pass': the kernel lets them go on",
    options: { onOverload: 'pass' },
    count: 150_000,
    consume: sendBatches,
    blocked: true,
    expected: ({ lost, bypassed, delivered, sent, received }) => {
      expect(bypassed).toBeGreaterThan(0);
      expect([lost.total, sent]).toEqual([0, received]);
      expect(received).toBe(delivered + bypassed);
    },
  },
  {
    name: "a blocked event loop and large packets with onOverload 'pass'",
    options: { onOverload: 'pass', queueLength: 16_384, queueSizeBytes: 33_554_432 },
    count: 90_000,
    length: 1400,
    consume: sendBatches,
    blocked: true,
    expected: ({ lost, bypassed, sent, received }) => {
      expect(bypassed).toBeGreaterThan(0);
      expect([lost.total, sent]).toEqual([0, received]);
    },
  },
  {
    name: "nobody receives with onOverload 'pass': the oldest go on",
    options: { onOverload: 'pass', queueLength: 32 },
    count: 20_000,
    expected: ({ bypassed, sent, lost }, count) =>
      expect([bypassed, sent, lost.total]).toEqual([count - 32, count - 32, 0]),
  },
  {
    name: 'a program that forgets every other packet',
    count: 5000,
    consume: async (handle) => {
      let count = 0;
      for await (const packet of handle) if (count++ % 2) handle.send(packet);
    },
    expected: ({ unhandled }) => expect(unhandled).toBeGreaterThan(0),
  },
  {
    name: 'a program that forgets every other packet, batch by batch',
    count: 5000,
    consume: async (handle) => {
      for await (const batch of handle.batches(100)) {
        for (const packet of [...batch].slice(50)) handle.drop(packet);
      }
    },
    expected: ({ dropped, unhandled }) => {
      expect(unhandled).toBeGreaterThan(0);
      expect(dropped).toBeGreaterThan(unhandled);
    },
  },
  {
    name: 'a filter that user space decides',
    filter: `${FILTER} and random8 < 128`,
    count: 20_000,
    consume: sendBatches,
    expected: ({ passed, received }) => {
      expect(passed).toBeGreaterThan(0);
      expect(received).toBeGreaterThan(0);
    },
  },
  {
    name: "mode 'drop'",
    options: { mode: 'drop' },
    count: 50_000,
    expected: ({ dropped, sent }, count) => expect([dropped, sent]).toEqual([count, 0]),
  },
];

async function runOverload(overload: Overload): Promise<void> {
  const { name, options, filter, count, length } = overload;
  const handle = await openHere(options, filter);
  const consuming = overload.consume?.(handle);
  if (overload.blocked) floodBlocked(count, length);
  else await flood(count, length);
  await untilQuiet(handle);
  const kernel = await readKernelView(net.b);
  // The link may lose some; what came to the hook is what counts.
  const stats = handle.stats();
  overload.expected(stats, stats.matched);
  expectBalance(stats, kernel);
  await handle.close();
  await consuming;
  const { received, sent, dropped, lost, queued, held, matched, passed } = handle.stats();
  expect({ queued, held, matched }).toEqual({ queued: 0, held: 0, matched: stats.matched });
  expect(received).toBe(sent + dropped + lost.total);
  expect((await readKernelView(net.b)).through).toBe(kernel.through + sent - stats.sent);
  if (!REPORT) return;
  const row = { name, matched, passed, received, sent, dropped, lost };
  appendFileSync(REPORT, `${JSON.stringify(row)}\n`);
}

describe('received = sent + dropped + lost, matched = received + passed, as the kernel has it', () => {
  test.each(OVERLOADS)('$name', { timeout: LIMIT_MS }, (overload) =>
    runOverload({ ...overload, count: overload.count * SCALE }),
  );

  test.each(
    Array.from({ length: RANDOM_ROUNDS }, (_, round) => randomOverload(new Random(SEED + round))),
  )('a program that does what chance has it do, $name', { timeout: LIMIT_MS }, runOverload);

  test('closing in the middle of a flood', async () => {
    const flooding = await startScript(net.a, 'udp-flood', [net.b.ipv4, PORT, 1e9, PAYLOAD]);
    let missing = 0;
    for (let cycle = 0; cycle < 8; cycle++) {
      const handle = await openHere();
      const consuming = sendBatches(handle);
      const { through, arrived } = await readKernelView(net.b);
      await sleep(50);
      await handle.close();
      await consuming;
      const { received, sent, dropped, lost, matched, passed } = handle.stats();
      missing += lost.total + dropped;
      expect([cycle, received]).toEqual([cycle, sent + dropped + lost.total]);
      expect([cycle, matched]).toEqual([cycle, received + passed]);
      const after = await readKernelView(net.b);
      expect(after.arrived).toBeGreaterThan(arrived);
      expect(after.through).toBeGreaterThan(through);
    }
    flooding.child.kill();
    await flooding.output;
    await sleep(200);
    const { arrived, through } = await readKernelView(net.b);
    expect(arrived - through).toBe(missing);
  });
});

describe('verdicts that come too late', () => {
  test('are counted as lost, drops are not, and the next packets pass', async () => {
    const handle = await openHere();
    await flood(200);
    const packets = [];
    for (let index = 0; index < 200; index++) {
      const packet = await handle.receive();
      if (packet) packets.push(packet.retain());
    }
    for (const packet of packets.slice(0, 50)) handle.send(packet);
    await handle.flush();
    await unregisterHook(net.b);
    for (const packet of packets.slice(50, 100)) handle.send(packet);
    for (const packet of packets.slice(100, 170)) {
      packet.payload = Uint8Array.of(1, 2, 3);
      handle.send(packet);
    }
    for (const packet of packets.slice(170)) handle.drop(packet);
    await untilQuiet(handle);
    const stats = handle.stats();
    expect(stats).toMatchObject({ received: 200, sent: 50, changed: 0, dropped: 30, held: 0 });
    expect(stats.lost).toMatchObject({ lateVerdict: 120, total: 120 });
    expectBalance(stats, await readKernelView(net.b));
    await flood(10);
    const consuming = sendBatches(handle);
    await untilQuiet(handle);
    expectBalance(handle.stats(), await readKernelView(net.b));
    expect(handle.stats()).toMatchObject({ received: 210, sent: 60 });
    await handle.close();
    await consuming;
  });

  test('of a row of packets of which some were given up, the first is counted', async () => {
    const handle = await openHere();
    const packets: Packet[] = [];
    const keep = async (count: number): Promise<void> => {
      await flood(count);
      for (let index = 0; index < count; index++) {
        const packet = await handle.receive();
        if (packet) packets.push(packet.retain());
      }
    };
    await keep(100);
    await unregisterHook(net.b);
    await keep(50);
    // One message tells the kernel about all of them but the first.
    for (const packet of packets) handle.send(packet);
    await untilQuiet(handle);
    expect(handle.stats().lost.lateVerdict).toBe(1);
    const { arrived, through } = await readKernelView(net.b);
    expect(arrived - through).toBe(100);
    await handle.close();
  });

  test('when the last verdicts are those of close', async () => {
    const handle = await openHere();
    await flood(100);
    await untilQuiet(handle);
    await unregisterHook(net.b);
    await handle.close();
    expect(handle.stats()).toMatchObject({ received: 100, sent: 0, dropped: 0, queued: 0 });
    expect(handle.stats().lost.lateVerdict).toBe(100);
  });
});
