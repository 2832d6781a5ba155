import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Redirection, type RedirectOptions, redirect } from '../../src/index.ts';
import { FAMILIES, type Family } from '../helpers/datagram.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { runNft } from '../helpers/nft.ts';
import { startProxy, type TcpProxy } from '../helpers/tcp-proxy.ts';
import { runScript, startScript, waitReady } from '../helpers/traffic.ts';

const PORT = 8080;
const PROXY_PORT = 3128;
const MEGABYTE = 1 << 20;

let net: Network;
let proxy: TcpProxy;
beforeAll(async () => {
  net = await createNetwork();
  proxy = await startProxy(net.a, PROXY_PORT);
});
afterAll(async () => {
  await proxy.close();
  await net.close();
});

let redirection: Redirection | undefined;
afterEach(async () => {
  await redirection?.close();
  redirection = undefined;
  proxy.redirection = undefined;
  proxy.carried.length = 0;
  proxy.clients.length = 0;
});

async function start(options: Partial<RedirectOptions> = {}): Promise<Redirection> {
  redirection = await redirect({
    filter: `tcp.DstPort == ${PORT}`,
    to: { port: PROXY_PORT },
    namespace: net.a.path,
    ...options,
  });
  proxy.redirection = redirection;
  return redirection;
}

async function expectBalance(running: Redirection): Promise<void> {
  await running.close();
  for (const { received, sent, dropped, lost, queued, held } of running.stats().handles) {
    expect({ received, lost: lost.total, queued, held }).toEqual({
      received: sent + dropped,
      lost: 0,
      queued: 0,
      held: 0,
    });
  }
  expect(running.stats().failed).toBe(0);
}

/** Sends a stream from a to b and returns what both ends saw of it. */
async function transfer(address: string, bytes: number, to = net.b) {
  const receiver = await startScript(to, 'tcp-receive', [address, PORT, 0]);
  const sent = JSON.parse(await runScript(net.a, 'tcp-send', [address, PORT, bytes]));
  return { sent, received: JSON.parse(await receiver.output) };
}

describe.each(FAMILIES)('over %s', (family) => {
  test('100 MB through the proxy arrive byte-exact', async () => {
    const running = await start();
    const bytes = 100 * MEGABYTE;
    const { sent, received } = await transfer(net.b[family], bytes);
    expect(received).toEqual(sent);
    await expect
      .poll(() => proxy.carried)
      .toEqual([{ to: { address: net.b[family], port: PORT }, up: bytes, down: 0 }]);
    expect(running.stats()).toMatchObject({ opened: 1, excluded: 1, remapped: 0, refused: 0 });
    await expectBalance(running);
  });

  test('without large packets too', async () => {
    const running = await start({ largePackets: false });
    const { sent, received } = await transfer(net.b[family], 10 * MEGABYTE);
    expect(received).toEqual(sent);
    await expect.poll(() => proxy.carried).toMatchObject([{ up: 10 * MEGABYTE }]);
    await expectBalance(running);
  });

  test('to a server on this host, over lo', async () => {
    const running = await start();
    const address = family === 'ipv4' ? '127.0.0.1' : '::1';
    const { sent, received } = await transfer(address, 50 * MEGABYTE, net.a);
    expect(received).toEqual(sent);
    await expect
      .poll(() => proxy.carried)
      .toMatchObject([{ to: { address, port: PORT }, up: 50 * MEGABYTE }]);
    await expectBalance(running);
  });
});

const SERVER = `
  import net from 'node:net';
  const ports = process.argv.slice(1).map(Number);
  let open = ports.length;
  for (const port of ports) {
    net.createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (data) => socket.write(port + ' ' + data));
      socket.on('end', () => socket.end());
    }).listen(port, '::', () => { if (--open === 0) console.log('ready'); });
  }
`;
const serve = (...ports: number[]) =>
  waitReady(
    net.b.spawn(process.execPath, ['--input-type=module', '-e', SERVER, ...ports.map(String)]),
  );

/** Connects to each port from the same local port, says hello on all, prints what comes back. */
const SAME_PORT_CLIENT = `
  import net from 'node:net';
  const [address, localPort, ...ports] = process.argv.slice(1);
  const sockets = [];
  for (const port of ports) {
    const socket = net.connect({ host: address, port: Number(port), localPort: Number(localPort) });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    sockets.push(socket);
  }
  for (const socket of sockets) {
    socket.write('hello');
    console.log(await new Promise((resolve) => socket.once('data', (data) => resolve(String(data)))));
    socket.end();
  }
`;

describe.each(FAMILIES)('two connections from one port, over %s', (family: Family) => {
  test('each gets to its own server', async () => {
    const server = await serve(8081, 8082);
    const running = await start({ filter: 'tcp.DstPort == 8081 or tcp.DstPort == 8082' });
    const client = await net.a.node(SAME_PORT_CLIENT, [net.b[family], '15000', '8081', '8082']);
    expect(client).toEqual({ code: 0, stderr: '', stdout: '8081 hello\n8082 hello\n' });
    expect(running.stats()).toMatchObject({ opened: 2, remapped: 1, excluded: 2 });
    expect(proxy.clients).toHaveLength(2);
    expect(new Set(proxy.clients.map(({ port }) => port)).size).toBe(2);
    server.child.kill();
    await expectBalance(running);
  });
});

const ask = (host: string, port = PORT) =>
  net.a.exec('curl', [
    ...['-sS', '--max-time', '20', '--http0.9', '--noproxy', '*'],
    `http://${host}:${port}/`,
  ]);

/** Opens many connections at a time; each says its number and counts the answers that are its own. */
const MANY_CLIENTS = `
  import net from 'node:net';
  const [address, port, count] = process.argv.slice(1);
  let right = 0;
  await Promise.all(Array.from({ length: Number(count) }, (_, number) => new Promise((resolve) => {
    const socket = net.connect({ host: address, port: Number(port) }, () => socket.write('number ' + number));
    socket.on('data', (data) => {
      if (String(data) === port + ' number ' + number) right++;
      socket.end();
    });
    socket.on('error', resolve).on('close', resolve);
  })));
  console.log(right);
`;

test.each(FAMILIES)('200 connections at a time over %s', async (family) => {
  const server = await serve(PORT);
  const running = await start();
  const client = await net.a.node(MANY_CLIENTS, [net.b[family], String(PORT), '200']);
  expect(client).toMatchObject({ stderr: '', stdout: '200\n' });
  expect(running.stats()).toMatchObject({ opened: 200, excluded: 200, refused: 0 });
  server.child.kill();
  await expectBalance(running);
});

test.each([
  ['that lets lo pass first', 'iif lo accept;', 15003, `${PORT} hello\n`],
  ['that drops invalid packets on lo too', '', 15004, ''],
])('a firewall %s', async (_name, first, localPort, expected) => {
  const server = await serve(PORT);
  const rule = 'ct state invalid drop';
  await runNft(
    net.a,
    `table inet firewall { chain in { type filter hook input priority 0; ${first} ${rule}; }; }`,
  );
  await start();
  const args = [net.b.ipv4, String(localPort), String(PORT)];
  const client = await net.a.node(SAME_PORT_CLIENT, args, { timeoutMs: 3000 });
  await runNft(net.a, 'delete table inet firewall');
  server.child.kill();
  expect({ stdout: client.stdout, stderr: client.stderr }).toEqual({
    stdout: expected,
    stderr: '',
  });
});

test('`exclude`, other ports and connections from before are left alone', async () => {
  const server = await serve(PORT, 9000);
  const before = net.a.spawn(process.execPath, [
    '--input-type=module',
    '-e',
    `import net from 'node:net';
     const socket = net.connect(${PORT}, '${net.b.ipv4}', () => console.log('ready'));
     process.stdin.once('data', () => socket.write('hello'));
     socket.on('data', (data) => { console.log(String(data)); socket.end(); process.stdin.destroy(); });`,
  ]);
  const early = await waitReady(before);
  const running = await start({ filter: 'tcp', exclude: `tcp.DstPort == 9000` });
  before.stdin?.write('go\n');
  expect(await early.output).toBe(`${PORT} hello\n`);
  const excluded = await net.a.node(SAME_PORT_CLIENT, [net.b.ipv4, '15001', '9000']);
  expect(excluded.stdout).toBe('9000 hello\n');
  expect(running.stats().opened).toBe(0);
  expect(proxy.clients).toEqual([]);
  server.child.kill();
});

test('a connection to the proxy itself has no original destination', async () => {
  const running = await start({ filter: 'tcp' });
  expect((await ask('127.0.0.1', PROXY_PORT)).stdout).toBe('no original destination\n');
  expect(running.stats().opened).toBe(0);
});

test('a destination that does not answer: the proxy decides, the client notices', async () => {
  await start();
  const nobody = await ask(net.b.ipv4, PORT);
  expect(nobody.code).not.toBe(0);
  expect(proxy.clients).toHaveLength(1);
});

test('a redirection that is closed leaves new connections alone', async () => {
  const server = await serve(PORT);
  const running = await start();
  await running.close();
  await running.ended;
  const { stdout } = await net.a.node(SAME_PORT_CLIENT, [net.b.ipv4, '15002', String(PORT)]);
  expect(stdout).toBe(`${PORT} hello\n`);
  expect(proxy.clients).toEqual([]);
  server.child.kill();
});

test('a signal closes it', async () => {
  const controller = new AbortController();
  const running = await start({ signal: controller.signal });
  controller.abort();
  await running.ended;
});

test.each([
  [{ to: { port: 0 } }, 'port is 0'],
  [{ to: { port: 80, host: 'proxy.example' } }, 'host is "proxy.example"'],
  [{ layer: 'forward' as const }, 'address of lo'],
  [{ filter: 'tcp.DstPrt == 80' }, 'tcp.DstPrt'],
  [{ exclude: 'not (tcp)' }, 'single test'],
])('%j is refused', async (options, message) => {
  await expect(start(options)).rejects.toThrow(message);
});
