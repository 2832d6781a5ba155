import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileFilter } from '../../src/filter/index.ts';
import {
  FilterSet,
  type OpenOptions,
  open,
  type ReflectEvent,
  type ReflectHandle,
} from '../../src/index.ts';
import { listHandles } from '../../src/linux/registry/list-handles.ts';
import { HandleProcess } from '../helpers/handle-process.ts';
import { namesOfMaps, programsOf } from '../helpers/kernel-objects.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { NODE_NAME } from '../helpers/node-name.ts';

/** Handles of these tests only: others may be open on this machine, those of these same tests among them. */
const PRIORITY = 10_000 + (process.pid % 3000) * 2;
const OTHER_PRIORITY = PRIORITY + 1;
const FILTER = 'udp.DstPort == 5310';

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

const here = (options: OpenOptions = {}): OpenOptions => ({
  priority: PRIORITY,
  ...options,
  namespace: net.b.path,
});

/** A reflect handle that is read all the time: what waits for long is given up. */
class Watcher implements AsyncDisposable {
  readonly handle: ReflectHandle;
  #events: ReflectEvent[] = [];

  constructor(handle: ReflectHandle) {
    this.handle = handle;
    void this.#collect();
  }

  /** The next events, or fewer when no more come for a long time. */
  async take(count: number): Promise<ReflectEvent[]> {
    for (let tries = 0; this.#events.length < count && tries < 500; tries++) await sleep(10);
    return this.#events.splice(0, count);
  }

  /** What has come, and what still comes within several of the looks that a reflect handle takes. */
  async rest(): Promise<ReflectEvent[]> {
    await sleep(300);
    return this.#events.splice(0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.handle.close();
  }

  async #collect(): Promise<void> {
    for await (const event of this.handle) this.#events.push(event);
  }
}

const reflect = async (
  filter = `priority == ${PRIORITY}`,
  options: OpenOptions = {},
): Promise<Watcher> =>
  new Watcher(await open(filter, { queueTimeMs: 16_000, ...options, layer: 'reflect' }));

const brief = ({ event, filter }: ReflectEvent): string => `${event} ${filter}`;

describe('what events say', () => {
  test.each<[string, string, OpenOptions, bigint]>([
    ['network', FILTER, {}, 0n],
    ['network, sniffing', 'tcp.Ack', { mode: 'sniff', priority: -30_000 }, 1n],
    ['network, dropping', FILTER, { mode: 'drop', priority: 30_000 }, 2n],
    ['network, receiving only', FILTER, { access: 'receive' }, 4n],
    ['network, sending only', 'false', { access: 'send' }, 8n],
    ['network, fragments', FILTER, { fragments: true }, 0x20n],
    ['network, several', FILTER, { mode: 'sniff', access: 'receive', fragments: true }, 0x25n],
    ['network, not installing', FILTER, { install: false }, 0x10n],
    ['forward', 'ip.TTL == 3', { layer: 'forward' }, 0n],
    ['flow', 'remotePort == 53', { layer: 'flow' }, 5n],
    ['socket', 'localPort == 53', { layer: 'socket' }, 4n],
    ['socket, sniffing', 'event == BIND', { layer: 'socket', mode: 'sniff' }, 5n],
    ['socket, dropping', 'false', { layer: 'socket', mode: 'drop', install: false }, 0x16n],
  ])('%s', async (_, filter, options, flags) => {
    await using process = await HandleProcess.start();
    await using watcher = await reflect(`processId == ${process.pid}`);
    const { pid, before, after } = await process.open('it', filter, here(options));
    const [opened] = await watcher.take(1);
    await process.close('it');
    const [closed] = await watcher.take(1);
    const layer = options.layer ?? 'network';
    const common = {
      processId: pid,
      layer,
      flags,
      priority: options.priority ?? PRIORITY,
      filter,
      object: compileFilter(filter, layer).object,
      openedAt: opened?.openedAt,
      handleId: opened?.handleId,
    };
    expect(opened).toEqual({ ...common, event: 'open', timestamp: opened?.timestamp });
    expect(closed).toEqual({ ...common, event: 'close', timestamp: closed?.timestamp });
    const times = [before, opened?.openedAt, opened?.timestamp, after, closed?.timestamp];
    expect([...times].sort((a, b) => Number((a ?? 0n) - (b ?? 0n)))).toEqual(times);
  });

  test('a filter given as an object string is reported as text', async () => {
    const { object } = compileFilter('tcp.DstPort == 80 or udp', 'network');
    await using watcher = await reflect();
    await using _handle = await open(object, here({ mode: 'sniff' }));
    const [event] = await watcher.take(1);
    expect(event).toMatchObject({ object, filter: compileFilter(object).format() });
  });

  test('the number of a process in a container is the one outside', async () => {
    await using process = await HandleProcess.start([
      ...['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'],
    ]);
    await using watcher = await reflect();
    const { pid } = await process.open('it', FILTER, here());
    const [event] = await watcher.take(1);
    expect(pid).toBe(1);
    const children = `/proc/${process.pid}/task/${process.pid}/children`;
    const { stdout } = await net.a.exec('cat', [children]);
    expect(event?.processId).toBe(Number(stdout));
    await process.kill();
    expect((await watcher.take(1)).map(brief)).toEqual([`close ${FILTER}`]);
  });

  test('very long filters are cut', async () => {
    const filter = `udp ${' '.repeat(70_000)} or tcp`;
    await using watcher = await reflect();
    await using _handle = await open(filter, here({ mode: 'sniff' }));
    const [event] = await watcher.take(1);
    expect(event?.object).toBe(compileFilter(filter, 'network').object);
    expect(event?.filter.length).toBeGreaterThan(60_000);
    expect(filter.startsWith(event?.filter ?? '-')).toBe(true);
  });
});

describe('which handles', () => {
  test('those open before come first, the oldest in front', async () => {
    await using first = await HandleProcess.start();
    await using second = await HandleProcess.start();
    const port = (number: number): string => `udp.DstPort == ${number}`;
    for (const number of [1, 3, 5]) {
      await first.open(`${number}`, port(number), here());
      await second.open(`${number}`, port(number + 1), here({ mode: 'sniff' }));
    }
    await first.close('3');
    await using watcher = await reflect();
    await second.open('late', port(7), here());
    const events = await watcher.take(6);
    expect(events.map(brief)).toEqual([1, 2, 4, 5, 6, 7].map((number) => `open ${port(number)}`));
    expect(await watcher.rest()).toEqual([]);
  });

  test('200 opened and closed at once by each of two processes, all exactly once', async () => {
    await using watcher = await reflect('priority > 0 and priority <= 200');
    await using first = await HandleProcess.start();
    await using second = await HandleProcess.start();
    await Promise.all([
      first.burst(FILTER, here({ mode: 'sniff' }), 200),
      second.burst(FILTER, here(), 200),
    ]);
    const events = [...(await watcher.take(800)), ...(await watcher.rest())];
    for (const { pid } of [first, second]) {
      const own = events.filter(({ processId }) => processId === pid);
      const wanted = Array.from({ length: 200 }, (_, index) => [
        `open ${index + 1}`,
        `close ${index + 1}`,
      ]);
      expect(own.map(({ event, priority }) => `${event} ${priority}`)).toEqual(wanted.flat());
      expect(new Set(own.map(({ handleId }) => handleId)).size).toBe(200);
    }
    const { received, matched, passed, lost } = watcher.handle.stats();
    expect({ received, rest: matched - passed, lost: lost.total }).toEqual({
      received: 800,
      rest: 800,
      lost: 0,
    });
  });

  test('thousands at once, seen by reflect handles that come and swap filters meanwhile', async () => {
    await using first = await HandleProcess.start();
    await using second = await HandleProcess.start();
    const filter = `priority == ${PRIORITY}`;
    // Swapping holds the event loop up: there are more events in a turn then than a queue takes by default.
    const options = { queueLength: 16_384 };
    await using whole = await reflect(filter, options);
    let isDone = false;
    const all = Promise.all([
      first.register(FILTER, PRIORITY, 3000),
      second.register('tcp', PRIORITY, 3000),
    ]).then(() => {
      isDone = true;
    });
    const late: Watcher[] = [];
    for (let swaps = 0; !isDone; swaps++) {
      if (late.length < 5) late.push(await reflect(filter, options));
      await whole.handle.setFilter(swaps % 2 === 0 ? filter : `${filter} and layer == NETWORK`);
      await sleep(1);
    }
    await all;
    const ids = (events: ReflectEvent[], event: string): bigint[] =>
      events.filter((one) => one.event === event).map(({ handleId }) => handleId);
    for (const watcher of [whole, ...late]) {
      const events = await watcher.rest();
      await watcher.handle.close();
      const opened = ids(events, 'open');
      const closed = ids(events, 'close');
      expect(watcher.handle.stats().lost.total).toBe(0);
      expect(new Set(opened).size).toBe(opened.length);
      expect(closed.sort()).toEqual(opened.sort());
      if (watcher === whole) expect(opened).toHaveLength(6000);
    }
  });

  test('filters of the extended dialect, which the program alone cannot decide', async () => {
    await using wanted = await HandleProcess.start();
    await using other = await HandleProcess.start();
    await using watcher = await reflect('processId in @wanted', {
      dialect: 'extended',
      sets: { wanted: new FilterSet([wanted.pid]) },
    });
    for (const ttl of [1, 2]) {
      await other.open(`${ttl}`, 'udp', here());
      await wanted.open(`${ttl}`, `ip.TTL == ${ttl}`, here());
    }
    await wanted.close('1');
    await Promise.all([wanted.kill(), other.kill()]);
    const events = [...(await watcher.take(4)), ...(await watcher.rest())];
    expect(events.map(brief)).toEqual([
      ...['open ip.TTL == 1', 'open ip.TTL == 2', 'close ip.TTL == 1', 'close ip.TTL == 2'],
    ]);
    const { received, matched, passed } = watcher.handle.stats();
    expect({ received, rest: matched - passed }).toEqual({ received: 4, rest: 4 });
  });

  test('reflect handles are not reported, to themselves or others', async () => {
    await using process = await HandleProcess.start();
    await process.open('before', 'true', { layer: 'reflect' });
    await using watcher = await reflect(`processId == ${process.pid}`);
    await process.open('after', 'true', { layer: 'reflect' });
    await process.close('before');
    await process.open('other', FILTER, here());
    expect((await watcher.take(1)).map(brief)).toEqual([`open ${FILTER}`]);
    await process.close('after');
    expect(await watcher.rest()).toEqual([]);
    expect(listHandles().filter(({ processId }) => processId === process.pid)).toHaveLength(1);
  });

  test('each reflect handle gets what its filter says', async () => {
    await using process = await HandleProcess.start();
    const base = `processId == ${process.pid}`;
    const others = `processId != ${process.pid}`;
    const ours = `(priority == ${PRIORITY} or priority == ${OTHER_PRIORITY})`;
    const filters: [string, string[]][] = [
      [`${base} and event == OPEN`, ['open 1', 'open 2']],
      [`${base} and event == CLOSE`, ['close 1', 'close 2']],
      [`${base} and priority < ${OTHER_PRIORITY}`, ['open 1', 'close 1']],
      [`${base} and layer == NETWORK_FORWARD`, ['open 2', 'close 2']],
      [`${base} and layer == SOCKET`, []],
      [`${others} and ${ours}`, []],
      [`${base} and timestamp > 0`, ['open 1', 'open 2', 'close 1', 'close 2']],
    ];
    const watchers = await Promise.all(filters.map(([filter]) => reflect(filter)));
    await process.open('1', FILTER, here());
    const options = here({ priority: OTHER_PRIORITY, layer: 'forward' });
    await process.open('2', 'ip.TTL == 3', options);
    await process.close('1');
    await process.kill();
    const results: [string, string[]][] = [];
    for (const [index, watcher] of watchers.entries()) {
      const events = await watcher.rest();
      const texts = events.map(({ event, priority }) => `${event} ${priority - PRIORITY + 1}`);
      results.push([filters[index]?.[0] ?? '', texts]);
      await watcher.handle.close();
    }
    expect(results).toEqual(filters);
  });
});

/** A process in the namespace that has what opening handles takes, but not CAP_SYS_ADMIN. */
function startUnprivileged(): Promise<HandleProcess> {
  const capabilities = ['net_admin', 'net_raw', 'bpf', 'perfmon', 'dac_read_search'];
  const set = ['-all', ...capabilities.map((name) => `+${name}`)].join(',');
  return HandleProcess.start([
    ...['nsenter', `--net=${net.b.path}`, 'setpriv', '--reuid=65534', '--regid=65534'],
    ...['--clear-groups', `--inh-caps=${set}`, `--ambient-caps=${set}`, '--bounding-set=+all'],
  ]);
}

describe('processes that do not say goodbye', () => {
  test('handles of a killed process are closed', async () => {
    await using watcher = await reflect();
    await using process = await HandleProcess.start();
    for (const key of ['1', '2', '3']) await process.open(key, `ip.TTL == ${key}`, here());
    expect(await watcher.take(3)).toHaveLength(3);
    await process.kill();
    const events = await watcher.take(3);
    expect(events.map(brief).sort()).toEqual([1, 2, 3].map((ttl) => `close ip.TTL == ${ttl}`));
    expect(new Set(events.map(({ processId }) => processId))).toEqual(new Set([process.pid]));
    expect(await watcher.rest()).toEqual([]);
  });

  test('also when only their closing is asked for', async () => {
    await using watcher = await reflect(`event == CLOSE and priority == ${PRIORITY}`);
    await using process = await HandleProcess.start();
    await process.open('it', FILTER, here());
    await process.kill();
    expect((await watcher.take(1)).map(brief)).toEqual([`close ${FILTER}`]);
  });

  test('a process that may not look at others is noticed all the same', async () => {
    await using watcher = await reflect();
    await using process = await startUnprivileged();
    const options = { priority: PRIORITY };
    await process.open('1', FILTER, options);
    await process.open('2', 'tcp', options);
    expect((await watcher.take(2)).map(brief)).toEqual([`open ${FILTER}`, 'open tcp']);
    await process.close('1');
    expect((await watcher.take(1)).map(brief)).toEqual([`close ${FILTER}`]);
    await process.kill();
    expect((await watcher.take(1)).map(brief)).toEqual(['close tcp']);
  });

  test('and cannot open a reflect handle', async () => {
    await using process = await startUnprivileged();
    await expect(process.open('it', 'true', { layer: 'reflect' })).rejects.toThrow(
      'UnsupportedError access-denied CAP_SYS_ADMIN',
    );
  });
});

describe('swapping filters', () => {
  test('of the reflect handle: every event meets the old one or the new one', async () => {
    await using process = await HandleProcess.start();
    const filters = [`processId == ${process.pid}`, `processId == ${process.pid} and event != 7`];
    await using watcher = await reflect(filters[0]);
    let isDone = false;
    const burst = process.burst(FILTER, here({ mode: 'sniff' }), 50).then(() => {
      isDone = true;
    });
    let swaps = 0;
    for (; !isDone; swaps++) {
      await watcher.handle.setFilter(filters[swaps % 2] ?? '');
      await sleep(0);
    }
    await burst;
    expect(swaps).toBeGreaterThan(10);
    const events = await watcher.rest();
    const texts = events.map(({ event, priority }) => `${event} ${priority}`);
    const wanted = Array.from({ length: 50 }, (_, index) => [
      `open ${index + 1}`,
      `close ${index + 1}`,
    ]);
    expect(texts).toEqual(wanted.flat());
  });

  test('of others: no event, and lists show the new one', async () => {
    await using watcher = await reflect();
    await using process = await HandleProcess.start();
    await process.open('it', FILTER, here());
    const long = `udp and (${Array.from({ length: 100 }, (_, port) => `udp.DstPort == ${port}`).join(' or ')})`;
    await process.setFilter('it', long);
    const [opened, ...others] = await watcher.rest();
    expect(others).toEqual([]);
    const listed = listHandles().filter(({ processId }) => processId === process.pid);
    expect(listed).toEqual([
      {
        processId: process.pid,
        processName: NODE_NAME,
        openedAt: opened?.openedAt,
        layer: 'network',
        flags: 0n,
        priority: PRIORITY,
        filter: long,
        object: compileFilter(long, 'network').object,
        handleId: opened?.handleId,
      },
    ]);
    await process.kill();
    expect((await watcher.take(1)).map(brief)).toEqual([`close ${long}`]);
  });
});

test('nothing is left of handles that were closed or killed', async () => {
  const process = await HandleProcess.start();
  const { pid } = process;
  const left = (): string[] => [
    ...namesOfMaps().filter(
      (name) => /^(ndv_reg_|ndv_rfl_|ndivert_)(\d+)$/.exec(name)?.[2] === `${pid}`,
    ),
    ...programsOf(pid),
  ];
  const openBoth = async (): Promise<void> => {
    await process.open('reflect', 'true', { layer: 'reflect' });
    await process.open('network', FILTER, here());
    expect(left()).toEqual(expect.arrayContaining([`ndv_rfl_${pid}`, `ndv_reg_${pid}`]));
  };
  /** The kernel frees programs, and what they use, somewhat later. */
  const expectNothing = async (): Promise<void> => {
    for (let tries = 0; left().length > 0 && tries < 200; tries++) await sleep(10);
    expect(left()).toEqual([]);
  };
  await openBoth();
  await process.close('reflect');
  await process.close('network');
  await expectNothing();
  await openBoth();
  await process.kill();
  await expectNothing();
});
