/**
 * Several handles and processes on the socket layer: order, other namespaces, ends of processes, filters
 * that are swapped.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { open, type SocketEvent, type SocketHandle } from '../../src/index.ts';
import { countDescriptors, mapsOf, programsOf } from '../helpers/kernel-objects.ts';
import { since } from '../helpers/kernel-version.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { type SocketCaller, startCaller } from '../helpers/socket-caller.ts';
import { type Running, waitReady } from '../helpers/traffic.ts';

let net: Network;
let caller: SocketCaller;
let count = 0;
beforeAll(async () => {
  net = await createNetwork();
  caller = await startCaller(net.a);
});
afterAll(() => net.close());

async function rest(handle: SocketHandle): Promise<SocketEvent[]> {
  handle.shutdown('receive');
  const events: SocketEvent[] = [];
  for await (const event of handle) events.push(event);
  await handle.close();
  return events;
}

const inside = {
  layer: 'socket' as const,
  get namespace() {
    return net.a.path;
  },
};

/** Programs and maps of a process, once the kernel had time to free them. */
async function leftOf(pid: number): Promise<string[]> {
  const left = () => [...programsOf(pid), ...mapsOf(pid)];
  for (let tries = 0; left().length > 0 && tries < 300; tries++) await sleep(10);
  return left();
}

/** What a connect of a new socket to that port says; nobody listens there. */
async function connect(port: number, who: SocketCaller = caller): Promise<string | undefined> {
  const name = `c${count++}`;
  const [, result] = await who.calls(
    { do: 'socket', as: name, family: 4, type: 'tcp' },
    { do: 'connect', on: name, to: ['127.0.0.1', port] },
    { do: 'close', on: name },
  );
  return result?.error;
}

/** Before it, handles run in the order they were opened in. */
const ORDER = ['6.17', 'programs are hooked in in front of others, which priorities need'] as const;

describe('order of handles', () => {
  test.for([
    ['opened first', [10, 0]],
    ['opened last', [0, 10]],
  ] as const)(
    'the higher one blocks and the lower one sees nothing: %s',
    async ([name, priorities], context) => {
      if (name === 'opened last') since(context, ...ORDER);
      const handles: [number, SocketHandle][] = [];
      for (const priority of priorities) {
        const blockError = priority === 10 ? 'EACCES' : 'ENETUNREACH';
        handles.push([
          priority,
          await open('event == CONNECT', { ...inside, priority, blockError }),
        ]);
      }
      expect(await connect(9)).toBe('EACCES');
      for (const [priority, handle] of handles) {
        expect((await rest(handle)).length).toBe(priority === 10 ? 1 : 0);
      }
    },
  );

  test('five handles opened in any order run from high to low', async (context) => {
    since(context, ...ORDER);
    const handles = new Map<number, SocketHandle>();
    for (const priority of [3, -200, 30000, 0, -30000]) {
      const handle = await open(
        `event == BIND and localPort >= ${7100 + (priority === 30000 ? 1 : 0)}`,
        {
          ...inside,
          priority,
          mode: priority === 3 ? 'divert' : 'sniff',
        },
      );
      handles.set(priority, handle);
    }
    const [, bound] = await caller.calls(
      { do: 'socket', as: 'five', family: 4, type: 'tcp' },
      { do: 'bind', on: 'five', to: ['127.0.0.1', 7105] },
      { do: 'close', on: 'five' },
    );
    expect(bound?.error).toBe('EPERM');
    const seen: Record<string, number> = {};
    for (const [priority, handle] of handles) seen[priority] = (await rest(handle)).length;
    expect(seen).toEqual({ 30000: 1, 3: 1, 0: 0, '-200': 0, '-30000': 0 });
  });

  test('a listener that a higher handle refuses is not reported by a lower one', async (context) => {
    since(context, ...ORDER);
    const lower = await open('event == LISTEN', { ...inside, priority: -1, mode: 'sniff' });
    const higher = await open('event == LISTEN', { ...inside, priority: 1 });
    await caller.calls(
      { do: 'socket', as: 'l', family: 4, type: 'tcp' },
      { do: 'listen', on: 'l' },
      { do: 'close', on: 'l' },
    );
    expect((await rest(higher)).length).toBe(1);
    expect((await rest(lower)).length).toBe(0);
  });
});

test('a swapped filter decides what comes next', async () => {
  const handle = await open('event == CONNECT and remotePort == 1', inside);
  expect(await connect(1)).toBe('EPERM');
  expect(await connect(2)).toBe('ECONNREFUSED');
  await handle.setFilter('event == CONNECT and remotePort == 2');
  expect(await connect(1)).toBe('ECONNREFUSED');
  expect(await connect(2)).toBe('EPERM');
  await handle.setFilter('event == BIND');
  expect(await connect(2)).toBe('ECONNREFUSED');
  await handle.setFilter('event == CONNECT and remotePort == 2');
  expect(await connect(2)).toBe('EPERM');
  expect((await rest(handle)).map(({ remotePort }) => remotePort)).toEqual([1, 2, 2]);
});

test('other namespaces are left alone', async () => {
  await using other = await startCaller(net.b);
  const handle = await open('true', inside);
  expect(await connect(1, other)).toBe('ECONNREFUSED');
  const results = await other.calls(
    { do: 'socket', as: 's', family: 4, type: 'tcp' },
    { do: 'bind', on: 's', to: ['127.0.0.1', 7200] },
    { do: 'listen', on: 's' },
    { do: 'socket', as: 'c', family: 4, type: 'tcp' },
    { do: 'connect', on: 'c', to: ['127.0.0.1', 7200] },
    { do: 'accept', on: 's', as: 'a' },
    { do: 'socket', as: 'u', family: 6, type: 'udp' },
    { do: 'sendto', on: 'u', to: ['::1', 7201] },
  );
  expect(results.map(({ error }) => error)).toEqual(results.map(() => undefined));
  expect(await rest(handle)).toEqual([]);
});

/** A process with a handle that blocks all connects, up to its `count`th event. */
function startBlocker(
  count: number,
  options: { priority?: number; blockError: string },
): Promise<Running> {
  const all = JSON.stringify({ layer: 'socket', ...options });
  const source = `
    import { open } from 'netdivert';
    const handle = await open('event == CONNECT', ${all});
    console.log('ready');
    for (let left = ${count}; left > 0; left--) console.log((await handle.receive()).remotePort);
    await handle.close();
  `;
  return waitReady(net.a.spawn(process.execPath, ['--input-type=module', '-e', source]));
}

describe('several processes', () => {
  test.for([
    ['higher', 5, 'EACCES'],
    ['lower', -5, 'EPERM'],
  ] as const)('the handle of another process is %s', async ([, priority, expected], context) => {
    since(context, ...ORDER);
    const before = await open('event == CONNECT and remotePort == 3', inside);
    const blocker = await startBlocker(expected === 'EPERM' ? 1 : 3, {
      priority,
      blockError: 'EACCES',
    });
    const after = await open('event == CONNECT and remotePort == 4', inside);
    expect([await connect(3), await connect(4), await connect(5)]).toEqual([
      expected,
      expected,
      'EACCES',
    ]);
    const ours = expected === 'EPERM' ? 1 : 0;
    expect([(await rest(before)).length, (await rest(after)).length]).toEqual([ours, ours]);
    const theirs = (await blocker.output).split('\n').filter(Boolean);
    expect(theirs).toEqual(ours === 1 ? ['5'] : ['3', '4', '5']);
  });

  test('kill -9 of a blocking process: unblocked at once, nothing left', async () => {
    const blocker = await startBlocker(1000, { blockError: 'EACCES' });
    const { pid } = blocker.child;
    expect(await connect(1)).toBe('EACCES');
    blocker.child.kill('SIGKILL');
    await blocker.output;
    expect(await connect(1)).toBe('ECONNREFUSED');
    expect(await leftOf(pid ?? 0)).toEqual([]);
  });
});

test('handles opened and closed leave no descriptor, program or map', async () => {
  await (await open('true', inside)).close();
  const before = countDescriptors();
  for (let cycle = 0; cycle < 30; cycle++) await (await open('true', inside)).close();
  expect(countDescriptors()).toBe(before);
  expect(await leftOf(process.pid)).toEqual([]);
  expect(await connect(1)).toBe('ECONNREFUSED');
});
