import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { LiveBlocks, type RunningBlock } from '../helpers/live-blocks.ts';
import { codeBlocks } from '../helpers/markdown.ts';
import { createNetwork, type ExecResult, type Network } from '../helpers/namespaces.ts';
import { waitReady } from '../helpers/traffic.ts';

const PAGES = ['windivert', 'pydivert', 'nfqueue', 'iptables'].map(
  (name) => `docs/coming-from/${name}.md`,
);
/** Exit codes of curl. */
const CURL = { OK: 0, REFUSED: 7, TIMED_OUT: 28 } as const;
const WAIT = { timeout: 15_000 };

let blocks: LiveBlocks;
let net: Network;
beforeAll(() => {
  blocks = new LiveBlocks('coming-from-live', PAGES);
}, 60_000);
beforeEach(async () => {
  net = await createNetwork();
});
afterEach(() => net.close());

/** Starts a block whose rules hold packets back, and waits for these. */
async function runDivert(text: string): Promise<RunningBlock> {
  const block = blocks.start(net.a, text);
  const rules = async (): Promise<string> =>
    block.output() + (await net.a.exec('nft', ['list', 'ruleset'])).stdout;
  await expect.poll(rules, WAIT).toContain('priority -40000');
  return block;
}

const HTTP_SERVER = `
  import http from 'node:http';
  http.createServer((request, response) => response.end('page'))
    .listen(Number(process.argv[1]), '::', () => console.log('ready'));
`;
/** Sends back what it gets, with the port it came to. */
const ECHO_SERVER = `
  import dgram from 'node:dgram';
  const port = Number(process.argv[1]);
  const socket = dgram.createSocket('udp4');
  socket.on('message', (message, from) => socket.send(port + ' ' + message, from.port, from.address));
  socket.bind(port, () => console.log('ready'));
`;
/** Not connected: an answer may come from another port. */
const ECHO_CLIENT = `
  import dgram from 'node:dgram';
  const [address, port, text] = process.argv.slice(1);
  const socket = dgram.createSocket('udp4');
  socket.on('message', (message) => { console.log(String(message)); process.exit(); });
  socket.send(text, port, address);
  setTimeout(() => process.exit(1), 1000);
`;

const serve = (source: string, port: number): Promise<unknown> =>
  waitReady(net.b.spawn(process.execPath, ['--input-type=module', '-e', source, String(port)]));
const echo = async (port: number, text: string): Promise<string> =>
  (await net.a.node(ECHO_CLIENT, [net.b.ipv4, String(port), text])).stdout;
const curl = (port: number): Promise<ExecResult> =>
  net.a.exec('curl', ['-sS', '--max-time', '1', `http://${net.b.ipv4}:${port}/`]);
const code = async (port: number): Promise<number> => (await curl(port)).code;

test('every block is run here', () => {
  expect(blocks.blocks.map(({ place }) => place.replace(/:.*/, ''))).toEqual([
    ...Array(4).fill(PAGES[0]),
    ...Array(3).fill(PAGES[1]),
    ...Array(3).fill(PAGES[2]),
    ...Array(4).fill(PAGES[3]),
  ]);
});

describe('what is theirs', () => {
  const others = PAGES.flatMap(codeBlocks);

  test('rules are taken by iptables', async () => {
    const rules = others.filter(({ language }) => language === 'text').map(({ source }) => source);
    expect(rules).toHaveLength(5);
    for (const source of rules) {
      const script = source.replaceAll('iptables ', 'iptables-nft ');
      expect(await net.a.exec('sh', ['-e', '-c', script])).toMatchObject({ code: 0, stderr: '' });
    }
  });

  test('Python is Python', async () => {
    const sources = others.filter(({ language }) => language === 'python');
    expect(sources).toHaveLength(5);
    for (const { source } of sources) {
      const parse = 'import ast, sys; ast.parse(sys.stdin.read())';
      expect(await net.a.exec('python3', ['-c', parse], { input: source })).toMatchObject({
        code: 0,
      });
    }
  });
});

describe('from WinDivert', () => {
  test('datagrams go to another port', async () => {
    await serve(ECHO_SERVER, 5301);
    const block = await runDivert('packet.udp.dstPort = 5301');
    await expect.poll(() => echo(5300, 'hello'), WAIT).toBe('5301 hello\n');
    expect(block.output()).toBe('');
  });

  test('pings are taken out of batches', async () => {
    const ping = async (): Promise<number> =>
      (await net.a.exec('ping', ['-q', '-c', '1', '-W', '1', net.b.ipv4])).code;
    const block = await runDivert('batch.sendExcept(pings)');
    expect(await ping()).toBe(1);
    // Replies of this side are ICMP too, and go on.
    const back = await net.b.exec('ping', ['-q', '-c', '1', '-W', '2', net.a.ipv4]);
    expect(back.code).toBe(0);
    expect(block.output()).toBe('');
  });

  test('packets say whose they are', async () => {
    await serve(HTTP_SERVER, 80);
    const block = await runDivert('packet.process?.executable');
    expect(await code(80)).toBe(CURL.OK);
    await expect.poll(block.output, WAIT).toMatch(/^\d+ curl \/\S*curl$/m);
  });

  test('a connect is kept from port 25', async () => {
    await serve(HTTP_SERVER, 25);
    const block = blocks.start(net.a, 'was kept from port');
    await expect.poll(() => code(25), WAIT).toBe(CURL.REFUSED);
    await expect.poll(block.output, WAIT).toMatch(/^pid \d+ was kept from port 25$/m);
  });
});

describe('from pydivert', () => {
  test('port 8080 is port 80', async () => {
    await serve(HTTP_SERVER, 80);
    expect(await code(8080)).toBe(CURL.REFUSED);
    const block = await runDivert('tcp.dstPort = 80');
    expect(await curl(8080)).toMatchObject({ code: CURL.OK, stdout: 'page' });
    expect(block.output()).toBe('');
  });

  test('rain becomes sunshine', async () => {
    await serve(ECHO_SERVER, 5300);
    const block = await runDivert('sunshine');
    expect(await echo(5300, 'no rain today')).toBe('5300 no sunshine today\n');
    expect(block.output()).toBe('');
  });

  test('one SYN is looked at', async () => {
    await serve(HTTP_SERVER, 80);
    const block = blocks.start(net.a, "open('tcp.Syn', { mode: 'sniff' })");
    const line = async (): Promise<string> => {
      await code(80);
      return block.output();
    };
    await expect.poll(line, WAIT).toBe(`${net.a.ipv4} ${net.b.ipv4} true\n`);
  });
});

describe('from NFQUEUE', () => {
  test('datagrams are looked at', async () => {
    await serve(ECHO_SERVER, 5300);
    const block = await runDivert('packet.udp?.srcPort, packet.length');
    expect(await echo(5300, 'hello')).toBe('5300 hello\n');
    await expect.poll(block.output, WAIT).toMatch(/^10\.99\.0\.1 \d+ 33$/m);
  });

  test('datagrams become capitals', async () => {
    await serve(ECHO_SERVER, 5301);
    const block = await runDivert('text.toUpperCase()');
    expect(await echo(5301, 'hello')).toBe('5301 HELLO\n');
    expect(block.output()).toBe('');
  });

  test('connections are dropped later', async () => {
    await serve(HTTP_SERVER, 80);
    const block = await runDivert('await sleep(200)');
    expect(await code(80)).toBe(CURL.TIMED_OUT);
    await block.stop();
    expect(await code(80)).toBe(CURL.OK);
    expect(block.output()).toBe('');
  });
});

describe('from iptables', () => {
  test('two ports are closed', async () => {
    await serve(HTTP_SERVER, 25);
    await serve(HTTP_SERVER, 8025);
    const block = await runDivert('tcp.DstPort == 8025');
    await expect.poll(() => code(8025), WAIT).toBe(CURL.REFUSED);
    expect(await code(25)).toBe(CURL.TIMED_OUT);
    expect(block.output()).toBe('');
  });

  test('a user and a program have no network', async () => {
    await serve(HTTP_SERVER, 80);
    const block = blocks.start(net.a, 'userId == 65534');
    const asNobody = async (): Promise<number> => {
      const url = `http://${net.b.ipv4}/`;
      const user = ['--reuid', '65534', '--clear-groups'];
      return (await net.a.exec('setpriv', [...user, 'curl', '-sS', '--max-time', '1', url])).code;
    };
    await expect.poll(asNobody, WAIT).toBe(CURL.TIMED_OUT);
    expect(await code(80)).toBe(CURL.OK);
    expect(block.output()).toBe('');
  });

  test('one ping in four gets lost', async () => {
    const block = await runDivert('random8 < 64');
    const { stdout } = await net.a.exec('ping', ['-q', '-f', '-c', '1000', '-W', '1', net.b.ipv4]);
    const percent = Number(/([\d.]+)% packet loss/.exec(stdout)?.[1]);
    // Seven standard deviations to each side.
    expect(percent).toBeGreaterThan(15);
    expect(percent).toBeLessThan(35);
    expect(block.output()).toBe('');
  });

  test('datagrams of a list are dropped', async () => {
    await serve(ECHO_SERVER, 5300);
    expect(await echo(5300, 'hello')).toBe('5300 hello\n');
    const block = await runDivert('inbound and udp and remoteAddr in @blocked');
    expect(await echo(5300, 'hello')).toBe('');
    await block.stop();
    expect(await echo(5300, 'hello')).toBe('5300 hello\n');
    expect(block.output()).toBe('');
  });
});
