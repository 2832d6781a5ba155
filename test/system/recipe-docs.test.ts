import type { ChildProcess } from 'node:child_process';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { ensureBuilt, ROOT } from '../helpers/command.ts';
import { codeBlocks, writeModules } from '../helpers/markdown.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { waitReady } from '../helpers/traffic.ts';

const PAGES = ['reject', 'redirect', 'shape', 'process', 'peeks'].map(
  (name) => `docs/recipes/${name}.md`,
);
const BLOCKS = PAGES.flatMap(codeBlocks).filter(({ run }) => run === 'live');

let net: Network;
let modules: string[];
beforeAll(() => {
  ensureBuilt();
  modules = writeModules('recipes-live', BLOCKS, '.mjs');
}, 60_000);
beforeEach(async () => {
  net = await createNetwork();
});
afterEach(() => net.close());

/** Starts the block that contains a text, where the client is, and waits for its rules. */
async function runBlock(text: string): Promise<{ child: ChildProcess; output(): string }> {
  const index = BLOCKS.findIndex(({ source }) => source.includes(text));
  const child = net.a.spawn(process.execPath, [modules[index] ?? ''], { cwd: ROOT });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (part) => {
      output += part;
    });
  }
  await expect
    .poll(async () => output + (await net.a.exec('nft', ['list', 'ruleset'])).stdout, {
      timeout: 10_000,
    })
    .toContain('priority -40000');
  return { child, output: () => output };
}

const HTTP_SERVER = (port: number): string => `
  import http from 'node:http';
  http.createServer((request, response) => response.end('page'))
    .listen(${port}, '0.0.0.0', () => console.log('ready'));
`;
const serve = (source: string) =>
  waitReady(net.b.spawn(process.execPath, ['--input-type=module', '-e', source]));
const curl = (url: string) => net.a.exec('curl', ['-sS', '--max-time', '20', '-k', url]);

test('every page has a block, and each is run here', () => {
  expect(BLOCKS).toHaveLength(6);
});

test('reject: connections to port 25 are refused', async () => {
  await serve(HTTP_SERVER(25));
  const { output } = await runBlock('tcp.DstPort == 25');
  const refused = 7;
  expect((await curl(`http://${net.b.ipv4}:25/`)).code).toBe(refused);
  expect(output()).toBe('');
});

test('redirect: a page comes through the proxy, and only through it', async () => {
  await serve(HTTP_SERVER(80));
  const { child, output } = await runBlock('originalDestination');
  const listening = async (): Promise<string> => (await net.a.exec('ss', ['-Hltn'])).stdout;
  await expect.poll(listening, { timeout: 10_000 }).toContain(':8080');
  expect(await curl(`http://${net.b.ipv4}/`)).toMatchObject({ code: 0, stdout: 'page' });
  const seen = await net.b.exec('ss', ['-Htan', 'sport', '=', ':80']);
  expect(seen.code).toBe(0);
  child.kill('SIGSTOP');
  // Without the proxy nothing gets through.
  const stopped = await net.a.exec('curl', ['-sS', '--max-time', '1', `http://${net.b.ipv4}/`]);
  expect(stopped.stdout).toBe('');
  child.kill('SIGCONT');
  expect(output()).toBe('');
});

test('redirect: what connects from the ports of the proxy is left alone', async () => {
  await serve(HTTP_SERVER(443));
  const { output } = await runBlock('tcp.SrcPort >= 61000');
  const own = await net.a.exec('curl', [
    ...['-sS', '--local-port', '61000-61050'],
    `http://${net.b.ipv4}:443/`,
  ]);
  expect(own).toMatchObject({ code: 0, stdout: 'page' });
  const refused = 7;
  expect((await curl(`http://${net.b.ipv4}:443/`)).code).toBe(refused);
  expect(output()).toBe('');
});

test('shape: pings take 100 ms', async () => {
  const { output } = await runBlock('latencyMs: 100');
  const { stdout } = await net.a.exec('ping', ['-i', '0.05', '-c', '20', '-W', '5', net.b.ipv4]);
  const times = [...stdout.matchAll(/time=([\d.]+)/g)].map(([, time]) => Number(time));
  expect(times.length).toBeGreaterThan(10);
  expect(Math.min(...times)).toBeGreaterThanOrEqual(100);
  expect(output()).toBe('1\n');
});

const DNS_SERVER = `
  import dgram from 'node:dgram';
  const socket = dgram.createSocket('udp4');
  socket.on('message', (message, { address, port }) => {
    message[2] |= 0x80;
    socket.send(message, port, address);
  });
  socket.bind(53, () => console.log('ready'));
`;
const ASK = `
  import { Resolver } from 'node:dns/promises';
  const resolver = new Resolver({ timeout: 500, tries: 1 });
  resolver.setServers([process.argv[1]]);
  for (const name of ['www.example', 'www.ads.example']) {
    await resolver.resolve4(name).then(() => {}, ({ code }) => console.log(name, code));
  }
`;

const TLS_CLIENT = `
  import tls from 'node:tls';
  const [address, servername] = process.argv.slice(1);
  const socket = tls.connect({ host: address, port: 443, servername, rejectUnauthorized: false });
  socket.on('error', ({ code }) => console.log(code));
  socket.on('data', (data) => { console.log(String(data)); socket.destroy(); });
`;
const HELLO_READER = `
  import net from 'node:net';
  net.createServer((socket) => {
    socket.on('error', () => {});
    let head = Buffer.alloc(0);
    socket.on('data', (data) => {
      head = Buffer.concat([head, data]);
      // It waits for the whole ClientHello, which newer versions of Node.js send in two segments; no TLS then: the client
      // complains about what it gets.
      if (head.length > 5 && head.length >= 5 + head.readUInt16BE(3)) socket.end('hello');
    });
  }).listen(443, '0.0.0.0', () => console.log('ready'));
`;

test('peeks: TLS connections to one name are reset', async () => {
  await serve(HELLO_READER);
  const { output } = await runBlock('new StreamHead()');
  const blocked = await net.a.node(TLS_CLIENT, [net.b.ipv4, 'ads.example']);
  expect(blocked.stdout).toBe('ECONNRESET\n');
  const other = await net.a.node(TLS_CLIENT, [net.b.ipv4, 'other.example']);
  expect(other.stdout).toContain('SSL');
  expect(output()).toBe('');
});

test('process: questions for one name are dropped', async () => {
  await serve(DNS_SERVER);
  const { output } = await runBlock('processPackets(');
  const { stdout } = await net.a.node(ASK, [net.b.ipv4]);
  expect(stdout).toBe('www.example ENODATA\nwww.ads.example ETIMEOUT\n');
  expect(output()).toBe('');
});
