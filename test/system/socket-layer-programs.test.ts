/**
 * The socket layer and real programs: curl, nc, a Node HTTP server, a DNS query; servers that were there
 * before the handle; connections that end in other ways.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { open, type SocketEvent, type SocketHandle } from '../../src/index.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { NODE_NAME } from '../helpers/node-name.ts';
import { startCaller } from '../helpers/socket-caller.ts';
import { startScript, waitReady } from '../helpers/traffic.ts';

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

/** Events are read when programs have ended, which takes its time on a slow machine. */
const queueTimeMs = 16_000;

const watch = (filter: string): Promise<SocketHandle> =>
  open(filter, { layer: 'socket', mode: 'sniff', namespace: net.a.path, queueTimeMs });

const block = (filter: string): Promise<SocketHandle> =>
  open(filter, { layer: 'socket', namespace: net.a.path, queueTimeMs });

async function rest(handle: SocketHandle): Promise<SocketEvent[]> {
  handle.shutdown('receive');
  const events: SocketEvent[] = [];
  for await (const event of handle) events.push(event);
  await handle.close();
  return events;
}

const line = (event: SocketEvent): unknown[] => [
  event.event,
  event.processName,
  event.processId,
  event.localPort,
  event.remotePort,
];

const HTTP_SERVER = `
  import { createServer } from 'node:http';
  const server = createServer((request, response) => response.end('hello'));
  server.listen(Number(process.argv[1]), '::', () => console.log('ready'));
`;

const startHttp = (port: number) =>
  waitReady(
    net.a.spawn(process.execPath, ['--input-type=module', '-e', HTTP_SERVER, String(port)]),
  );

describe('programs', () => {
  test('curl and a Node HTTP server', async () => {
    const handle = await watch('tcp and (localPort == 8080 or remotePort == 8080)');
    const server = await startHttp(8080);
    const { stdout } = await net.a.exec('curl', ['-s', '-4', 'http://127.0.0.1:8080/']);
    expect(stdout).toBe('hello');
    server.child.kill();
    await server.output;
    const events = await rest(handle);
    const pid = server.child.pid;
    const curl = events.find(({ event }) => event === 'connect');
    const port = curl?.localPort;
    expect(curl).toMatchObject({ processName: 'curl', remoteAddress: '127.0.0.1', ipv6: false });
    expect(events.slice(0, 4).map(line)).toEqual([
      ['bind', NODE_NAME, pid, 8080, 0],
      ['listen', NODE_NAME, pid, 8080, 0],
      ['connect', 'curl', curl?.processId, port, 8080],
      ['accept', NODE_NAME, pid, 8080, port],
    ]);
    const closes = events.slice(4).map(line);
    expect(closes).toHaveLength(3);
    expect(closes).toEqual(
      expect.arrayContaining([
        ['close', 'curl', curl?.processId, port, 8080],
        ['close', NODE_NAME, pid, 8080, port],
        ['close', NODE_NAME, pid, 8080, 0],
      ]),
    );
  });

  test('nc over UDP', async () => {
    await using server = await startCaller(net.a);
    await server.calls(
      { do: 'socket', as: 's', family: 4, type: 'udp' },
      { do: 'bind', on: 's', to: ['0.0.0.0', 8081] },
    );
    const handle = await watch('event == CONNECT and udp');
    const nc = net.a.exec('nc', ['-u', '-w', '1', '127.0.0.1', '8081'], { input: 'hello' });
    expect((await server.call({ do: 'recvfrom', on: 's' })).length).toBe(5);
    await nc;
    expect(await rest(handle)).toMatchObject([
      { processName: 'nc', remotePort: 8081, remoteAddress: '127.0.0.1', protocol: 17 },
    ]);
  });

  test('a DNS query of the C library, and one that is blocked', async () => {
    const dns = await startScript(net.b, 'dns-server', [net.b.ipv4, 53]);
    const query = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
try:
  s.sendto(bytes.fromhex('123401000001000000000000076578616d706c6503636f6d0000010001'), ('${net.b.ipv4}', 53))
  print(len(s.recv(512)) > 12)
except OSError as error:
  print(type(error).__name__)
`;
    const ask = async () => (await net.a.exec('python3', ['-c', query])).stdout.trim();
    const watcher = await watch('remotePort == 53');
    expect(await ask()).toBe('True');
    const blocker = await block('event == CONNECT and udp and remotePort == 53');
    expect(await ask()).toBe('PermissionError');
    expect(await rest(blocker)).toHaveLength(1);
    expect((await rest(watcher)).filter(({ event }) => event === 'connect').map(line)).toEqual([
      ['connect', 'python3', expect.any(Number), expect.any(Number), 53],
      ['connect', 'python3', expect.any(Number), expect.any(Number), 53],
    ]);
    dns.child.kill();
  });
});

describe('the extended dialect', () => {
  test('one program is kept from connecting, by its name', async () => {
    const server = await startHttp(8085);
    const handle = await open('event == CONNECT and processName == "curl"', {
      layer: 'socket',
      dialect: 'extended',
      namespace: net.a.path,
      queueTimeMs,
    });
    const curl = await net.a.exec('curl', ['-s', 'http://127.0.0.1:8085/']);
    expect(curl.code).toBe(7);
    await using other = await startCaller(net.a);
    const [, connected] = await other.calls(
      { do: 'socket', as: 'c', family: 4, type: 'tcp' },
      { do: 'connect', on: 'c', to: ['127.0.0.1', 8085] },
    );
    expect(connected?.error).toBeUndefined();
    expect(await rest(handle)).toMatchObject([{ processName: 'curl', remotePort: 8085 }]);
    server.child.kill();
  });
});

describe('servers that were there before the handle', () => {
  test.each(['tcp', 'udp'] as const)('%s: refused, reported with their process', async (type) => {
    await using server = await startCaller(net.a);
    await using client = await startCaller(net.a);
    const [, bound] = await server.calls(
      { do: 'socket', as: 's', family: 6, type },
      { do: 'bind', on: 's', to: ['::', 8090] },
      ...(type === 'tcp' ? [{ do: 'listen', on: 's' }] : []),
    );
    const handle = await block('event == ACCEPT and localPort == 8090');
    await client.call({ do: 'socket', as: 'c', family: 4, type });
    const connected = await client.call({ do: 'connect', on: 'c', to: ['127.0.0.1', 8090] });
    if (type === 'udp') await client.call({ do: 'send', on: 'c' });
    const answer = type === 'tcp' ? connected : await client.call({ do: 'recvfrom', on: 'c' });
    expect(answer.error).toBe('ECONNREFUSED');
    const [event] = await rest(handle);
    const id = type === 'tcp' ? event?.parentEndpointId : event?.endpointId;
    expect(String(id)).toBe(bound?.cookie);
    expect(event).toMatchObject({ event: 'accept', processId: server.pid, userId: 0 });
  });
});

describe('ends', () => {
  test('a connection that nobody accepted ends once', async () => {
    await using server = await startCaller(net.a);
    const handle = await watch('event == CLOSE and localPort == 8100 or event == ACCEPT');
    const results = await server.calls(
      { do: 'socket', as: 's', family: 4, type: 'tcp' },
      { do: 'bind', on: 's', to: ['127.0.0.1', 8100] },
      { do: 'listen', on: 's' },
      { do: 'socket', as: 'c', family: 4, type: 'tcp' },
      { do: 'connect', on: 'c', to: ['127.0.0.1', 8100] },
      { do: 'close', on: 's' },
      { do: 'close', on: 'c' },
    );
    await sleep(100);
    const port = results[4]?.local?.[1];
    const events = await rest(handle);
    expect(events.map(line).map(([event, , pid, , remote]) => [event, pid, remote])).toEqual(
      expect.arrayContaining([
        ['accept', server.pid, port],
        ['close', server.pid, port],
        ['close', server.pid, 0],
      ]),
    );
    expect(events).toHaveLength(3);
  });

  test('kill -9 ends every socket of the process once', async () => {
    const server = await startCaller(net.a);
    const handle = await watch(`event == CLOSE and processId == ${server.pid}`);
    await server.calls(
      { do: 'socket', as: 's', family: 4, type: 'tcp' },
      { do: 'bind', on: 's', to: ['127.0.0.1', 8101] },
      { do: 'listen', on: 's' },
      { do: 'socket', as: 'c', family: 4, type: 'tcp' },
      { do: 'connect', on: 'c', to: ['127.0.0.1', 8101] },
      { do: 'accept', on: 's', as: 'a' },
      { do: 'socket', as: 'u', family: 4, type: 'udp' },
      { do: 'bind', on: 'u', to: ['127.0.0.1', 8101] },
      { do: 'socket', as: 'unused', family: 4, type: 'udp' },
    );
    const ended = new Promise((resolve) => server.child.once('exit', resolve));
    server.child.kill('SIGKILL');
    await ended;
    await sleep(100);
    const events = await rest(handle);
    expect(new Set(events.map(({ endpointId }) => endpointId)).size).toBe(4);
    expect(events).toHaveLength(4);
  });

  test('sockets that were never used do not end', async () => {
    await using caller = await startCaller(net.a);
    const handle = await watch('event == CLOSE');
    await caller.calls(
      { do: 'socket', as: 't', family: 4, type: 'tcp' },
      { do: 'close', on: 't' },
      { do: 'socket', as: 'u', family: 6, type: 'udp' },
      { do: 'close', on: 'u' },
    );
    expect(await rest(handle)).toEqual([]);
  });
});
