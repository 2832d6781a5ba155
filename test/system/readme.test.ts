import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { ensureBuilt, ROOT } from '../helpers/command.ts';
import { codeBlocks, writeModules } from '../helpers/markdown.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';

const BLOCKS = codeBlocks('README.md').filter(({ run }) => run === 'live');

const HTTP_SERVER = `
  import http from 'node:http';
  http.createServer((request, response) => response.end('page'))
    .listen(80, '0.0.0.0', () => console.log('ready'));
`;
const UDP_SERVER = `
  import dgram from 'node:dgram';
  const socket = dgram.createSocket('udp4');
  socket.on('message', (message, { address, port }) => socket.send(message, port, address));
  socket.bind(5300, () => console.log('ready'));
`;
const UDP_CLIENT = `
  import dgram from 'node:dgram';
  const socket = dgram.createSocket('udp4');
  socket.on('message', (message) => { console.log(String(message)); process.exit(); });
  socket.send('hello', 5300, process.argv[1]);
  setTimeout(() => process.exit(1), 2000);
`;

let net: Network;
let modules: string[];

beforeAll(() => {
  ensureBuilt();
  modules = writeModules('readme-live', BLOCKS, '.mjs');
}, 60_000);

beforeEach(async () => {
  net = await createNetwork();
});

afterEach(() => net.close());

async function serve(source: string): Promise<void> {
  const server = net.b.spawn(process.execPath, ['--input-type=module', '-e', source]);
  await once(server.stdout ?? server, 'data');
}

function moduleWith(text: string): string {
  return modules[BLOCKS.findIndex(({ source }) => source.includes(text))] ?? '';
}

/** Starts the block that contains a text, where the client is, and waits for its rules. */
async function runBlock(text: string): Promise<{ readonly child: ChildProcess; output(): string }> {
  const child = net.a.spawn(process.execPath, [moduleWith(text)], { cwd: ROOT });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (part) => {
      output += part;
    });
  }
  await expect
    .poll(async () => (await net.a.exec('nft', ['list', 'ruleset'])).stdout, { timeout: 10_000 })
    .toContain('priority -40000');
  return { child, output: () => output };
}

const curl = (host: string): Promise<{ code: number; stdout: string }> =>
  net.a.exec('curl', ['-sS', '--max-time', '1', '-H', `Host: ${host}`, `http://${net.b.ipv4}/`]);

test('README.md has the blocks that are run here', () => {
  expect(BLOCKS).toHaveLength(4);
});

test('requests for one host are dropped, others get through', async () => {
  await serve(HTTP_SERVER);
  expect(await curl('ads.example')).toMatchObject({ code: 0, stdout: 'page' });
  const { output } = await runBlock('ads.example');
  const timedOut = 28;
  await expect.poll(async () => (await curl('ads.example')).code).toBe(timedOut);
  expect(await curl('other.example')).toMatchObject({ code: 0, stdout: 'page' });
  expect(output()).toBe('');
});

test('datagrams get longer', async () => {
  await serve(UDP_SERVER);
  const { output } = await runBlock(' and more');
  await expect
    .poll(async () => (await net.a.node(UDP_CLIENT, [net.b.ipv4])).stdout)
    .toBe('hello and more\n');
  expect(output()).toBe('');
});

test('connects to a list of servers fail, others do not', async () => {
  const child = net.a.spawn(process.execPath, [moduleWith('@blocked')], { cwd: ROOT });
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (part) => {
    output += part;
  });
  const couldNotConnect = 7;
  const blocked = async (): Promise<string> => {
    const { code } = await net.a.exec('curl', ['-sS', '--max-time', '1', 'http://10.66.0.1/']);
    return code === couldNotConnect ? output : '';
  };
  await expect.poll(blocked, { timeout: 10_000 }).toContain('curl may not connect to 10.66.0.1\n');
  await serve(HTTP_SERVER);
  expect(await curl('other.example')).toMatchObject({ code: 0, stdout: 'page' });
});

test('batches pass', async () => {
  await serve(HTTP_SERVER);
  const { child, output } = await runBlock('handle.batches()');
  expect(await curl('ads.example')).toMatchObject({ code: 0, stdout: 'page' });
  expect({ running: child.exitCode === null, output: output() }).toEqual({
    running: true,
    output: '',
  });
});
