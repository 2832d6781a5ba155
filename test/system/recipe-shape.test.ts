import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { open, type ShapeOptions, type Shaper, shape } from '../../src/index.ts';
import { FAMILIES } from '../helpers/datagram.ts';
import { createNetwork, type Network, type NetworkEnd } from '../helpers/namespaces.ts';
import { createRoutedNetwork } from '../helpers/routed.ts';
import { type Running, runScript, startScript, waitReady } from '../helpers/traffic.ts';

const PORT = 5300;
const SEED = 20_261;
const FILTER = `udp.DstPort == ${PORT} or udp.SrcPort == ${PORT}`;

let net: Network;
let echo: Running;
const ECHO = `
  import dgram from 'node:dgram';
  const socket = dgram.createSocket('udp6');
  socket.on('message', (message, { address, port }) => socket.send(message, port, address));
  socket.bind(${PORT}, '::', () => { socket.setRecvBufferSize(8 << 20); console.log('ready'); });
`;
beforeAll(async () => {
  net = await createNetwork();
  echo = await serve(net.b);
});
afterAll(async () => {
  echo.child.kill();
  await net.close();
});

const serve = (end: NetworkEnd) =>
  waitReady(end.spawn(process.execPath, ['--input-type=module', '-e', ECHO]));

let shaper: Shaper | undefined;
afterEach(async () => {
  await shaper?.close();
  shaper = undefined;
});

async function start(options: ShapeOptions, filter = FILTER): Promise<Shaper> {
  shaper = await shape(filter, { namespace: net.a.path, seed: SEED, ...options });
  return shaper;
}

interface Answers {
  /** Milliseconds from sending to its first answer, by number; null: none came. */
  readonly times: (number | null)[];
  /** Numbers in the order in which answers came. */
  readonly order: number[];
}

/** Sends numbered datagrams to the echo server, one every `intervalMs`, and waits for answers. */
const ASK = `
  import dgram from 'node:dgram';
  const [address, count, intervalMs, idleMs] = process.argv.slice(1);
  const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
  const sent = [], times = new Array(Number(count)).fill(null), order = [];
  let last = performance.now();
  socket.on('message', (message) => {
    const number = message.readUInt32BE(0);
    last = performance.now();
    times[number] ??= last - sent[number];
    order.push(number);
  });
  const started = performance.now();
  socket.connect(${PORT}, address, async () => {
    socket.setRecvBufferSize(8 << 20);
    for (let number = 0; number < Number(count); number++) {
      const message = Buffer.alloc(100);
      message.writeUInt32BE(number);
      sent.push(performance.now());
      last = sent.at(-1);
      socket.send(message);
      const waitMs = started + (number + 1) * Number(intervalMs) - performance.now();
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, waitMs)));
    }
    while (performance.now() - last < Number(idleMs)) await new Promise((resolve) => setTimeout(resolve, 20));
    console.log(JSON.stringify({ times, order }));
    socket.close();
  });
`;
async function ask(
  address: string,
  count: number,
  { intervalMs = 1, idleMs = 1000, from = net.a } = {},
): Promise<Answers> {
  const args = [address, ...[count, intervalMs, idleMs].map(String)];
  const { stdout, stderr } = await from.node(ASK, args);
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

const answered = ({ times }: Answers): number[] => times.filter((time) => time !== null);
const quickest = (answers: Answers): number => Math.min(...answered(answers));

/** The handle's books balance, and each direction's add up. */
async function expectBalance(running: Shaper): Promise<void> {
  await running.close();
  const { received, sent, dropped, lost, queued, held } = running.handle.stats();
  expect({ received, lost: lost.total, queued, held }).toEqual({
    received: sent + dropped,
    lost: 0,
    queued: 0,
    held: 0,
  });
  for (const link of Object.values(running.stats())) {
    const { packets, lost: gone, rateDropped, overflow, reset, failed, waiting } = link;
    expect(link.sent + gone + rateDropped + overflow + reset).toBe(packets);
    expect({ failed, waiting }).toEqual({ failed: 0, waiting: 0 });
  }
}

describe.each(FAMILIES)('over %s', (family) => {
  test('100 ms and 5 % measure 100 ms and 5 %', async () => {
    const packets = 2000;
    const running = await start({ outbound: { latencyMs: 100, loss: 0.05 } });
    const answers = await ask(net.b[family], packets);
    expect(quickest(answers)).toBeGreaterThanOrEqual(100);
    const { outbound, inbound } = running.stats();
    expect(packets - answered(answers).length).toBe(outbound.lost);
    // 99.99 % of samples of a binomial distribution are within 4 standard deviations.
    expect(Math.abs(outbound.lost - packets * 0.05)).toBeLessThan(4 * Math.sqrt(packets * 0.0475));
    expect(outbound).toMatchObject({ packets, delayed: packets - outbound.lost });
    expect(inbound).toMatchObject({ sent: packets - outbound.lost, delayed: 0 });
    await expectBalance(running);
  });

  test('latency in both directions adds up', async () => {
    const running = await start({ outbound: { latencyMs: 40 }, inbound: { latencyMs: 70 } });
    const answers = await ask(net.b[family], 50);
    expect(answered(answers)).toHaveLength(50);
    expect(quickest(answers)).toBeGreaterThanOrEqual(110);
    await expectBalance(running);
  });

  test('the same seed loses the same packets', async () => {
    const runs: (number | null)[][] = [];
    for (let run = 0; run < 2; run++) {
      const running = await start({ inbound: { loss: 0.3 } });
      const { times } = await ask(net.b[family], 100);
      runs.push(times.map((time) => (time === null ? 0 : 1)));
      await running.close();
    }
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[0]).toContain(0);
  });
});

test('duplicates come twice', async () => {
  const running = await start({ outbound: { duplicate: 0.5 }, inbound: { latencyMs: 5 } });
  const { order } = await ask(net.b.ipv4, 200);
  const { duplicated } = running.stats().outbound;
  expect(duplicated).toBeGreaterThan(0);
  expect(order).toHaveLength(200 + duplicated);
  expect(running.handle.stats().injected).toBe(duplicated);
  await expectBalance(running);
});

test('inbound duplicates come twice, delayed', async () => {
  const running = await start({ inbound: { duplicate: 1, latencyMs: 20 } });
  const { order } = await ask(net.b.ipv6, 50);
  expect(order).toHaveLength(100);
  await expectBalance(running);
});

test('reordered packets are overtaken', async () => {
  const running = await start({ outbound: { latencyMs: 10, reorder: 0.2, reorderMs: 60 } });
  const { order } = await ask(net.b.ipv4, 200, { intervalMs: 2 });
  expect([...order].sort((one, other) => one - other)).toEqual([...new Array(200).keys()]);
  const late = order.filter((number, index) => order.slice(0, index).some((seen) => seen > number));
  expect(late.length).toBeGreaterThan(0);
  expect(late.length).toBeLessThanOrEqual(running.stats().outbound.reordered);
  await expectBalance(running);
});

test.each(['outbound', 'inbound'] as const)('%s corrupted packets do not arrive', async (way) => {
  const running = await start({ [way]: { corrupt: 0.5 } });
  const answers = await ask(net.b.ipv4, 100);
  const { corrupted, sent } = running.stats()[way];
  expect(sent).toBe(100);
  expect(corrupted).toBeGreaterThan(0);
  expect(answered(answers)).toHaveLength(100 - corrupted);
  await expectBalance(running);
});

test('delays longer than the kernel keeps packets for', async () => {
  // A handle that gives up after 100 ms what nobody decides about.
  const handle = await open(FILTER, { namespace: net.a.path, queueTimeMs: 100 });
  const running = await shape(handle, { outbound: { latencyMs: 700 }, seed: SEED });
  const answers = await ask(net.b.ipv4, 100);
  expect(answered(answers)).toHaveLength(100);
  expect(quickest(answers)).toBeGreaterThanOrEqual(700);
  await expectBalance(running);
  // It was ours.
  expect(() => handle.getParam('queueTimeMs')).not.toThrow();
  handle.shutdown('receive');
  await handle.close();
});

test('TCP at 20 Mbit/s arrives byte-exact, not faster', async () => {
  const bytes = 4 << 20;
  const rateBitsPerSecond = 20_000_000;
  const running = await start({ outbound: { rateBitsPerSecond } }, 'tcp.DstPort == 8080');
  const receiver = await startScript(net.b, 'tcp-receive', [net.b.ipv4, 8080, 0]);
  const startedMs = performance.now();
  const sent = JSON.parse(await runScript(net.a, 'tcp-send', [net.b.ipv4, 8080, bytes]));
  expect(JSON.parse(await receiver.output)).toEqual(sent);
  expect(performance.now() - startedMs).toBeGreaterThan((bytes * 8 * 1000) / rateBitsPerSecond);
  const { outbound } = running.stats();
  expect(outbound.delayed).toBeGreaterThan(0);
  await expectBalance(running);
  // Not held: the connection would be throttled by its own packets in the queue.
  expect(running.handle.stats()).toMatchObject({
    injected: outbound.delayed,
    dropped: outbound.delayed,
  });
});

test('reset: a TCP connection ends', async () => {
  const server = await startScript(net.b, 'tcp-receive', [net.b.ipv4, 8081, 0]);
  const running = await start({ outbound: { reset: 1 } }, 'tcp.DstPort == 8081');
  const { stdout } = await net.a.node(
    `import net from 'node:net';
     net.connect(8081, '${net.b.ipv4}').on('error', ({ code }) => console.log(code));`,
  );
  expect(stdout).toBe('ECONNREFUSED\n');
  expect(running.stats().outbound).toMatchObject({ packets: 1, reset: 1 });
  await expectBalance(running);
  server.child.kill();
});

test('forwarded packets', async () => {
  const routed = await createRoutedNetwork();
  try {
    const server = await serve(routed.b.end);
    const running = await start({
      layer: 'forward',
      namespace: routed.router.path,
      forward: { latencyMs: 50, duplicate: 1 },
    });
    const answers = await ask(routed.b.ipv4, 20, { from: routed.a.end });
    expect(quickest(answers)).toBeGreaterThanOrEqual(100);
    // Twice there, each answer twice back.
    expect(answers.order).toHaveLength(80);
    expect(running.stats().forward).toMatchObject({ packets: 60, duplicated: 60 });
    await expectBalance(running);
    server.child.kill();
  } finally {
    await routed.close();
  }
});

describe('the end', () => {
  test.each([30_000, 60_000])(
    'close lets packets delayed by %i ms go at once',
    async (latencyMs) => {
      const running = await start({ outbound: { latencyMs } });
      const answering = ask(net.b.ipv4, 50, { idleMs: 2000 });
      await expect.poll(() => running.stats().outbound.waiting).toBe(50);
      await running.close();
      expect(answered(await answering)).toHaveLength(50);
      await running.ended;
      await expectBalance(running);
    },
  );

  test('after shutdown of receiving, delayed packets leave in time', async () => {
    const running = await start({ outbound: { latencyMs: 500 } });
    const answering = ask(net.b.ipv4, 10);
    await expect.poll(() => running.stats().outbound.waiting).toBe(10);
    running.handle.shutdown('receive');
    const answers = await answering;
    expect(answered(answers)).toHaveLength(10);
    expect(quickest(answers)).toBeGreaterThanOrEqual(500);
    await running.ended;
    await expectBalance(running);
  });

  test('a signal ends it', async () => {
    const controller = new AbortController();
    const running = await start({ signal: controller.signal });
    controller.abort();
    await running.ended;
    await running.close();
    await expect(running.handle.receive()).resolves.toBeNull();
  });
});

test('a setting out of range is refused before a handle is opened', async () => {
  await expect(start({ outbound: { loss: 5 } })).rejects.toMatchObject({
    code: 'invalid-parameter',
  });
});
