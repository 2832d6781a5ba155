/**
 * The socket layer blocking: what the program sees, and what is reported.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { open, type SocketEvent, type SocketHandle } from '../../src/index.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { type CallResult, type SocketCaller, startCaller } from '../helpers/socket-caller.ts';

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

/** What a closed handle had left to say, shortest form. */
async function rest(handle: SocketHandle): Promise<SocketEvent[]> {
  handle.shutdown('receive');
  const events: SocketEvent[] = [];
  for await (const event of handle) events.push(event);
  await handle.close();
  return events;
}

const ROWS = [
  { name: 'IPv4', family: 4, host: '127.0.0.1', any: '0.0.0.0' },
  { name: 'IPv6', family: 6, host: '::1', any: '::' },
  { name: 'IPv4 of an IPv6 socket', family: 6, host: '::ffff:127.0.0.1', any: '::' },
] as const;
const TYPES = ['tcp', 'udp'] as const;
const CASES = ROWS.flatMap((row) =>
  TYPES.map((type) => ({ ...row, type, title: `${row.name} ${type}` })),
);

async function using(action: (caller: SocketCaller) => Promise<void>): Promise<void> {
  await using caller = await startCaller(net.a);
  await action(caller);
}

const openBlocking = (
  filter: string,
  options: { blockError?: string; mode?: 'divert' | 'drop' } = {},
): Promise<SocketHandle> => open(filter, { layer: 'socket', namespace: net.a.path, ...options });

const port = (result: CallResult | undefined): number => result?.local?.[1] ?? 0;

describe.each(CASES)('$title', ({ family, host, any, type }) => {
  test.each(['EPERM', 'EADDRINUSE', 'EACCES'])(
    'bind fails with %s; the port stays free',
    (blockError) =>
      using(async (caller) => {
        const handle = await openBlocking(`event == BIND and localPort == 7001`, { blockError });
        const [, bound, other] = await caller.calls(
          { do: 'socket', as: 's', family, type },
          { do: 'bind', on: 's', to: [any, 7001] },
          { do: 'bind', on: 's', to: [any, 7002] },
        );
        expect(bound?.error).toBe(blockError);
        expect(port(other)).toBe(7002);
        const events = await rest(handle);
        expect(events).toMatchObject([
          { event: 'bind', localPort: 7001, processId: caller.pid, sniffed: false },
        ]);
        const [, free] = await caller.calls(
          { do: 'socket', as: 't', family, type },
          { do: 'bind', on: 't', to: [any, 7001] },
        );
        expect(free?.error).toBeUndefined();
      }),
  );

  test.each(['EPERM', 'ECONNREFUSED', 'ENETUNREACH'])('connect fails with %s', (blockError) =>
    using(async (caller) => {
      const [, server] = await caller.calls(
        { do: 'socket', as: 's', family, type },
        { do: 'bind', on: 's', to: [any, 0] },
      );
      if (type === 'tcp') await caller.call({ do: 'listen', on: 's' });
      const to = [host, port(server)];
      const handle = await openBlocking(`event == CONNECT and remotePort == ${to[1]}`, {
        blockError,
      });
      const [, refused] = await caller.calls(
        { do: 'socket', as: 'c', family, type },
        { do: 'connect', on: 'c', to },
      );
      expect(refused?.error).toBe(blockError);
      expect(await rest(handle)).toMatchObject([
        {
          event: 'connect',
          remotePort: to[1],
          processId: caller.pid,
          sniffed: false,
          outbound: true,
        },
      ]);
      expect((await caller.call({ do: 'connect', on: 'c', to })).error).toBeUndefined();
    }),
  );

  test('accept is refused at the peer, every time; others get in', () =>
    using(async (caller) => {
      await using peer = await startCaller(net.a);
      const handle = await openBlocking('event == ACCEPT and localPort == 7010');
      const [, , listener] = await caller.calls(
        { do: 'socket', as: 's', family, type, reuse: true },
        { do: 'bind', on: 's', to: [any, 7010] },
        ...(type === 'tcp'
          ? [{ do: 'listen', on: 's' }]
          : [{ do: 'socket', as: 'x', family, type }]),
        { do: 'socket', as: 'o', family, type, reuse: true },
        { do: 'bind', on: 'o', to: [any, 7011] },
        ...(type === 'tcp' ? [{ do: 'listen', on: 'o' }] : []),
      );
      const to = [host, 7010];
      await peer.call({ do: 'socket', as: 'c', family, type });
      const first = await peer.call({ do: 'connect', on: 'c', to });
      if (type === 'tcp') {
        expect(first.error).toBe('ECONNREFUSED');
      } else {
        await peer.call({ do: 'send', on: 'c' });
        expect((await peer.call({ do: 'recvfrom', on: 'c' })).error).toBe('ECONNREFUSED');
      }
      await peer.call({ do: 'socket', as: 'd', family, type });
      expect((await peer.call({ do: 'connect', on: 'd', to: [host, 7011] })).error).toBeUndefined();
      if (type === 'udp') {
        await peer.call({ do: 'send', on: 'd' });
        expect((await caller.call({ do: 'recvfrom', on: 'o' })).error).toBeUndefined();
      } else {
        expect((await caller.call({ do: 'accept', on: 'o', as: 'a' })).error).toBeUndefined();
      }
      const events = await rest(handle);
      expect(events.length).toBe(1);
      const [event] = events;
      expect(event).toMatchObject({ event: 'accept', localPort: 7010, processId: caller.pid });
      expect(event).toMatchObject({ sniffed: false, outbound: false, loopback: true });
      const owner = type === 'tcp' ? event?.parentEndpointId : event?.endpointId;
      if (type === 'tcp') expect(String(owner)).toBe(listener?.cookie);
      await peer.call({ do: 'socket', as: 'e', family, type });
      expect((await peer.call({ do: 'connect', on: 'e', to })).error).toBeUndefined();
    }));
});

describe.each(ROWS)('$name', ({ family, host, any }) => {
  test('a refused listener is gone, and nobody gets in', () =>
    using(async (caller) => {
      await using peer = await startCaller(net.a);
      const handle = await openBlocking('event == LISTEN and localPort == 7020');
      const [, , listened] = await caller.calls(
        { do: 'socket', as: 's', family, type: 'tcp' },
        { do: 'bind', on: 's', to: [any, 7020] },
        { do: 'listen', on: 's' },
      );
      const [, refused] = await peer.calls(
        { do: 'socket', as: 'c', family, type: 'tcp' },
        { do: 'connect', on: 'c', to: [host, 7020] },
      );
      expect(refused?.error).toBe('ECONNREFUSED');
      const accepted = await caller.call({ do: 'accept', on: 's', as: 'a' });
      expect(['EINVAL', 'ECONNABORTED']).toContain(accepted.error);
      expect(await rest(handle)).toMatchObject([
        {
          event: 'listen',
          localPort: 7020,
          endpointId: BigInt(listened?.cookie ?? 0),
          sniffed: false,
        },
      ]);
      const [, , bound, again] = await caller.calls(
        { do: 'close', on: 's' },
        { do: 'socket', as: 't', family, type: 'tcp' },
        { do: 'bind', on: 't', to: [any, 7020] },
        { do: 'listen', on: 't' },
      );
      expect([bound?.error, again?.error]).toEqual([undefined, undefined]);
      expect(
        (
          await peer.calls(
            { do: 'socket', as: 'd', family, type: 'tcp' },
            { do: 'connect', on: 'd', to: [host, 7020] },
          )
        )[1]?.error,
      ).toBeUndefined();
    }));

  test('of listeners that share a port only the refused one is gone', () =>
    using(async (caller) => {
      await using refused = await startCaller(net.a);
      const listen = [
        { do: 'socket', as: 's', family, type: 'tcp', shared: true },
        { do: 'bind', on: 's', to: [any, 7025] },
        { do: 'listen', on: 's' },
      ];
      await caller.calls(...listen);
      const handle = await openBlocking(`event == LISTEN and processId == ${refused.pid}`);
      await refused.calls(...listen);
      expect((await refused.call({ do: 'accept', on: 's', as: 'a' })).error).toBe('EINVAL');
      for (let index = 0; index < 10; index++) {
        const [, connected, accepted] = await caller.calls(
          { do: 'socket', as: 'c', family, type: 'tcp' },
          { do: 'connect', on: 'c', to: [host, 7025] },
          { do: 'accept', on: 's', as: 'a' },
        );
        expect([connected?.error, accepted?.error]).toEqual([undefined, undefined]);
      }
      expect(await rest(handle)).toMatchObject([{ event: 'listen', processId: refused.pid }]);
    }));

  test('sends without a connection fail every time and are reported once', () =>
    using(async (caller) => {
      const handle = await openBlocking('event == CONNECT and remotePort == 7030', {
        blockError: 'EACCES',
      });
      const results = await caller.calls(
        { do: 'socket', as: 'c', family, type: 'udp' },
        { do: 'sendto', on: 'c', to: [host, 7030] },
        { do: 'sendto', on: 'c', to: [host, 7030] },
        { do: 'sendto', on: 'c', to: [host, 7031] },
        { do: 'sendto', on: 'c', to: [host, 7030] },
      );
      expect(results.map(({ error }) => error)).toEqual([
        undefined,
        'EACCES',
        'EACCES',
        undefined,
        'EACCES',
      ]);
      expect(await rest(handle)).toMatchObject([
        { event: 'connect', remotePort: 7030, protocol: 17 },
      ]);
    }));
});

test('answers get through to a client that blocks all that comes in', () =>
  using(async (caller) => {
    const handle = await openBlocking(`event == ACCEPT and processId == ${caller.pid}`);
    await using server = await startCaller(net.b);
    await server.calls(
      { do: 'socket', as: 's', family: 4, type: 'udp' },
      { do: 'bind', on: 's', to: ['0.0.0.0', 53] },
    );
    await caller.calls(
      { do: 'socket', as: 'c', family: 4, type: 'udp' },
      { do: 'sendto', on: 'c', to: [net.b.ipv4, 53] },
    );
    const { peer } = await server.call({ do: 'recvfrom', on: 's' });
    await server.call({ do: 'sendto', on: 's', to: peer });
    expect((await caller.call({ do: 'recvfrom', on: 'c' })).length).toBe(4);
    expect(await rest(handle)).toEqual([]);
  }));

test("mode 'drop' blocks and says nothing", () =>
  using(async (caller) => {
    const handle = await openBlocking('event == CONNECT or event == LISTEN', { mode: 'drop' });
    const [, refused, listened] = await caller.calls(
      { do: 'socket', as: 'c', family: 4, type: 'tcp' },
      { do: 'connect', on: 'c', to: [net.b.ipv4, 80] },
      { do: 'socket', as: 's', family: 4, type: 'tcp' },
      { do: 'listen', on: 's' },
    );
    expect(refused?.error).toBe('EPERM');
    expect(listened?.error).toBeUndefined();
    expect((await caller.call({ do: 'accept', on: 's', as: 'a' })).error).toBe('EINVAL');
    await expect(handle.receive()).rejects.toMatchObject({ code: 'invalid-parameter' });
    expect(handle.stats()).toMatchObject({ matched: 2, received: 0 });
    await handle.close();
  }));
