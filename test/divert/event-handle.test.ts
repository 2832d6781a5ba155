import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  FlowHandle,
  type Handle,
  type OpenOptions,
  open,
  ReflectHandle,
  SocketHandle,
} from '../../src/index.ts';
import { FakeEvents, flowEvent, reflectEvent, socketEvent } from '../helpers/fake-events.ts';
import { FakeKernel } from '../helpers/fake-kernel.ts';

let backend: FakeEvents;
const handles: Handle[] = [];

beforeEach(() => {
  backend = new FakeEvents();
});

afterEach(async () => {
  for (const handle of handles.splice(0)) await handle.close();
});

const code = (name: string) => expect.objectContaining({ code: name });

async function openFlow(options: OpenOptions = {}) {
  const handle = await open('tcp', { ...options, layer: 'flow', backend });
  handles.push(handle);
  const channel = backend.channels.at(-1);
  if (!channel) throw new Error('no channel was opened');
  return { handle, channel };
}

describe('the layer decides the type', () => {
  test.each([
    ['flow', FlowHandle, flowEvent()],
    ['socket', SocketHandle, socketEvent()],
    ['reflect', ReflectHandle, reflectEvent()],
  ] as const)('%s', async (layer, type, event) => {
    const handle: Handle = await open('true', { layer, backend } as OpenOptions);
    handles.push(handle);
    expect(handle).toBeInstanceOf(type);
    backend.channels.at(-1)?.report(event);
    expect(await handle.receive()).toEqual(event);
  });

  test('a backend that has packets only says so', async () => {
    const opening = open('true', { layer: 'flow', backend: new FakeKernel() });
    await expect(opening).rejects.toEqual(code('unsupported'));
  });
});

describe('receiving', () => {
  test('waits, and gives events in order', async () => {
    const { handle, channel } = await openFlow();
    const waiting = handle.receive();
    channel.report(flowEvent({ localPort: 1 }), flowEvent({ localPort: 2 }));
    expect([await waiting, await handle.receive()]).toMatchObject([
      { localPort: 1 },
      { localPort: 2 },
    ]);
  });

  test('a loop ends with close, and what was queued is lost by closing alone', async () => {
    const { handle, channel } = await openFlow();
    channel.report(flowEvent(), flowEvent());
    let seen = 0;
    for await (const event of handle) {
      expect(event.event).toBe('established');
      if (++seen === 2) await handle.close();
    }
    expect(seen).toBe(2);
    expect(channel).toMatchObject({ isDetached: true, isClosed: true });
  });

  test('shutdown: what is queued can still be received, then null', async () => {
    const { handle, channel } = await openFlow();
    channel.report(flowEvent());
    handle.shutdown('receive');
    expect(channel).toMatchObject({ isDetached: true, isClosed: false });
    expect(await handle.receive()).toMatchObject({ event: 'established' });
    expect(await handle.receive()).toBeNull();
  });

  test('a signal ends one receive, or the handle', async () => {
    const closing = new AbortController();
    const { handle, channel } = await openFlow({ signal: closing.signal });
    const one = new AbortController();
    const first = handle.receive({ signal: one.signal });
    one.abort();
    expect(await first).toBeNull();
    const second = handle.receive();
    closing.abort();
    expect(await second).toBeNull();
    await handle.close();
    expect(channel.isClosed).toBe(true);
  });

  test('a channel that breaks closes the handle with its reason', async () => {
    const { handle, channel } = await openFlow();
    const waiting = handle.receive();
    channel.fail(new Error('the ring is gone'));
    await expect(waiting).rejects.toThrow('the ring is gone');
    expect(channel.isClosed).toBe(true);
  });
});

describe('limits and counters', () => {
  test('a full queue loses the oldest; everything is accounted for', async () => {
    const { handle, channel } = await openFlow({ queueLength: 32 });
    for (let port = 1; port <= 40; port++) channel.report(flowEvent({ localPort: port }));
    channel.counts.ringFull = 3;
    channel.counts.tableFull = 2;
    expect(await handle.receive()).toMatchObject({ localPort: 9 });
    const { received, delivered, queued, lost } = handle.stats();
    expect({ received, delivered, queued }).toEqual({ received: 45, delivered: 1, queued: 31 });
    expect(lost).toEqual({ queueFull: 8, expired: 0, ringFull: 3, tableFull: 2, total: 13 });
  });

  test('what waits too long is lost', async () => {
    const { handle, channel } = await openFlow({ queueTimeMs: 100 });
    channel.report(flowEvent());
    await new Promise((resolve) => setTimeout(resolve, 150));
    channel.report(flowEvent({ localPort: 2 }));
    expect(await handle.receive()).toMatchObject({ localPort: 2 });
    expect(handle.stats().lost).toMatchObject({ expired: 1, total: 1 });
  });

  test('parameters', async () => {
    const { handle } = await openFlow({ queueLength: 100 });
    expect(handle.getParam('queueLength')).toBe(100);
    handle.setParam('queueTimeMs', 500);
    expect(handle.getParam('queueTimeMs')).toBe(500);
    expect(handle.getParam('versionMajor')).toBe(2);
    expect(() => handle.setParam('queueLength', 1)).toThrow(code('invalid-parameter'));
    expect(() => handle.setParam('versionMinor', 1)).toThrow(code('invalid-parameter'));
  });

  test('the filter is swapped for another of the same layer', async () => {
    const { handle, channel } = await openFlow();
    await handle.setFilter('udp');
    expect(channel.filter.source).toBe('udp');
    await expect(handle.setFilter('tcp.DstPort == 80')).rejects.toEqual(
      code('bad-token-for-layer'),
    );
  });
});

describe('options', () => {
  test.each<[string, OpenOptions, object]>([
    ['flow', { layer: 'flow' }, { mode: 'sniff', flowTimeoutMs: 60_000, priority: 0 }],
    ['flow, as WinDivert', { layer: 'flow', mode: 'sniff', access: 'receive' }, { mode: 'sniff' }],
    ['socket blocks', { layer: 'socket' }, { mode: 'divert', blockErrno: 1 }],
    ['socket, drop', { layer: 'socket', mode: 'drop' }, { mode: 'drop' }],
    ['a chosen error', { layer: 'socket', blockError: 'ECONNREFUSED' }, { blockErrno: 111 }],
    ['flow timeout', { layer: 'flow', flowTimeoutMs: 250 }, { flowTimeoutMs: 250 }],
    ['packet options that are off', { layer: 'reflect', fragments: false }, { mode: 'sniff' }],
  ])('%s', async (_, options, expected) => {
    handles.push(await open('true', { ...options, backend }));
    expect(backend.channels.at(-1)?.options).toMatchObject(expected);
  });

  test.each<[string, OpenOptions]>([
    ['flow cannot divert', { layer: 'flow', mode: 'divert' }],
    ['reflect cannot drop', { layer: 'reflect', mode: 'drop' }],
    ['nothing is sent', { layer: 'socket', access: 'send' }],
    ['nothing is sent, either', { layer: 'flow', access: 'both' }],
    ['no such error', { layer: 'socket', blockError: 'EWHAT' }],
    ['blockError elsewhere', { layer: 'flow', blockError: 'EPERM' }],
    ['flowTimeoutMs elsewhere', { layer: 'socket', flowTimeoutMs: 1000 }],
    ['flowTimeoutMs out of range', { layer: 'flow', flowTimeoutMs: 1 }],
    ['packet options', { layer: 'flow', largePackets: true }],
    ['priority out of range', { layer: 'flow', priority: 40_000 }],
    ['no such layer', { layer: 'wire' as never }],
  ])('refused: %s', async (_, options) => {
    await expect(open('true', { ...options, backend })).rejects.toEqual(code('invalid-parameter'));
    expect(backend.channels).toEqual([]);
  });

  test("a handle with mode 'drop' receives nothing", async () => {
    const handle = await open('true', { layer: 'socket', mode: 'drop', backend });
    handles.push(handle);
    await expect(handle.receive()).rejects.toEqual(code('invalid-parameter'));
  });
});
