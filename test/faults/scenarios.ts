/**
 * What people do with handles, short: each opens, uses and closes, and says when traffic did not do what
 * it should have done.
 *
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  FilterSet,
  type Handle,
  listHandles,
  type NetworkHandle,
  type NetworkOpenOptions,
  open,
} from '../../src/index.ts';
import { datagram } from '../helpers/datagram.ts';
import type { Network } from '../helpers/namespaces.ts';
import { real } from './seam.ts';
import { PORT, udpSocket, type Wire } from './wire.ts';

/** Where a scenario plays. */
export interface Stage {
  readonly network: Network;
  readonly wire: Wire;
}

export interface Scenario {
  readonly name: string;
  /** Throws what the package throws; {@link Unmet} when it did not say that something went wrong. */
  run(stage: Stage): Promise<void>;
}

/** Something did not come about, and nobody said so. */
export class Unmet extends Error {}

const FILTER = `udp.DstPort == ${PORT.b} or udp.SrcPort == ${PORT.b}`;
/** Only what does not come at all takes so long. */
const WAIT_MS = 5000;

async function waitFor(what: string, isDone: () => boolean): Promise<void> {
  const endMs = performance.now() + WAIT_MS;
  while (!isDone()) {
    if (performance.now() > endMs) throw new Unmet(what);
    await sleep(2);
  }
}

/** Runs `use` beside a reader, and closes; the first error of the three counts. */
async function withReader<H extends Handle>(
  handle: H,
  onItem: (item: H extends AsyncIterable<infer I> ? I : never) => void,
  use: (failed: () => void) => Promise<void>,
): Promise<void> {
  let failure: unknown;
  const reading = (async () => {
    for await (const item of handle) onItem(item as never);
  })().catch((error: unknown) => {
    failure = error;
  });
  /** To be asked while waiting: a reader that ended explains what did not come. */
  const failed = (): void => {
    if (failure !== undefined) throw failure;
  };
  try {
    await use(failed);
  } finally {
    await handle.close();
    await reading;
  }
  failed();
}

/** Beside a reader that counts; `reach` waits until that many events came. */
async function withCounter(
  handle: Handle,
  use: (reach: (count: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  let events = 0;
  const count = (): void => {
    events++;
  };
  await withReader(handle, count, (failed) =>
    use((wanted) =>
      waitFor(`${wanted} events`, () => {
        failed();
        return events >= wanted;
      }),
    ),
  );
}

async function openNetwork(
  { network }: Stage,
  options: NetworkOpenOptions = {},
  filter: string = FILTER,
): Promise<NetworkHandle> {
  return open(filter, { ...options, namespace: network.b.path });
}

/** Datagrams both ways through a handle that sends them on; the filter is swapped in between. */
function passing(options: NetworkOpenOptions): Scenario['run'] {
  return async (stage) => {
    const { wire } = stage;
    wire.take('a');
    wire.take('b');
    const handle = await openNetwork(stage, options);
    const onPacket = (packet: Parameters<NetworkHandle['drop']>[0]): void => {
      if (options.mode !== 'sniff') handle.send(packet);
    };
    await withReader(handle, onPacket, async (failed) => {
      let arrived = 0;
      const reach = (count: number): Promise<void> =>
        waitFor(`${count} datagrams`, () => {
          failed();
          arrived += wire.take('a') + wire.take('b');
          return arrived >= count && handle.stats().received >= count;
        });
      wire.send('a', 3);
      await reach(3);
      await handle.setFilter(`(${FILTER}) and ip.TTL > 0`);
      wire.send('a', 2);
      wire.send('b', 2);
      await reach(7);
    });
  };
}

async function dropping(stage: Stage): Promise<void> {
  const { wire } = stage;
  wire.take('b');
  const handle = await openNetwork(stage, { mode: 'drop' });
  try {
    wire.send('a', 3);
    await waitFor('3 dropped', () => handle.stats().dropped >= 3);
    if (wire.take('b') > 0) throw new Unmet('a datagram came through');
    handle.setParam('queueLength', 100);
  } finally {
    await handle.close();
  }
  wire.send('a', 1);
  await waitFor('traffic afterwards', () => wire.take('b') === 1);
}

async function withSets(stage: Stage): Promise<void> {
  const { wire, network } = stage;
  wire.take('b');
  const known = new FilterSet(['192.0.2.0/24']);
  const handle = await open(`udp.DstPort == ${PORT.b} and ip.SrcAddr in @known`, {
    dialect: 'extended',
    sets: { known },
    namespace: network.b.path,
  });
  const onPacket = (packet: Parameters<NetworkHandle['drop']>[0]): void => handle.send(packet);
  await withReader(handle, onPacket, async (failed) => {
    let arrived = 0;
    known.add(network.a.ipv4);
    wire.send('a', 2);
    await waitFor('2 datagrams of a member', () => {
      failed();
      arrived += wire.take('b');
      return arrived >= 2 && handle.stats().received >= 2;
    });
    known.replace(['198.51.100.1', '203.0.113.0/24', `${network.a.ipv4}/32`]);
    known.delete('198.51.100.1');
    wire.send('a', 2);
    await waitFor('2 datagrams of a prefix', () => {
      failed();
      arrived += wire.take('b');
      return arrived >= 4 && handle.stats().received >= 4;
    });
    await handle.setFilter(`udp.DstPort == ${PORT.b}`);
  });
}

/** New packets out, in, in with more bytes than a frame has for a program, and in on lo. */
async function injecting(stage: Stage): Promise<void> {
  const { network, wire } = stage;
  const { a, b } = network;
  wire.take('a');
  wire.take('b');
  const handle = await openNetwork(stage, { access: 'send' });
  const send = (from: 'a' | 'b', payload: number, outbound: boolean): void => {
    const ends = from === 'a' ? ([a, b] as const) : ([b, a] as const);
    const ports = from === 'a' ? [PORT.a, PORT.b] : [PORT.b, PORT.a];
    const bytes = datagram('ipv4', {
      from: ends[0].ipv4,
      to: ends[1].ipv4,
      sourcePort: ports[0] ?? 0,
      port: ports[1] ?? 0,
      payload,
    });
    handle.send(bytes, { outbound, interfaceIndex: outbound ? 0 : b.interfaceIndex });
  };
  try {
    send('b', 20, true);
    send('a', 20, false);
    send('a', 5000, false);
    await handle.flush();
    let arrived = 0;
    await waitFor('3 new datagrams', () => {
      arrived += wire.take('a') + wire.take('b');
      return arrived >= 3;
    });
  } finally {
    await handle.close();
  }
}

let nextPort = 20_000;
/** A new flow of this process in `b`. */
function makeFlow({ network: { a, b } }: Stage): void {
  nextPort = nextPort === 29_999 ? 20_000 : nextPort + 1;
  const fd = udpSocket(b, [b.ipv4, nextPort], [a.ipv4, PORT.a]);
  real.send(fd, new Uint8Array(8), 8, 0);
  real.close(fd);
}

async function watchingFlows(stage: Stage): Promise<void> {
  const handle = await open('udp and processId > 0', {
    layer: 'flow',
    namespace: stage.network.b.path,
  });
  await withCounter(handle, async (reach) => {
    makeFlow(stage);
    await reach(2);
    await handle.setFilter('udp');
    makeFlow(stage);
    await reach(4);
  });
}

const BIND_FILTER = 'event == BIND and localPort == 7001';

/** Binds the socket of {@link BIND_FILTER}, which is to fail, or to succeed. */
function tryBind({ network: { b } }: Stage, isBlocked: boolean): void {
  let isBound = true;
  try {
    real.close(udpSocket(b, [b.ipv4, 7001]));
  } catch {
    isBound = false;
  }
  if (isBound === isBlocked) throw new Unmet(`bind ${isBound ? 'succeeded' : 'failed'}`);
}

function watchingSockets(mode: 'sniff' | 'divert'): Scenario['run'] {
  return async (stage) => {
    const namespace = stage.network.b.path;
    const handle = await open(BIND_FILTER, { mode, layer: 'socket', namespace });
    await withCounter(handle, async (reach) => {
      tryBind(stage, mode === 'divert');
      await reach(1);
    });
  };
}

/** A handle that blocks and tells nobody: there is nothing to read. */
async function droppingSockets(stage: Stage): Promise<void> {
  const namespace = stage.network.b.path;
  const handle = await open(BIND_FILTER, { mode: 'drop', layer: 'socket', namespace });
  try {
    tryBind(stage, true);
  } finally {
    await handle.close();
  }
}

async function reflecting(stage: Stage): Promise<void> {
  // Handles of the whole machine are seen.
  const priority = 19_000 + (process.pid % 1000);
  const handle = await open(`priority == ${priority}`, { layer: 'reflect' });
  await withCounter(handle, async (reach) => {
    await handle.setFilter(`priority == ${priority} and layer == NETWORK`);
    const other = await openNetwork(stage, { priority });
    // A handle that could not be registered works all the same, but nobody is told of it.
    let isKnown = false;
    try {
      isKnown = (await listHandles()).some((handle) => handle.priority === priority);
    } finally {
      await other.close();
    }
    // Opened and closed.
    if (isKnown) await reach(2);
  });
}

/** All of them. */
export const SCENARIOS: readonly Scenario[] = [
  { name: 'divert', run: passing({}) },
  { name: 'divert, fragments', run: passing({ fragments: true }) },
  { name: 'divert, pass on overload', run: passing({ onOverload: 'pass' }) },
  { name: 'divert, large packets', run: passing({ largePackets: true }) },
  { name: 'divert, attribution', run: passing({ attribution: true }) },
  { name: 'sniff', run: passing({ mode: 'sniff' }) },
  { name: 'sniff, attribution', run: passing({ mode: 'sniff', attribution: true }) },
  { name: 'drop', run: dropping },
  { name: 'sets', run: withSets },
  { name: 'inject', run: injecting },
  { name: 'flow', run: watchingFlows },
  { name: 'socket, sniff', run: watchingSockets('sniff') },
  { name: 'socket, block', run: watchingSockets('divert') },
  { name: 'socket, drop', run: droppingSockets },
  { name: 'reflect', run: reflecting },
];
