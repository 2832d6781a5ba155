import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type NetworkHandle, open } from '../../src/index.ts';
import { type RejectOptions, reject } from '../../src/recipes/index.ts';
import { FAMILIES } from '../helpers/datagram.ts';
import type { NetworkEnd } from '../helpers/namespaces.ts';
import { createRoutedNetwork, type RoutedNetwork } from '../helpers/routed.ts';
import { waitReady } from '../helpers/traffic.ts';

const PORT = 8080;
const UDP_PORT = 5300;
const CURL = { refused: 7, receiveError: 56 } as const;

let net: RoutedNetwork;
beforeAll(async () => {
  net = await createRoutedNetwork();
});
afterAll(() => net.close());

const opened: { handle: NetworkHandle; loop: Promise<number> }[] = [];
afterEach(async () => {
  for (const { handle } of opened.splice(0)) await handle.close();
});

/** Rejects all that matches until the handle is closed. */
async function rejectAt(
  namespace: string,
  filter: string,
  { layer, ...options }: RejectOptions & { layer?: 'network' | 'forward' } = {},
) {
  const handle = await open(filter, { namespace, layer: layer ?? 'network' });
  const loop = (async () => {
    let answers = 0;
    for await (const packet of handle) answers += reject(handle, packet, options);
    return answers;
  })();
  opened.push({ handle, loop });
  return {
    /** Ends it: answers sent, and whether the books balance. */
    async end() {
      await handle.close();
      const answers = await loop;
      const { received, dropped, injected, lost, held } = handle.stats();
      expect({ received, injected, held, lost: lost.total }).toEqual({
        received: dropped,
        injected: answers,
        held: 0,
        lost: 0,
      });
      return { answers, dropped };
    },
  };
}

/** Answers requests with a page, and reports how each connection ended. */
const SERVER = `
  import net from 'node:net';
  const server = net.createServer((socket) => {
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\npage\\n'));
    socket.on('error', ({ code }) => console.log(code));
    socket.on('close', () => server.close());
  });
  server.listen(${PORT}, '::', () => console.log('ready'));
`;

const curl = async (from: NetworkEnd, address: string) => {
  const host = address.includes(':') ? `[${address}]` : address;
  const { code, stdout } = await from.exec('curl', [
    ...['-sS', '--max-time', '30', '--noproxy', '*'],
    `http://${host}:${PORT}/`,
  ]);
  return { code, stdout };
};

const serve = (end: NetworkEnd) =>
  waitReady(end.spawn(process.execPath, ['--input-type=module', '-e', SERVER]));

describe.each(FAMILIES)('TCP over %s', (family) => {
  test.each([
    ['outbound', () => net.a.end.path, 'outbound and tcp.DstPort', 'network'],
    ['inbound', () => net.b.end.path, 'inbound and tcp.DstPort', 'network'],
    ['forwarded', () => net.router.path, 'tcp.DstPort', 'forward'],
  ] as const)('%s: a connection is refused at once', async (_name, path, filter, layer) => {
    const rejecting = await rejectAt(path(), `${filter} == ${PORT}`, { layer });
    expect(await curl(net.a.end, net.b[family])).toEqual({ code: CURL.refused, stdout: '' });
    expect(await rejecting.end()).toEqual({ answers: 1, dropped: 1 });
  });

  test.each([
    ['outbound', () => net.a.end.path, 'outbound and tcp.DstPort', 'network'],
    ['inbound', () => net.b.end.path, 'inbound and tcp.DstPort', 'network'],
    ['forwarded', () => net.router.path, 'tcp.DstPort', 'forward'],
  ] as const)(
    '%s: a connection that is established ends at both ends',
    async (_name, path, filter, layer) => {
      const server = await serve(net.b.end);
      const rejecting = await rejectAt(path(), `${filter} == ${PORT} and tcp.PayloadLength > 0`, {
        layer,
      });
      expect(await curl(net.a.end, net.b[family])).toEqual({
        code: CURL.receiveError,
        stdout: '',
      });
      expect(await server.output).toBe('ECONNRESET\n');
      expect(await rejecting.end()).toEqual({ answers: 2, dropped: 1 });
    },
  );

  test('an answer: the client, which waits for it, fails at once', async () => {
    const server = await serve(net.b.end);
    const rejecting = await rejectAt(
      net.a.end.path,
      `inbound and tcp.SrcPort == ${PORT} and tcp.PayloadLength > 0`,
    );
    expect(await curl(net.a.end, net.b[family])).toEqual({ code: CURL.receiveError, stdout: '' });
    expect(await server.output).toBe('ECONNRESET\n');
    await rejecting.end();
  });

  test('on loopback', async () => {
    const address = family === 'ipv4' ? '127.0.0.1' : '::1';
    const server = await serve(net.a.end);
    const rejecting = await rejectAt(
      net.a.end.path,
      `loopback and tcp.DstPort == ${PORT} and tcp.PayloadLength > 0`,
    );
    expect(await curl(net.a.end, address)).toEqual({ code: CURL.receiveError, stdout: '' });
    expect(await server.output).toBe('ECONNRESET\n');
    await rejecting.end();
  });
});

test('with mode sniff the packet gets through, and its connection ends all the same', async () => {
  const server = await serve(net.b.end);
  const filter = `outbound and tcp.DstPort == ${PORT} and tcp.PayloadLength > 0`;
  const handle = await open(filter, { namespace: net.a.end.path, mode: 'sniff' });
  const loop = (async () => {
    let answers = 0;
    for await (const packet of handle) answers += reject(handle, packet);
    return answers;
  })();
  const { code } = await curl(net.a.end, net.b.ipv4);
  server.child.kill();
  await handle.close();
  expect(await loop).toBe(2);
  // The answer may be quicker than the reset.
  expect([0, CURL.receiveError]).toContain(code);
});

/** Sends a datagram on a connected socket; prints the error that comes back. */
const ASK = `
  import dgram from 'node:dgram';
  const [address, port] = process.argv.slice(1);
  const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('error', ({ code }) => { console.log(code); socket.close(); });
  socket.on('message', (message) => { console.log(String(message)); socket.close(); });
  socket.connect(Number(port), address, () => socket.send('question'));
  setTimeout(() => { console.log('nothing'); process.exit(); }, 20_000).unref();
`;

describe.each(FAMILIES)('UDP over %s', (family) => {
  test.each([
    ['outbound', () => net.a.end.path, 'outbound and udp.DstPort', 'network', 'port'],
    ['inbound', () => net.b.end.path, 'inbound and udp.DstPort', 'network', 'port'],
    ['forwarded', () => net.router.path, 'udp.DstPort', 'forward', 'port'],
    ['prohibited', () => net.a.end.path, 'outbound and udp.DstPort', 'network', 'prohibited'],
  ] as const)('%s: the sender is told', async (_name, path, filter, layer, reason) => {
    const rejecting = await rejectAt(path(), `${filter} == ${UDP_PORT}`, { layer, reason });
    const { stdout } = await net.a.end.node(ASK, [net.b[family], String(UDP_PORT)]);
    const prohibited = family === 'ipv4' ? 'EHOSTUNREACH' : 'EACCES';
    expect(stdout.trim()).toBe(reason === 'port' ? 'ECONNREFUSED' : prohibited);
    expect(await rejecting.end()).toEqual({ answers: 1, dropped: 1 });
  });
});
