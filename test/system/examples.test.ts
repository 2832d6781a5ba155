import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { ensureBuilt, ROOT } from '../helpers/command.ts';
import { createNetwork, type Network, type NetworkEnd } from '../helpers/namespaces.ts';

const EXAMPLES = ['block', 'count', 'passthru', 'redirect', 'rewrite'];
/** Nobody has it. */
const NOWHERE = '10.99.0.77';

const SERVER = `
  import http from 'node:http';
  const server = http.createServer((request, response) => response.end('rain at ' + request.headers.host));
  server.listen(Number(process.argv[1]), '0.0.0.0', () => console.log('ready'));
`;

let net: Network;

beforeAll(ensureBuilt, 60_000);

beforeEach(async () => {
  net = await createNetwork();
});

afterEach(() => net.close());

/** A program inside that has said `sign`; `stop` interrupts it and returns all it wrote. */
async function start(
  end: NetworkEnd,
  args: readonly string[],
  sign: string,
): Promise<{ stop(): Promise<{ code: number | null; output: string }> }> {
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
    async stop() {
      child.kill('SIGINT');
      return { code: await closed, output };
    },
  };
}

const example = (
  name: string,
  args: readonly string[],
  sign = 'Ctrl-C ends',
): ReturnType<typeof start> => start(net.a, [join('examples', `${name}.mjs`), ...args], sign);

const serve = (port: number): ReturnType<typeof start> =>
  start(net.b, ['--input-type=module', '-e', SERVER, String(port)], 'ready');

const curl = (url: string): ReturnType<NetworkEnd['exec']> =>
  net.a.exec('curl', ['-sS', '--max-time', '10', url]);

test('every example is tested here', () => {
  // Those of netdivert/windivert have tests of their own.
  const files = readdirSync(join(ROOT, 'examples')).filter(
    (name) => name.endsWith('.mjs') && !name.startsWith('windivert-'),
  );
  expect(files).toEqual(EXAMPLES.map((name) => `${name}.mjs`));
});

test('passthru: traffic passes and is counted', async () => {
  await serve(80);
  const program = await example('passthru', ['tcp']);
  expect(await curl(`http://${net.b.ipv4}/`)).toMatchObject({ code: 0 });
  const { code, output } = await program.stop();
  expect(code).toBe(0);
  expect(Number(/(\d+) packets passed, 0 lost/.exec(output)?.[1])).toBeGreaterThanOrEqual(8);
});

test('block: pings vanish while it runs, and come back', async () => {
  const ping = (): ReturnType<NetworkEnd['exec']> =>
    net.a.exec('ping', ['-q', '-c', '2', '-i', '0.05', '-W', '1', net.b.ipv4]);
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
  const program = await example('count', []);
  expect(await curl(`http://${net.b.ipv4}/`)).toMatchObject({ code: 0 });
  const { code, output } = await program.stop();
  expect(code).toBe(0);
  expect(output).toMatch(/\ntcp 80: \d+ packets, \d+ bytes\n/);
});

test('rewrite: the client reads another word', async () => {
  await serve(80);
  const program = await example('rewrite', ['inbound and tcp.SrcPort == 80', 'rain', 'snow']);
  expect(await curl(`http://${net.b.ipv4}/`)).toMatchObject({ stdout: `snow at ${net.b.ipv4}` });
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

test.each([['block'], ['redirect'], ['rewrite']])('%s without arguments says how', async (name) => {
  const result = await net.a.exec(process.execPath, [join('examples', `${name}.mjs`)], {
    cwd: ROOT,
  });
  expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining('usage: ') });
});
