import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ROOT } from '../helpers/command.ts';
import { compileExamples, exampleFile } from '../helpers/examples.ts';
import { createNetwork, type Network, type NetworkEnd } from '../helpers/namespaces.ts';

const NEED_ARGUMENTS = [
  'block',
  'netfilter',
  'redirect',
  'rewrite',
  'streamdump',
  'webfilter',
  'windivertctl',
];
const EXAMPLES = [
  ...['block', 'count', 'flowtrack', 'netdump', 'netfilter', 'passthru', 'redirect', 'rewrite'],
  ...['socketdump', 'streamdump', 'webfilter', 'windivertctl'],
];
/** Nobody has it. */
const NOWHERE = '10.99.0.77';
const FAMILIES = ['ipv4', 'ipv6'] as const;
/** Exit code of curl. */
const REFUSED = 7;

const SERVER = `
  import http from 'node:http';
  const server = http.createServer((request, response) => response.end('rain at ' + request.headers.host));
  server.listen(Number(process.argv[1]), '::', () => console.log('ready'));
`;

let net: Network;

beforeAll(compileExamples, 60_000);

beforeEach(async () => {
  net = await createNetwork();
});

afterEach(() => net.close());

interface Started {
  readonly child: ChildProcess;
  /** What it wrote so far. */
  output(): string;
  /** Waits until it has written something. */
  wrote(text: string): Promise<void>;
  /** Interrupts it. */
  stop(): Promise<{ code: number | null; output: string }>;
}

/** A program inside that has said `sign`. */
async function start(end: NetworkEnd, args: readonly string[], sign: string): Promise<Started> {
  const child = end.spawn(process.execPath, args, { cwd: ROOT });
  let output = '';
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        output += text;
        if (output.includes(sign)) resolve();
      });
    }
    closed.then(() => reject(new Error(`ended: ${output}`)));
  });
  return {
    child,
    output: () => output,
    wrote: (text) => expect.poll(() => output, { timeout: 10_000 }).toContain(text),
    async stop() {
      child.kill('SIGINT');
      return { code: await closed, output };
    },
  };
}

const example = (name: string, args: readonly string[] = []): Promise<Started> =>
  start(net.a, [exampleFile(name), ...args], 'Ctrl-C ends');

const serve = (port: number): Promise<Started> =>
  start(net.b, ['--input-type=module', '-e', SERVER, String(port)], 'ready');

const curl = (url: string, ...args: readonly string[]): ReturnType<NetworkEnd['exec']> =>
  net.a.exec('curl', ['-sS', '-g', '--max-time', '10', ...args, url]);

const urlOf = (family: (typeof FAMILIES)[number], port = 80): string =>
  family === 'ipv4' ? `http://${net.b.ipv4}:${port}/` : `http://[${net.b.ipv6}]:${port}/`;

const ping = (): ReturnType<NetworkEnd['exec']> =>
  net.a.exec('ping', ['-q', '-c', '2', '-i', '0.05', '-W', '1', net.b.ipv4]);

describe('all of them', () => {
  const files = readdirSync(join(ROOT, 'examples')).filter((name) => name.endsWith('.ts'));

  test('are tested here', () => {
    // Those of netdivert/windivert have tests of their own.
    const mine = files.filter((name) => !name.startsWith('windivert-'));
    expect(mine).toEqual(EXAMPLES.map((name) => `${name}.ts`));
  });

  test('are in examples/README.md, and what it names is there', () => {
    const text = readFileSync(join(ROOT, 'examples/README.md'), 'utf8');
    const named = [...text.matchAll(/\]\(([\w-]+\.ts)\)/g)].map(([, name]) => name);
    expect(named.sort()).toEqual(files);
  });

  test('are short and say how to run them', () => {
    const rows = files.map((name) => {
      const text = readFileSync(join(ROOT, 'examples', name), 'utf8');
      const isShort = text.split('\n').length <= 80;
      return [name, isShort, text.includes(`//   sudo node examples/${name}`)];
    });
    expect(rows).toEqual(files.map((name) => [name, true, true]));
  });

  test.each(NEED_ARGUMENTS)('%s without arguments says how', async (name) => {
    const result = await net.a.exec(process.execPath, [exampleFile(name)], { cwd: ROOT });
    const usage = `usage: node examples/${name}.ts `;
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining(usage) });
  });
});

test('passthru: traffic passes and is counted', async () => {
  await serve(80);
  const program = await example('passthru', ['tcp', '8', '-100']);
  expect(await curl(urlOf('ipv4'))).toMatchObject({ code: 0 });
  const { code, output } = await program.stop();
  expect(code).toBe(0);
  expect(Number(/(\d+) packets passed, 0 lost/.exec(output)?.[1])).toBeGreaterThanOrEqual(8);
});

test('netdump: packets of a ping, with their bytes', async () => {
  const program = await example('netdump', ['icmp']);
  const result = await net.a.exec('ping', ['-q', '-c', '1', '-p', '68656c6c6f20', net.b.ipv4]);
  expect(result).toMatchObject({ code: 0 });
  await program.wrote('icmp type 0');
  const { code, output } = await program.stop();
  expect(code).toBe(0);
  const { interfaceIndex, ipv4 } = net.a;
  expect(output).toContain(`\nout ${ipv4} > ${net.b.ipv4} icmp type 8 code 0, 84 bytes\n`);
  expect(output).toContain(`\nin if${interfaceIndex} ${net.b.ipv4} > ${ipv4} icmp type 0 code 0,`);
  expect(output).toMatch(/\n {2}0000 {2}45 00 00 54 .* E\.\.T/);
  expect(output).toContain('hello hello');
  expect(output).toContain('2 packets dumped, 0 lost');
});

test('netdump: TCP and UDP over IPv6', async () => {
  await serve(80);
  const program = await example('netdump', ['ipv6 and (tcp or udp)']);
  expect(await curl(urlOf('ipv6'))).toMatchObject({ code: 0 });
  await net.a.node(
    `import dgram from 'node:dgram';
     const socket = dgram.createSocket('udp6');
     socket.send('x', 9, process.argv[1], () => socket.close());`,
    [net.b.ipv6],
  );
  await program.wrote(' > 9,');
  const { output } = await program.stop();
  expect(output).toMatch(new RegExp(`out ${net.a.ipv6} > ${net.b.ipv6} tcp \\d+ > 80 `));
  expect(output).toMatch(/ tcp \d+ > 80 \[syn\] seq \d+, 80 bytes/);
  expect(output).toMatch(/ udp \d+ > 9, 49 bytes/);
});

test.each(FAMILIES)(
  'netfilter: over %s TCP is refused and UDP unreachable at once',
  async (family) => {
    await serve(80);
    const program = await example('netfilter', ['outbound and (tcp.DstPort == 80 or udp)']);
    expect(await curl(urlOf(family))).toMatchObject({ code: REFUSED });
    const { stdout } = await net.a.node(
      `import dgram from 'node:dgram';
     const [family, address] = process.argv.slice(1);
     const socket = dgram.createSocket(family === 'ipv4' ? 'udp4' : 'udp6');
     socket.on('error', ({ code }) => { console.log(code); process.exit(); });
     socket.connect(5300, address, () => socket.send('x'));`,
      [family, net.b[family]],
    );
    expect(stdout).toBe('ECONNREFUSED\n');
    const { code, output } = await program.stop();
    expect(code).toBe(0);
    const ends = `${net.a[family]} > ${net.b[family]}`;
    expect(output).toContain(`blocked tcp ${ends} port 80, 1 answers`);
    expect(output).toContain(`blocked udp ${ends} port 5300, 1 answers`);
    expect(output).toContain('2 packets blocked');
  },
);

test.each(FAMILIES)('webfilter: a page of its own over %s, others untouched', async (family) => {
  await serve(80);
  const program = await example('webfilter', ['ads.example']);
  const get = (host: string): ReturnType<NetworkEnd['exec']> =>
    curl(urlOf(family), '-i', '-H', `Host: ${host}`);
  const page = await get('www.Ads.example');
  expect(page).toMatchObject({ code: 0, stderr: '' });
  expect(page.stdout).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*This site is blocked/);
  for (const host of ['notads.example', 'ads.example.org']) {
    expect(await get(host)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^HTTP\/1\.1 200 OK/),
    });
  }
  // The server's end is gone, too.
  const connections = async (): Promise<string> =>
    (await net.b.exec('ss', ['-Htn', 'state', 'established', 'sport', '=', ':80'])).stdout;
  await expect.poll(connections).toBe('');
  expect(await program.stop()).toMatchObject({
    code: 0,
    output: expect.stringContaining('blocked GET http://www.ads.example/\n'),
  });
});

test.each(FAMILIES)('streamdump: both directions over %s', async (family) => {
  await serve(8000);
  const program = await example('streamdump', ['8000']);
  const answer = await curl(urlOf(family, 8000), '-H', 'Host: dump.example');
  expect(answer).toMatchObject({ code: 0, stdout: 'rain at dump.example' });
  await program.wrote('rain at');
  const { code, output } = await program.stop();
  expect(code).toBe(0);
  expect(output).toContain(`> ${net.b[family]}:8000 connected`);
  expect(output).toMatch(/ sent \d+ bytes\nGET \/ HTTP\/1\.1\nHost: dump\.example\n/);
  expect(output).toMatch(/ received \d+ bytes\nHTTP\/1\.1 200 OK\n[\s\S]*rain at dump\.example/);
  expect(await curl(urlOf(family, 8000))).toMatchObject({ code: 0 });
});

test('flowtrack: a connection begins and ends, and is of curl', async () => {
  await serve(80);
  const program = await example('flowtrack', ['tcp and remotePort == 80']);
  expect(await curl(urlOf('ipv4'))).toMatchObject({ code: 0 });
  await program.wrote('\n- ');
  const { code, output } = await program.stop();
  expect(code).toBe(0);
  const ends = `tcp ${net.a.ipv4} \\d+ -> ${net.b.ipv4} 80 curl\\[\\d+\\]`;
  expect(output).toMatch(new RegExp(`\n\\+ ${ends}\n- ${ends} after \\d+ ms\n0 flows go on\n$`));
});

describe('socketdump', () => {
  test('reports what a client does, and lets it', async () => {
    await serve(80);
    const program = await example('socketdump', ['tcp and remotePort == 80']);
    expect(await curl(urlOf('ipv4'))).toMatchObject({ code: 0 });
    await program.wrote('close tcp');
    const { code, output } = await program.stop();
    expect(code).toBe(0);
    const ends = `tcp ${net.a.ipv4} \\d+ - ${net.b.ipv4} 80 curl\\[\\d+\\]\n`;
    expect(output).toMatch(new RegExp(`\nconnect ${ends}close ${ends}2 events, 0 lost\n$`));
  });

  test('refuses connections with --block, until it ends', async () => {
    await serve(80);
    const program = await example('socketdump', [
      '--block',
      'event == CONNECT and remotePort == 80',
    ]);
    expect(await curl(urlOf('ipv4'))).toMatchObject({ code: REFUSED });
    const { output } = await program.stop();
    expect(output).toMatch(/\nconnect tcp .* 80 curl\[\d+\] BLOCKED\n1 events, 0 lost\n$/);
    expect(await curl(urlOf('ipv4'))).toMatchObject({ code: 0 });
  });

  test('does not block everything by mistake', async () => {
    const result = await net.a.exec(process.execPath, [exampleFile('socketdump'), '--block']);
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining('blocks every') });
  });
});

describe('windivertctl', () => {
  // Handles of the whole machine are seen: those of this test have a priority of their own.
  const priority = String(-10_000 - (process.pid % 10_000));
  const mine = `priority == ${priority}`;
  const control = (command: string): ReturnType<NetworkEnd['exec']> =>
    net.a.exec(process.execPath, [exampleFile('windivertctl'), command, mine], { cwd: ROOT });

  test('lists, watches and ends', async () => {
    const watcher = await example('windivertctl', ['watch', mine]);
    const open = await example('passthru', ['icmp', '1', priority]);
    const pid = open.child.pid;
    const line = `process ${pid} network priority ${priority} flags 0 icmp`;
    expect(await control('list')).toMatchObject({ code: 0, stdout: `open ${line}\n` });
    expect(await control('kill')).toMatchObject({
      code: 0,
      stdout: `open ${line}: told to end\n`,
    });
    await watcher.wrote(`close ${line}`);
    expect(await control('list')).toMatchObject({ code: 0, stdout: '' });
    expect(await watcher.stop()).toMatchObject({
      code: 0,
      output: `watching handles, Ctrl-C ends\nopen ${line}\nclose ${line}\n`,
    });
  });
});

test('block: pings vanish while it runs, and come back', async () => {
  const program = await example('block', ['outbound and icmp']);
  expect(await ping()).toMatchObject({ code: 1 });
  expect(await program.stop()).toMatchObject({
    code: 0,
    output: expect.stringContaining('2 packets dropped'),
  });
  expect(await ping()).toMatchObject({ code: 0 });
});

test('count: packets and bytes by port', async () => {
  await serve(80);
  const program = await example('count');
  expect(await curl(urlOf('ipv4'))).toMatchObject({ code: 0 });
  const { code, output } = await program.stop();
  expect(code).toBe(0);
  expect(output).toMatch(/\ntcp 80: \d+ packets, \d+ bytes\n/);
});

test('rewrite: the client reads another word', async () => {
  await serve(80);
  const program = await example('rewrite', ['inbound and tcp.SrcPort == 80', 'rain', 'snow']);
  expect(await curl(urlOf('ipv4'))).toMatchObject({ stdout: `snow at ${net.b.ipv4}` });
  expect(await program.stop()).toMatchObject({
    code: 0,
    output: expect.stringContaining('1 words replaced'),
  });
});

test('redirect: a client of one server talks to another', async () => {
  await serve(8080);
  const program = await example('redirect', [`${NOWHERE}:80`, `${net.b.ipv4}:8080`]);
  expect(await curl(`http://${NOWHERE}/`)).toMatchObject({ stdout: `rain at ${NOWHERE}` });
  // Who asks the second server directly is left alone.
  expect(await curl(`http://${net.b.ipv4}:8080/`)).toMatchObject({
    stdout: `rain at ${net.b.ipv4}:8080`,
  });
  expect(await program.stop()).toMatchObject({
    code: 0,
    output: expect.stringContaining('1 connections redirected'),
  });
});
