/**
 * Sets in the filters of socket and flow handles: decided in the kernel, changed while they are open.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  FilterSet,
  type FlowEvent,
  type OpenOptions,
  open,
  type SocketEvent,
  type SocketHandle,
} from '../../src/index.ts';
import { countDescriptors, mapsOf, programsOf } from '../helpers/kernel-objects.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { type SocketCaller, startCaller } from '../helpers/socket-caller.ts';

const PORT = 7600;
/** 100,000 addresses of the loopback device. */
const ADDRESSES = Array.from(
  { length: 100_000 },
  (_, index) => `127.${16 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`,
);

let net: Network;
let caller: SocketCaller;
beforeAll(async () => {
  net = await createNetwork();
  caller = await startCaller(net.a);
  for (const family of [4, 6]) {
    const any = family === 4 ? '0.0.0.0' : '::';
    await caller.calls(
      { do: 'socket', as: `t${family}`, family, type: 'tcp' },
      { do: 'bind', on: `t${family}`, to: [any, PORT + family] },
      { do: 'listen', on: `t${family}` },
      { do: 'socket', as: `u${family}`, family, type: 'udp' },
      { do: 'bind', on: `u${family}`, to: [any, PORT + family] },
    );
  }
});
afterAll(async () => {
  await caller.close();
  await net.close();
});

type Type = 'tcp' | 'udp';

/** What becomes of a connect: an errno, or nothing. */
async function connect(address: string, type: Type = 'tcp'): Promise<string | undefined> {
  const family = address.includes(':') ? 6 : 4;
  const [, result] = await caller.calls(
    { do: 'socket', as: 'c', family, type },
    { do: 'connect', on: 'c', to: [address, PORT + family] },
    { do: 'close', on: 'c' },
  );
  return result?.error;
}

const openSocket = (
  filter: string,
  sets: Record<string, FilterSet>,
  options: Pick<OpenOptions, 'mode'> = {},
): Promise<SocketHandle> =>
  open(filter, {
    layer: 'socket',
    namespace: net.a.path,
    dialect: 'extended',
    sets,
    // Events are read at the end.
    queueTimeMs: 16_000,
    ...options,
  });

async function rest<Event>(handle: {
  shutdown(what: 'receive'): void;
  close(): Promise<void>;
  [Symbol.asyncIterator](): AsyncIterator<Event>;
}): Promise<Event[]> {
  handle.shutdown('receive');
  const events: Event[] = [];
  for await (const event of handle) events.push(event);
  await handle.close();
  return events;
}

const remotes = (events: readonly (SocketEvent | FlowEvent)[]): string[] =>
  events.map(({ remoteAddress }) => remoteAddress);

describe.each(['divert', 'drop'] as const)('connects blocked by a set, %s', (mode) => {
  test('100,000 addresses and prefixes, while members come and go', async () => {
    const blocked = new FilterSet([...ADDRESSES, '127.64.0.0/12', '::1', '::ffff:127.99.0.0/112']);
    const handle = await openSocket(
      'event == CONNECT and remoteAddr in @blocked',
      { blocked },
      { mode },
    );
    const refused: string[] = [];
    const expectBlocked = async (address: string, isBlocked: boolean, type: Type = 'tcp') => {
      if (isBlocked) refused.push(address);
      expect([address, await connect(address, type)]).toEqual([
        address,
        isBlocked ? 'EPERM' : undefined,
      ]);
    };
    for (let index = 0; index < ADDRESSES.length; index += 9973) {
      await expectBlocked(ADDRESSES[index] ?? '', true, index % 2 ? 'udp' : 'tcp');
    }
    await expectBlocked('127.17.134.160', false);
    await expectBlocked('127.79.255.255', true);
    await expectBlocked('127.80.0.0', false);
    await expectBlocked('127.99.7.7', true, 'udp');
    await expectBlocked('::1', true);
    blocked.delete('127.16.0.0');
    blocked.delete('127.64.0.0/12');
    blocked.add('127.0.0.9');
    await expectBlocked('127.16.0.0', false);
    await expectBlocked('127.16.0.1', true);
    await expectBlocked('127.79.255.255', false, 'udp');
    await expectBlocked('127.0.0.9', true);
    blocked.replace(['127.128.0.0/9']);
    await expectBlocked('127.0.0.9', false);
    await expectBlocked('::1', false, 'udp');
    await expectBlocked('127.200.0.1', true);
    await handle.setFilter(
      'event == CONNECT and not (remoteAddr in @blocked) and remotePort == 7604',
    );
    await expectBlocked('127.200.0.1', false);
    await expectBlocked('127.0.0.1', true);
    blocked.add('127.0.0.0/24');
    await expectBlocked('127.0.0.1', false);
    await expectBlocked('::1', false);
    expect(handle.stats()).toMatchObject({ matched: refused.length, passed: 0 });
    if (mode === 'drop') await handle.close();
    else expect(remotes(await rest(handle))).toEqual(refused);
    expect(await connect('127.1.1.1')).toBeUndefined();
  });
});

/** Connects to each address in turn for two seconds and counts what came of it. */
const CONNECTS = `
import collections, json, socket, sys, time
counts = collections.Counter()
end = time.monotonic() + 2
while time.monotonic() < end:
  for address in sys.argv[1:]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
      counts[f'{address} {s.connect_ex((address, 9))}'] += 1
print(json.dumps(counts))
`;

test('members that stay are blocked all the time, others never, while 100,000 change around them', async () => {
  const members = [...ADDRESSES, '127.200.0.0/16'];
  const others = ['127.16.0.0', '127.200.0.0/16', '127.201.0.0/16'];
  const blocked = new FilterSet(members);
  const handle = await openSocket(
    'event == CONNECT and remoteAddr in @blocked',
    { blocked },
    { mode: 'drop' },
  );
  const connecting = net.a.exec('python3', [
    '-c',
    CONNECTS,
    '127.16.0.0',
    '127.200.9.9',
    '127.0.0.1',
  ]);
  let isDone = false;
  const counted = connecting.finally(() => {
    isDone = true;
  });
  for (let round = 0; !isDone; round++) {
    blocked.replace(round % 2 === 0 ? others : members);
    for (let index = 0; index < 2000; index++) blocked.add(`127.100.${index >> 8}.${index & 255}`);
    if (round % 3 === 0) await handle.setFilter('remoteAddr in @blocked and event == CONNECT');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const counts: Record<string, number> = JSON.parse((await counted).stdout);
  await handle.close();
  expect(Object.keys(counts).sort()).toEqual(['127.0.0.1 0', '127.16.0.0 1', '127.200.9.9 1']);
});

describe('other events', () => {
  test('accept: a peer in the set meets nobody', async () => {
    const peers = new FilterSet(['127.0.0.0/8']);
    const handle = await openSocket('event == ACCEPT and remoteAddr in @peers', { peers });
    expect(await connect('127.0.0.1')).toBe('ECONNREFUSED');
    peers.clear();
    expect(await connect('127.0.0.1')).toBeUndefined();
    peers.add('127.0.0.1');
    expect(await connect('127.0.0.1')).toBe('ECONNREFUSED');
    expect(remotes(await rest(handle))).toEqual(['127.0.0.1', '127.0.0.1']);
  });

  test.each(['tcp', 'udp'] as const)('bind: %s ports in a set are taken', async (type) => {
    const ports = new FilterSet(Array.from({ length: 1000 }, (_, index) => 20_000 + 2 * index));
    const handle = await openSocket('event in @events and localPort in @ports', {
      ports,
      events: new FilterSet([3]),
    });
    const bind = async (port: number) => {
      const [, result] = await caller.calls(
        { do: 'socket', as: 'b', family: 4, type },
        { do: 'bind', on: 'b', to: ['127.0.0.1', port] },
        { do: 'close', on: 'b' },
      );
      return result?.error;
    };
    expect([await bind(20_001), await bind(20_002)]).toEqual([undefined, 'EPERM']);
    ports.delete(20_002);
    expect([await bind(20_002), await bind(21_998)]).toEqual([undefined, 'EPERM']);
    expect((await rest(handle)).map(({ localPort }) => localPort)).toEqual([20_002, 21_998]);
  });

  test('datagrams without a connection', async () => {
    const blocked = new FilterSet(['127.5.0.0/16']);
    const handle = await openSocket('event == CONNECT and udp and remoteAddr in @blocked', {
      blocked,
    });
    const send = async (address: string) =>
      (await caller.call({ do: 'sendto', on: 'd', to: [address, PORT + 4] })).error;
    await caller.call({ do: 'socket', as: 'd', family: 4, type: 'udp' });
    expect([await send('127.5.0.1'), await send('127.6.0.1')]).toEqual(['EPERM', undefined]);
    expect(await send('127.5.0.1')).toBe('EPERM');
    blocked.clear();
    expect([await send('127.5.0.1'), await send('127.5.0.2')]).toEqual([undefined, undefined]);
    await caller.call({ do: 'close', on: 'd' });
    expect(remotes(await rest(handle))).toEqual(['127.5.0.1']);
  });

  test('processes and users: more names than a program compares one by one', async () => {
    const names = Array.from({ length: 200 }, (_, index) => `"name${index}"`);
    const filter = (name: string) =>
      `event == CONNECT and processName in { ${[...names, name].join(', ')} } and userId in @users`;
    const users = new FilterSet([0]);
    const handle = await openSocket(filter('"python3"'), { users });
    expect(await connect('127.0.0.1')).toBe('EPERM');
    users.delete(0);
    expect(await connect('127.0.0.1')).toBeUndefined();
    users.add(0);
    await handle.setFilter(filter('"other"'));
    expect(await connect('127.0.0.1')).toBeUndefined();
    await handle.close();
  });

  test('sniff: nothing comes to this process that does not match', async () => {
    const watched = new FilterSet([...ADDRESSES, '127.32.0.0/16']);
    const handle = await openSocket(
      'event == CONNECT and tcp and remoteAddr in @watched',
      { watched },
      { mode: 'sniff' },
    );
    for (const address of ['127.0.0.1', '127.16.5.5', '127.32.9.9']) await connect(address);
    watched.replace(['127.0.0.1']);
    for (const address of ['127.0.0.1', '127.16.5.5', '127.32.9.9']) await connect(address);
    expect(handle.stats().passed).toBe(0);
    expect(remotes(await rest(handle))).toEqual(['127.16.5.5', '127.32.9.9', '127.0.0.1']);
  });
});

test.each(['tcp', 'udp'] as const)('flows of addresses in a set, %s', async (type) => {
  const watched = new FilterSet([...ADDRESSES, '127.32.0.0/16']);
  const filter = 'outbound and event == ESTABLISHED and remoteAddr in @watched';
  const handle = await open(`${filter} and remotePort == 7604`, {
    layer: 'flow',
    namespace: net.a.path,
    dialect: 'extended',
    sets: { watched },
  });
  const talk = async (address: string) => {
    await caller.calls(
      { do: 'socket', as: 'f', family: 4, type },
      { do: 'connect', on: 'f', to: [address, PORT + 4] },
      { do: 'send', on: 'f' },
      { do: 'close', on: 'f' },
    );
  };
  for (const address of ['127.0.0.1', '127.16.5.5', '127.32.9.9']) await talk(address);
  watched.replace(['127.0.0.1']);
  for (const address of ['127.0.0.1', '127.16.5.5']) await talk(address);
  await handle.setFilter(`${filter.replace('in @', 'not in @')} and remotePort == 7604`);
  for (const address of ['127.0.0.1', '127.16.5.5']) await talk(address);
  expect(handle.stats().passed).toBe(0);
  expect(remotes(await rest(handle))).toEqual([
    '127.16.5.5',
    '127.32.9.9',
    '127.0.0.1',
    '127.16.5.5',
  ]);
});

describe('the verifier takes', () => {
  const fields = ['remoteAddr', 'localAddr', 'remotePort', 'endpointId', 'processId', 'userId'];
  const lookups = (operator: string, joined: string): string =>
    Array.from({ length: 60 }, (_, at) => `${fields[at % 6]} ${operator} @set`).join(joined);
  const ports = Array.from({ length: 600 }, (_, at) => at * 3).join(', ');
  const names = Array.from({ length: 100 }, (_, at) => `"p${at}"`).join(', ');

  test.each<readonly [string, string]>([
    ['60 lookups', lookups('in', ' or ')],
    ['60 lookups that all have to fail', lookups('not in', ' and ')],
    ['large sets', `remotePort in { ${ports} } or processName in { ${names} } and userId in @set`],
  ])('%s', async (_, filter) => {
    const set = new FilterSet([1]);
    for (const mode of ['divert', 'sniff'] as const) {
      const handle = await openSocket(filter, { set }, { mode });
      await handle.close();
    }
    const options = { layer: 'flow', namespace: net.a.path, dialect: 'extended' } as const;
    const handle = await open(filter, { ...options, sets: { set } });
    await handle.close();
  });
});

test('nothing stays open', async () => {
  const blocked = new FilterSet(['127.0.0.1', '127.5.0.0/16']);
  const descriptors = countDescriptors();
  const own = () => [mapsOf(process.pid).length, programsOf(process.pid).length];
  for (const mode of ['divert', 'sniff'] as const) {
    const handle = await openSocket('remoteAddr in @blocked', { blocked }, { mode });
    for (let index = 0; index < 3; index++) await handle.setFilter('not (remoteAddr in @blocked)');
    await handle.close();
  }
  blocked.add('127.0.0.2');
  // The kernel frees what programs had after a grace period.
  await expect.poll(own, { timeout: 5000 }).toEqual([0, 0]);
  expect(countDescriptors()).toBe(descriptors);
});
