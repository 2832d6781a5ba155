import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { ROOT } from '../helpers/command.ts';
import { LiveBlocks, type RunningBlock } from '../helpers/live-blocks.ts';
import { createNetwork, type ExecResult, type Network } from '../helpers/namespaces.ts';
import { NODE_NAME } from '../helpers/node-name.ts';
import { waitReady } from '../helpers/traffic.ts';

/** Exit codes of curl. */
const CURL = { OK: 0, REFUSED: 7, TIMED_OUT: 28 } as const;
const WAIT = { timeout: 15_000 };

let recipes: LiveBlocks;
let net: Network;
beforeAll(() => {
  recipes = new LiveBlocks('cookbook-live', ['docs/cookbook.md']);
}, 60_000);
beforeEach(async () => {
  net = await createNetwork();
});
afterEach(() => net.close());

const run = (text: string): RunningBlock => recipes.start(net.a, text);

/** Starts a block whose rules hold packets back, and waits for these. */
async function runDivert(text: string): Promise<RunningBlock> {
  const block = run(text);
  const rules = async (): Promise<string> =>
    block.output() + (await net.a.exec('nft', ['list', 'ruleset'])).stdout;
  await expect.poll(rules, WAIT).toContain('priority -40000');
  return block;
}

const serve = (source: string): Promise<unknown> =>
  waitReady(net.b.spawn(process.execPath, ['--input-type=module', '-e', source]));

const HTTP_SERVER = (port: number, bytes = 4): string => `
  import http from 'node:http';
  http.createServer((request, response) => response.end('x'.repeat(${bytes})))
    .listen(${port}, '::', () => console.log('ready'));
`;
/** Answers every question with 10.0.0.1. */
const DNS_SERVER = `
  import dgram from 'node:dgram';
  const socket = dgram.createSocket('udp4');
  socket.on('message', (message, { address, port }) => {
    message[2] |= 0x80;
    message[7] = 1;
    const question = message.subarray(0, message.indexOf(0, 12) + 5);
    const answer = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 1];
    question.set([0, 0, 0, 0], 8);
    socket.send(Buffer.concat([question, Buffer.from(answer)]), port, address);
  });
  socket.bind(53, () => console.log('ready'));
`;
const RESOLVE = `
  import { Resolver } from 'node:dns/promises';
  const resolver = new Resolver({ timeout: 500, tries: 1 });
  resolver.setServers([process.argv[1]]);
  for (const name of process.argv.slice(2)) {
    await resolver.resolve4(name).then(console.log, ({ code }) => console.log(code));
  }
`;

const resolve = async (...names: readonly string[]): Promise<string> =>
  (await net.a.node(RESOLVE, [net.b.ipv4, ...names])).stdout;

const curl = (port = 80, ...args: readonly string[]): Promise<ExecResult> =>
  net.a.exec('curl', ['-sS', '--max-time', '2', ...args, `http://${net.b.ipv4}:${port}/`]);
const code = async (port = 80): Promise<number> => (await curl(port)).code;

const wget = (port = 80): Promise<ExecResult> =>
  net.a.node(
    `const response = await fetch(process.argv[1]).catch((error) => error.cause);
     console.log(response.status ?? response.code);`,
    [`http://${net.b.ipv4}:${port}/`],
  );

/** What a block has written when traffic has passed. */
const after =
  (block: RunningBlock, traffic: () => Promise<unknown>): (() => Promise<string>) =>
  async () => {
    await traffic();
    return block.output();
  };

/** One line for each packet that tcpdump on the other side sees. */
async function dumpAt(filter: string): Promise<() => string> {
  const child = net.b.spawn('tcpdump', ['-i', net.b.interface, '-nn', '-v', '-l', '-U', filter]);
  let output = '';
  let errors = '';
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    errors += text;
  });
  await expect.poll(() => errors, WAIT).toContain('listening on');
  return () => output;
}

test('each block is run here', () => {
  expect(recipes.blocks).toHaveLength(14);
});

test('every anchor of the page is there', () => {
  const text = readFileSync(join(ROOT, 'docs/cookbook.md'), 'utf8');
  const headings = [...text.matchAll(/^## (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
  const links = [...text.matchAll(/\]\(#([\w-]+)\)/g)].map(([, anchor]) => anchor);
  expect([...links].sort()).toEqual([...headings].sort());
});

test('drop a port', async () => {
  await serve(DNS_SERVER);
  expect(await resolve('a.example')).toContain('10.0.0.1');
  const block = await runDivert("'outbound and udp.DstPort == 53', { mode: 'drop' }");
  expect(await resolve('a.example')).toBe('ECONNREFUSED\n');
  await block.stop();
  expect(await resolve('a.example')).toContain('10.0.0.1');
  expect(block.output()).toBe('');
});

test('block a program by name', async () => {
  await serve(HTTP_SERVER(80));
  const block = await runDivert('reject(handle, packet)');
  await expect.poll(() => code(), WAIT).toBe(CURL.REFUSED);
  expect((await wget()).stdout).toBe('200\n');
  expect(block.output()).toBe('');
});

test('refuse connections before they begin', async () => {
  await serve(HTTP_SERVER(80));
  await serve(HTTP_SERVER(8080));
  const block = run("blockError: 'EACCES'");
  await expect.poll(() => code(8080), WAIT).toBe(CURL.REFUSED);
  expect(await code(80)).toBe(CURL.OK);
  expect((await wget(8080)).stdout).toBe('200\n');
  const line = `curl may not talk to ${net.b.ipv4} port 8080\n`;
  await expect.poll(() => block.output(), WAIT).toContain(line);
});

test('block 100,000 addresses, and change them while running', async () => {
  const ping = async (source: string): Promise<number> =>
    (await net.b.exec('ping', ['-q', '-c', '1', '-W', '1', '-I', source, net.a.ipv4])).code;
  await net.b.exec('ip', ['addr', 'add', '100.65.134.159/32', 'dev', 'lo']);
  await net.a.exec('ip', ['route', 'add', '100.64.0.0/10', 'via', net.b.ipv4]);
  expect(await ping('100.65.134.159')).toBe(0);
  const block = run('new FilterSet(list)');
  await expect.poll(() => ping('100.65.134.159'), WAIT).toBe(1);
  expect(await ping(net.b.ipv4)).toBe(0);
  const knock = (): Promise<ExecResult> =>
    net.b.exec('curl', ['-s', '--max-time', '1', `http://${net.a.ipv4}:23/`]);
  await expect.poll(after(block, knock), WAIT).toContain('100001 addresses blocked\n');
  expect(await ping(net.b.ipv4)).toBe(1);
});

test('slow one host down', async () => {
  await serve(HTTP_SERVER(80, 200_000));
  const block = await runDivert('latencyMs: 50');
  const connect = async (): Promise<number> =>
    Number((await curl(80, '-o', '/dev/null', '-w', '%{time_connect}')).stdout);
  await expect.poll(connect, WAIT).toBeGreaterThanOrEqual(0.1);
  // 8 Mbit/s: 200 KB take 0.2 s at least.
  const { stdout } = await curl(80, '-o', '/dev/null', '-w', '%{time_total}', '--max-time', '20');
  expect(Number(stdout)).toBeGreaterThanOrEqual(0.2);
  expect(block.output()).toBe('');
});

test('change the TTL', async () => {
  await serve(HTTP_SERVER(80));
  const seen = await dumpAt('tcp dst port 80');
  const block = await runDivert('packet.ip.ttl = 5');
  expect(await code()).toBe(CURL.OK);
  await expect.poll(seen, WAIT).toContain('ttl 5,');
  expect(seen()).not.toContain('ttl 64');
  expect(block.output()).toBe('');
});

test('mark the traffic of a program', async () => {
  await serve(HTTP_SERVER(80));
  const seen = await dumpAt('tcp dst port 80');
  const block = await runDivert('packet.ip.dscp = 46');
  expect((await wget()).stdout).toBe('200\n');
  await expect.poll(seen, WAIT).toContain('tos 0x0,');
  expect(seen()).not.toContain('tos 0xb8');
  expect(await code()).toBe(CURL.OK);
  await expect.poll(seen, WAIT).toContain('tos 0xb8');
  expect(block.output()).toBe('');
});

test('rewrite DNS answers', async () => {
  await serve(DNS_SERVER);
  const block = await runDivert('printer.example');
  expect(await resolve('Printer.example', 'other.example')).toBe(
    "[ '192.0.2.7' ]\n[ '10.0.0.1' ]\n",
  );
  expect(block.output()).toBe('');
});

test('log DNS names', async () => {
  await serve(DNS_SERVER);
  const block = run('console.log(packet.process?.name');
  await expect
    .poll(
      after(block, () => resolve('www.example')),
      WAIT,
    )
    .toMatch(new RegExp(`^${NODE_NAME} A www\\.example$`, 'm'));
});

test('count by flow', async () => {
  await serve(HTTP_SERVER(80));
  const block = run('const busiest');
  await expect
    .poll(after(block, code), WAIT)
    .toMatch(/^tcp 10\.99\.0\.1 \d+ > 10\.99\.0\.2 80: \d+ packets, \d+ bytes$/m);
});

test('count by program', async () => {
  await serve(HTTP_SERVER(80));
  const block = run("?? 'nobody'");
  await expect.poll(after(block, code), WAIT).toMatch(/^curl: \d+ bytes$/m);
});

test('capture while passing', async () => {
  await serve(HTTP_SERVER(80));
  const block = await runDivert('since1970Ns');
  const before = Date.now() / 1000;
  expect(await code()).toBe(CURL.OK);
  await block.stop();
  expect(block.output()).toBe('');
  const { stdout } = await net.a.exec('tshark', [
    ...['-r', join(ROOT, '.cache/passed.pcapng'), '-T', 'fields'],
    ...['-e', 'frame.time_epoch', '-e', 'frame.comment', '-Y', 'http.request'],
  ]);
  const [time, comment] = stdout.trim().split('\t');
  expect(Number(time)).toBeGreaterThan(before - 1);
  expect(Number(time)).toBeLessThan(before + 60);
  expect(comment).toMatch(/^process: curl \(\d+\)$/);
});

test('change the filter while running', async () => {
  await serve(HTTP_SERVER(80));
  const block = run('createInterface');
  const wrote = (text: string): Promise<void> => expect.poll(block.output, WAIT).toContain(text);
  const type = (line: string): unknown => block.child.stdin?.write(`${line}\n`);
  await wrote('type a filter');
  expect(await code()).toBe(CURL.OK);
  type('outbound and tcp.DstPort == 80');
  await wrote('dropping outbound');
  expect(await code()).toBe(CURL.TIMED_OUT);
  type('tcp.Port');
  await wrote('FilterError: ');
  expect(await code()).toBe(CURL.TIMED_OUT);
  type('false');
  await wrote('dropping false');
  expect(await code()).toBe(CURL.OK);
});

test('IPv6: all but neighbour discovery', async () => {
  await serve(HTTP_SERVER(80));
  const block = await runDivert('icmpv6.Type < 133');
  const ping = await net.b.exec('ping', ['-q', '-c', '1', '-W', '1', net.a.ipv6]);
  expect(ping.code).toBe(1);
  // The neighbour was found all the same.
  const { stdout } = await net.b.exec('ip', ['neigh', 'get', net.a.ipv6, 'dev', net.b.interface]);
  expect(stdout).toMatch(/ lladdr .* (REACHABLE|DELAY|STALE|PROBE)/);
  expect(await code()).toBe(CURL.OK);
  expect(block.output()).toBe('');
});
