/**
 * The socket layer watched: what a real process does is what is reported.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { open, type SocketEvent } from '../../src/index.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { type CallResult, type SocketCaller, startCaller } from '../helpers/socket-caller.ts';

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

/** Collects the events of what `action` does. */
async function watch(filter: string, action: () => Promise<void>): Promise<SocketEvent[]> {
  const handle = await open(filter, { layer: 'socket', mode: 'sniff', namespace: net.a.path });
  await action();
  handle.shutdown('receive');
  const events: SocketEvent[] = [];
  for await (const event of handle) events.push(event);
  expect(handle.stats().lost.total).toBe(0);
  await handle.close();
  return events;
}

interface Row {
  readonly name: string;
  readonly family: 4 | 6;
  /** As calls name it. */
  readonly host: string;
  readonly any: string;
  /** As events name it. */
  readonly reported: string;
  readonly anyReported: string;
  readonly ipv6: boolean;
}

const ROWS: readonly Row[] = [
  {
    name: 'IPv4',
    family: 4,
    host: '127.0.0.1',
    any: '0.0.0.0',
    reported: '127.0.0.1',
    anyReported: '0.0.0.0',
    ipv6: false,
  },
  {
    name: 'IPv6',
    family: 6,
    host: '::1',
    any: '::',
    reported: '::1',
    anyReported: '::',
    ipv6: true,
  },
  {
    name: 'IPv4 of an IPv6 socket',
    family: 6,
    host: '::ffff:127.0.0.1',
    any: '::',
    reported: '127.0.0.1',
    anyReported: '::',
    ipv6: false,
  },
];

/** What all tests compare. */
function summary(event: SocketEvent) {
  return {
    event: event.event,
    endpointId: String(event.endpointId),
    parent: String(event.parentEndpointId),
    local: [event.localAddress, event.localPort],
    remote: [event.remoteAddress, event.remotePort],
    ipv6: event.ipv6,
    loopback: event.loopback,
    outbound: event.outbound,
  };
}

const port = (result: CallResult | undefined): number => result?.local?.[1] ?? 0;

async function withCaller(action: (caller: SocketCaller) => Promise<void>): Promise<void> {
  await using caller = await startCaller(net.a);
  await action(caller);
}

describe.each(ROWS)('$name', (row) => {
  const { family, host, any, reported, anyReported, ipv6 } = row;
  const isAnyIPv6 = anyReported === '::';

  test('TCP: bind, listen, connect, accept and closes of both ends', async () => {
    const results: CallResult[] = [];
    let pid = 0;
    const events = await watch('tcp', () =>
      withCaller(async (caller) => {
        pid = caller.pid;
        results.push(
          ...(await caller.calls(
            { do: 'socket', as: 's', family, type: 'tcp' },
            { do: 'bind', on: 's', to: [any, 0] },
            { do: 'listen', on: 's' },
          )),
        );
        results.push(
          ...(await caller.calls(
            { do: 'socket', as: 'c', family, type: 'tcp' },
            { do: 'connect', on: 'c', to: [host, port(results[1])] },
            { do: 'accept', on: 's', as: 'a' },
            { do: 'close', on: 'c' },
            { do: 'close', on: 'a' },
            { do: 'close', on: 's' },
          )),
        );
      }),
    );
    const [, listener, , , client, accepted] = results;
    const none = { parent: '0', remote: [anyReported, 0], ipv6: isAnyIPv6, loopback: false };
    const bound = { ...none, endpointId: listener?.cookie, outbound: false };
    const here = [anyReported, port(listener)];
    const clientEnd = {
      endpointId: client?.cookie,
      parent: '0',
      local: [reported, port(client)],
      remote: [reported, port(listener)],
      ipv6,
      loopback: true,
      outbound: true,
    };
    const serverEnd = {
      endpointId: accepted?.cookie,
      parent: listener?.cookie,
      local: [reported, port(listener)],
      remote: [reported, port(client)],
      ipv6,
      loopback: true,
      outbound: false,
    };
    expect(events.map(summary)).toEqual([
      { event: 'bind', ...bound, local: here },
      { event: 'listen', ...bound, local: here },
      { event: 'connect', ...clientEnd },
      { event: 'accept', ...serverEnd },
      { event: 'close', ...clientEnd },
      { event: 'close', ...serverEnd },
      { event: 'close', ...bound, local: here },
    ]);
    for (const event of events) {
      expect(event).toMatchObject({ processId: pid, processName: 'python3', userId: 0 });
      expect(event).toMatchObject({ protocol: 6, sniffed: true, layer: 'socket' });
    }
  });

  test('UDP: bind, connect by sending, accept of the first datagram, replies are neither', async () => {
    const results: CallResult[] = [];
    const events = await watch('udp', () =>
      withCaller(async (caller) => {
        results.push(
          ...(await caller.calls(
            { do: 'socket', as: 's', family, type: 'udp' },
            { do: 'bind', on: 's', to: [any, 0] },
            { do: 'socket', as: 'c', family, type: 'udp' },
          )),
        );
        const to = [host, port(results[1])];
        const [sent, received] = await caller.calls(
          { do: 'sendto', on: 'c', to },
          { do: 'recvfrom', on: 's' },
        );
        results.push(
          ...(sent ? [sent] : []),
          ...(await caller.calls(
            { do: 'sendto', on: 's', to: received?.peer },
            { do: 'recvfrom', on: 'c' },
            { do: 'sendto', on: 'c', to },
            { do: 'recvfrom', on: 's' },
            { do: 'close', on: 'c' },
            { do: 'close', on: 's' },
          )),
        );
      }),
    );
    const [, server, , client] = results;
    // What sends IPv4 is IPv4, although its own address is still ::.
    const clientAny = ipv6 ? '::' : '0.0.0.0';
    expect(
      events.map((event) => [event.event, ...Object.values(summary(event)).slice(1, 5)]),
    ).toEqual([
      ['bind', server?.cookie, '0', [anyReported, port(server)], [anyReported, 0]],
      ['connect', client?.cookie, '0', [clientAny, port(client)], [reported, port(server)]],
      ['accept', server?.cookie, '0', [reported, port(server)], [reported, port(client)]],
      ['close', client?.cookie, '0', [clientAny, port(client)], [clientAny, 0]],
      ['close', server?.cookie, '0', [anyReported, port(server)], [anyReported, 0]],
    ]);
    for (const event of events) expect(event).toMatchObject({ protocol: 17, sniffed: true });
  });

  test('UDP: connect of an unbound socket has the local end the kernel chose', async () => {
    const results: CallResult[] = [];
    const events = await watch('udp and event != BIND and localPort >= 1024', () =>
      withCaller(async (caller) => {
        results.push(
          ...(await caller.calls(
            { do: 'socket', as: 's', family, type: 'udp' },
            { do: 'bind', on: 's', to: [any, 0] },
            { do: 'socket', as: 'c', family, type: 'udp' },
          )),
        );
        const to = [host, port(results[1])];
        results.push(await caller.call({ do: 'connect', on: 'c', to }));
        await new Promise((resolve) => setTimeout(resolve, 100));
        await caller.calls(
          { do: 'send', on: 'c' },
          { do: 'recvfrom', on: 's' },
          { do: 'close', on: 'c' },
        );
      }),
    );
    const [, server, , client] = results;
    const clientEnd = [client?.cookie, '0', [reported, port(client)], [reported, port(server)]];
    expect(
      events.map((event) => [event.event, ...Object.values(summary(event)).slice(1, 5)]),
    ).toEqual([
      ['connect', ...clientEnd],
      ['accept', server?.cookie, '0', [reported, port(server)], [reported, port(client)]],
      ['close', ...clientEnd],
      ['close', server?.cookie, '0', [anyReported, port(server)], [anyReported, 0]],
    ]);
    expect(events[0]).toMatchObject({ loopback: true, outbound: true, ipv6 });
  });
});
