import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  compileFilter,
  DivertError,
  FilterSet,
  open,
  openWorkers,
  type Stats,
  type WorkersHandle,
  type WorkersOptions,
} from '../../src/index.ts';
import { listHandles } from '../../src/linux/registry/list-handles.ts';
import { ensureBuilt } from '../helpers/command.ts';
import { countDescriptors, listTables, mapsOf, programsOf } from '../helpers/kernel-objects.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { type Running, runScript, startScript, waitReady } from '../helpers/traffic.ts';

const PORT = 6100;
const OTHER_PORT = 6101;
const FLOWS = 200;
const ROUNDS = 50;
const FILTER = `inbound and udp.DstPort == ${PORT}`;
const MEGABYTE = 1 << 20;

let net: Network;
beforeAll(async () => {
  ensureBuilt();
  net = await createNetwork();
}, 120_000);
afterAll(() => net.close());

/** Closed after each test, so that one that fails does not hold up the next. */
const opened: WorkersHandle[] = [];
afterEach(async () => {
  for (const handle of opened.splice(0)) await handle.close().catch(() => {});
});

const moduleAt = (name: string): URL => new URL(`../workers/modules/${name}.mjs`, import.meta.url);

async function openHere(
  name: string,
  options: Partial<WorkersOptions> = {},
  filter = FILTER,
): Promise<WorkersHandle> {
  const all = { namespace: net.b.path, workers: 2, ...options };
  const handle = await openWorkers(filter, moduleAt(name), all);
  opened.push(handle);
  return handle;
}

const receive = (count: number, port = PORT, family: 'ipv4' | 'ipv6' = 'ipv4') =>
  // It ends with the last one; a busy machine may send with long pauses.
  startScript(net.b, 'udp-receive', [net.b[family], port, count, 8000]);

const sendFlows = (rounds = ROUNDS, flows = FLOWS, family: 'ipv4' | 'ipv6' = 'ipv4') =>
  runScript(net.a, 'udp-flows', [net.b[family], PORT, flows, rounds, 2]);

interface Datagram {
  readonly flow: number;
  readonly round: number;
  readonly stamp: number;
}

const datagrams = async (receiver: Running): Promise<Datagram[]> =>
  (await receiver.output)
    .split('\n')
    .filter(Boolean)
    .map((line) => Buffer.from(line, 'base64'))
    .map((bytes) => ({
      flow: bytes.readUInt32BE(0),
      round: bytes.readUInt32BE(4),
      stamp: bytes[8] ?? -1,
    }));

/** Rounds of each flow in the order of arrival. */
function byFlow(all: readonly Datagram[]): Map<number, Datagram[]> {
  const flows = new Map<number, Datagram[]>();
  for (const datagram of all) {
    flows.set(datagram.flow, [...(flows.get(datagram.flow) ?? []), datagram]);
  }
  return flows;
}

function expectBalanced({ received, sent, dropped, lost, queued, held }: Stats): void {
  expect(sent + dropped + lost.total + queued + held).toBe(received);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('flows', () => {
  test.each([
    [1, 'ipv4'],
    [2, 'ipv4'],
    [4, 'ipv4'],
    [2, 'ipv6'],
  ] as const)(
    '%i workers, %s: every flow in one of them, in order, each packet once',
    async (workers, family) => {
      const handle = await openHere('stamp', { workers });
      const receiver = await receive(FLOWS * ROUNDS, PORT, family);
      await sendFlows(ROUNDS, FLOWS, family);
      const arrived = await datagrams(receiver);
      const parts = await handle.workerStats();
      await handle.close();
      const flows = byFlow(arrived);
      expect(flows.size).toBe(FLOWS);
      for (const flow of flows.values()) {
        expect(flow.map(({ round }) => round)).toEqual(upTo(ROUNDS));
        expect(new Set(flow.map(({ stamp }) => stamp)).size).toBe(1);
      }
      const stamps = new Set(arrived.map(({ stamp }) => stamp));
      expect([...stamps].sort()).toEqual(upTo(workers).map((index) => index + 1));
      const stats = await handle.stats();
      expect(stats).toMatchObject({ matched: FLOWS * ROUNDS, received: FLOWS * ROUNDS });
      expect(stats).toMatchObject({ sent: FLOWS * ROUNDS, changed: FLOWS * ROUNDS, queued: 0 });
      expect(parts.map(({ matched }) => matched)).toEqual(parts.map(({ received }) => received));
      expectBalanced(stats);
    },
  );

  test('TCP with every payload rewritten by two workers arrives byte-exact, both ways', async () => {
    const options = { workerData: { mask: 0x55 } };
    const handle = await openHere('mask', options, 'tcp.DstPort == 7100 or tcp.SrcPort == 7100');
    const addresses = ['10.99.0.2', '10.99.0.12', '10.99.0.22', 'fd00:99::2'];
    for (const address of addresses.slice(1, 3)) {
      await net.b.exec('ip', ['addr', 'add', `${address}/24`, 'dev', net.b.interface]);
    }
    const transfers = addresses.map(async (address) => {
      const receiver = await startScript(net.b, 'tcp-receive', [address, 7100, 0x55]);
      const sent = JSON.parse(await runScript(net.a, 'tcp-send', [address, 7100, 8 * MEGABYTE]));
      return { sent, received: JSON.parse(await receiver.output) };
    });
    for (const { sent, received } of await Promise.all(transfers)) expect(received).toEqual(sent);
    await handle.close();
    const stats = await handle.stats();
    expect(stats.lost.total).toBe(0);
    expectBalanced(stats);
  });
});

describe('one handle', () => {
  test('others see one, with its filter, and one table', async () => {
    // Others on this machine have handles, too.
    const own = 20_000 + (process.pid % 9973);
    const handle = await openHere('stamp', { workers: 4, priority: own });
    const mine = () => listHandles().filter(({ priority }) => priority === own);
    expect(mine().map(({ filter }) => filter)).toEqual([FILTER]);
    expect(await listTables(net.b)).toHaveLength(1);
    await handle.setFilter('udp.DstPort == 9');
    expect(mine().map(({ filter }) => filter)).toEqual(['udp.DstPort == 9']);
    await handle.close();
    expect(mine()).toEqual([]);
  });

  test('new packets of workers are not diverted again, and handles behind see them', async () => {
    const filter = `udp.DstPort == ${PORT} or udp.DstPort == ${OTHER_PORT}`;
    const options = { workerData: { port: OTHER_PORT }, namespace: net.a.path };
    const handle = await openHere('inject', options, filter);
    await using behind = await open(`udp.DstPort == ${OTHER_PORT}`, {
      namespace: net.a.path,
      priority: -1,
    });
    let impostors = 0;
    const work = (async () => {
      for await (const packet of behind) {
        if (packet.address.impostor) impostors++;
        behind.send(packet);
      }
    })();
    const receivers = [await receive(200), await receive(200, OTHER_PORT)] as const;
    await sendFlows(10, 20);
    const [first, second] = await Promise.all(receivers.map(datagrams));
    expect(first?.length).toBe(200);
    expect([...new Set(second?.map(({ stamp }) => stamp))].sort()).toEqual([100, 101]);
    expect(second?.length).toBe(200);
    expect(impostors).toBe(200);
    expect(await listTables(net.a)).toHaveLength(1);
    await handle.close();
    expect(await handle.stats()).toMatchObject({ received: 200, injected: 200 });
    await behind.close();
    await work;
  });
});

describe('setFilter under load', () => {
  const OTHERS = `inbound and udp.DstPort == ${OTHER_PORT}`;
  /** Programs cannot know this: workers decide about half of the packets. */
  const RESIDUAL = `${FILTER} and random8 < 128`;

  test('every packet arrives once, each by the old filter or the new one', async () => {
    const handle = await openHere('stamp');
    const receiver = await receive(FLOWS * 100);
    const sent = sendFlows(100);
    for (const filter of [OTHERS, FILTER, RESIDUAL, FILTER, OTHERS, RESIDUAL, FILTER]) {
      await handle.setFilter(filter);
      await sleep(30);
    }
    await sent;
    const arrived = await datagrams(receiver);
    await handle.close();
    const stats = await handle.stats();
    expect([arrived.length, stats.lost.total]).toEqual([FLOWS * 100, 0]);
    expect(stats.received).toBe(arrived.filter(({ stamp }) => stamp > 0).length);
    expect(stats.received + stats.passed).toBe(stats.matched);
    expectBalanced(stats);
  });

  test('what arrives when the promise has resolved meets the new filter', async () => {
    const handle = await openHere('stamp', {}, RESIDUAL);
    const rows: [string, (stamped: number) => boolean][] = [
      [FILTER, (stamped) => stamped === 200],
      [RESIDUAL, (stamped) => stamped > 20 && stamped < 180],
      [OTHERS, (stamped) => stamped === 0],
      [FILTER, (stamped) => stamped === 200],
    ];
    for (const [filter, isRight] of rows) {
      await handle.setFilter(filter);
      const receiver = await receive(200);
      await sendFlows(1);
      const stamped = (await datagrams(receiver)).filter(({ stamp }) => stamp > 0).length;
      expect([filter, stamped, isRight(stamped)]).toEqual([filter, stamped, true]);
    }
  });

  test('one that does not compile changes nothing', async () => {
    const handle = await openHere('stamp');
    await expect(handle.setFilter('udp.DstPort == ')).rejects.toThrow(/udp/);
    const receiver = await receive(200);
    await sendFlows(1);
    expect((await datagrams(receiver)).every(({ stamp }) => stamp > 0)).toBe(true);
  });
});

describe('named sets', () => {
  const IN_SET = `${FILTER} and ip.SrcAddr in @friends`;

  async function stamped(): Promise<number> {
    const receiver = await receive(200);
    await sendFlows(1);
    return (await datagrams(receiver)).filter(({ stamp }) => stamp > 0).length;
  }

  test.each([
    ['in the kernel', IN_SET, (count: number) => count === 200],
    // Programs cannot know this: the workers' copies decide, too.
    ['in the workers', `${IN_SET} and random8 < 128`, (count: number) => count > 20 && count < 180],
  ])('members come and go under a filter that is judged %s', async (_name, filter, isRight) => {
    const friends = new FilterSet(['192.0.2.1']);
    const handle = await openHere('stamp', { dialect: 'extended', sets: { friends } }, filter);
    expect(await stamped()).toBe(0);
    friends.add('10.99.0.0/24');
    expect(await stamped()).toSatisfy(isRight);
    friends.delete('10.99.0.0/24');
    expect(await stamped()).toBe(0);
    friends.replace(upTo(5000).map((index) => `10.${90 + (index >> 8)}.0.${index & 255}`));
    expect(await stamped()).toSatisfy(isRight);
    await handle.setFilter(`${FILTER} and not (ip.SrcAddr in @friends)`);
    expect(await stamped()).toBe(0);
    friends.clear();
    expect(await stamped()).toBe(200);
    await handle.close();
    friends.add(1);
    expect(await listTables(net.b)).toEqual([]);
  });

  test('a compiled filter does not say how its sets are called', async () => {
    const language = { dialect: 'extended', sets: { friends: new FilterSet() } } as const;
    const filter = compileFilter(IN_SET, 'network', language);
    const options = { namespace: net.b.path, workers: 2, ...language };
    const opening = openWorkers(filter, moduleAt('stamp'), options);
    await expect(opening).rejects.toMatchObject({ code: 'unsupported' });
    expect(await listTables(net.b)).toEqual([]);
  });
});

describe('the end', () => {
  const before = { descriptors: 0, maps: 0 };
  const count = () => ({ descriptors: countDescriptors(), maps: mapsOf(process.pid).length });

  async function expectNothingLeft(): Promise<void> {
    expect(await listTables(net.b)).toEqual([]);
    const { stdout } = await net.b.exec('cat', ['/proc/net/netfilter/nfnetlink_queue']);
    expect(stdout).toBe('');
    for (let tries = 0; programsOf(process.pid).length > 0 && tries < 200; tries++) await sleep(10);
    expect(programsOf(process.pid)).toEqual([]);
  }

  test('20 of them opened and closed leave nothing', async () => {
    await (await openHere('stamp')).close();
    Object.assign(before, count());
    for (let cycle = 0; cycle < 20; cycle++) await (await openHere('stamp')).close();
    expect(count()).toEqual(before);
    await expectNothingLeft();
  });

  test('closed under load: every packet arrives', async () => {
    const handle = await openHere('stamp');
    const receiver = await receive(FLOWS * ROUNDS);
    const sent = sendFlows();
    await sleep(300);
    await handle.close();
    await sent;
    expect(await datagrams(receiver)).toHaveLength(FLOWS * ROUNDS);
    const stats = await handle.stats();
    expectBalanced(stats);
    expect(stats).toMatchObject({ queued: 0, held: 0 });
    await expectNothingLeft();
  });

  test.each([
    ['throw', /Worker \d of 2 failed: cannot digest this/],
    ['timer', /Worker \d of 2 failed: later/],
    ['exit', /Worker \d of 2 failed: The thread exited with code 7/],
  ])('a worker that breaks (%s) ends all, and says why', async (how, message) => {
    const handle = await openHere('break', { workerData: { how } });
    const closed = handle.closed.catch((error: unknown) => error);
    await sendFlows(5);
    const error = await closed;
    expect(error).toBeInstanceOf(DivertError);
    expect(error).toMatchObject({ code: 'worker-failed', message: expect.stringMatching(message) });
    await handle.close();
    await expectNothingLeft();
    const receiver = await receive(200);
    await sendFlows(1);
    expect(await datagrams(receiver)).toHaveLength(200);
  });

  test.each(['return', 'close', 'shutdown'])('a worker that ends (%s) ends all', async (how) => {
    const handle = await openHere('break', { workerData: { how } });
    const { closed } = handle;
    const receiver = await receive(FLOWS * 5);
    await sendFlows(5);
    await closed;
    expect(await datagrams(receiver)).toHaveLength(FLOWS * 5);
    await expectNothingLeft();
  });

  test('the error comes out of close() when nobody looked at closed', async () => {
    const handle = await openHere('break', { workerData: { how: 'throw' } });
    await sendFlows(1, 1);
    await expect(handle.close()).rejects.toThrow(/cannot digest this/);
    await handle.close();
  });

  test('a worker that hangs is stopped', async () => {
    const handle = await openHere('hang', { workers: 1 });
    await sendFlows(1, 1);
    await handle.close();
    await expectNothingLeft();
  }, 30_000);

  test('shutdown: what is queued is still received, then the functions end', async () => {
    const handle = await openHere('stamp');
    await handle.shutdown('receive');
    await handle.closed;
    const receiver = await receive(200);
    await sendFlows(1);
    expect((await datagrams(receiver)).every(({ stamp }) => stamp === 0)).toBe(true);
    await expectNothingLeft();
  });

  test('a signal closes', async () => {
    const controller = new AbortController();
    const handle = await openHere('stamp', { signal: controller.signal });
    controller.abort();
    await handle.closed;
    await expectNothingLeft();
  });

  test('kill -9 of the process leaves nothing and traffic flows again', async () => {
    const url = moduleAt('stamp').href;
    const divert = await waitReady(
      net.b.spawn(process.execPath, [
        '--input-type=module',
        '-e',
        `import { openWorkers } from 'netdivert';
         await openWorkers('${FILTER}', '${url}', { workers: 2 });
         console.log('ready');`,
      ]),
    );
    const pid = Number(divert.child.pid);
    const flood = sendFlows(200);
    await sleep(500);
    expect(await listTables(net.b)).toHaveLength(1);
    divert.child.kill('SIGKILL');
    await divert.output;
    await flood;
    await expectNothingLeft();
    expect(programsOf(pid)).toEqual([]);
    const receiver = await receive(200);
    await sendFlows(1);
    expect((await datagrams(receiver)).every(({ stamp }) => stamp === 0)).toBe(true);
  });
});

describe('refused, with nothing left', () => {
  test.each<[string, string, Partial<WorkersOptions>, RegExp]>([
    ['mode sniff', 'stamp', { mode: 'sniff' }, /mode 'sniff'/],
    ['mode drop', 'stamp', { mode: 'drop' }, /mode 'drop'/],
    ['access send', 'stamp', { access: 'send' }, /access 'send'/],
    ['no workers', 'stamp', { workers: 0 }, /workers is 0/],
    ['attribution', 'stamp', { attribution: true }, /processes/],
    ['a module that is not there', 'not-there', {}, /not-there/],
    ['a module without a function', 'no-function', {}, /default export/],
  ])('%s', async (_name, module, options, message) => {
    await expect(openHere(module, options)).rejects.toThrow(message);
    expect(await listTables(net.b)).toEqual([]);
  });
});
