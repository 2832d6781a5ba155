/**
 * The commands on live traffic, as a user runs them.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMAND, ensureBuilt, netdivert, ROOT } from '../helpers/command.ts';
import { checkJsonLine } from '../helpers/json-doc.ts';
import { listTables } from '../helpers/kernel-objects.ts';
import { createNetwork, type ExecResult, type Network } from '../helpers/namespaces.ts';
import { NODE_NAME } from '../helpers/node-name.ts';
import { type RunningCommand, startCommand } from '../helpers/running-command.ts';
import { type Running, runScript, startScript, waitReady } from '../helpers/traffic.ts';

/** Answers every request with the name it was sent, and echoes what is no request. */
const SERVER = `
import { createServer } from 'node:http';
import { createServer as createEcho } from 'node:net';
createServer((request, response) => response.end('host ' + request.headers.host)).listen(80, '::');
createEcho((socket) => socket.on('error', () => {}).pipe(socket)).listen(7, '::');
createEcho((socket) => socket.on('error', () => {}).resume()).listen(443, '::');
createEcho((socket) => socket.on('error', () => {}).end('proxy')).listen(8080, '127.0.0.1');
setTimeout(() => console.log('ready'), 100);
`;

const UDP_PORT = 6200;

let net: Network;
const servers: Running[] = [];
const folder = mkdtempSync(join(tmpdir(), 'netdivert-command-'));

beforeAll(async () => {
  ensureBuilt();
  net = await createNetwork();
  for (const end of [net.a, net.b]) {
    servers.push(
      await waitReady(end.spawn(process.execPath, ['--input-type=module', '-e', SERVER])),
    );
  }
}, 60_000);

afterAll(async () => {
  await net.close();
  rmSync(folder, { recursive: true });
});

const inA = (...args: string[]): string[] => [
  ...args.slice(0, 1),
  '-N',
  net.a.path,
  ...args.slice(1),
];
const startInA = (...args: string[]): RunningCommand => startCommand(inA(...args));
const ping = (count: number): Promise<ExecResult> =>
  net.a.exec('ping', ['-q', '-c', String(count), '-i', '0.01', '-W', '1', net.b.ipv4]);
const curl = (...args: string[]): Promise<ExecResult> =>
  net.a.exec('curl', ['-s', '-S', '--max-time', '20', ...args]);

/** Ends a command as Ctrl-C does. */
async function interrupt(running: RunningCommand): Promise<void> {
  running.child.kill('SIGINT');
  expect(await running.ended()).toBe(130);
}

function linesOf({ output }: RunningCommand): Record<string, unknown>[] {
  const lines = output.stdout.trimEnd().split('\n');
  for (const line of lines) expect(checkJsonLine(line)).toEqual([]);
  return lines.map((line) => JSON.parse(line));
}

describe('dump', () => {
  test('--write makes a file that tcpdump reads; --print prints, too', async () => {
    const file = join(folder, 'ping.pcapng');
    const dump = startInA('dump', '-c', '4', '-w', file, '--print', 'icmp');
    await dump.saw('watching');
    await ping(2);
    expect(await dump.ended()).toBe(0);
    expect(dump.output.stdout.match(/echo request/g)).toHaveLength(2);
    const { stderr, stdout } = spawnSync('tcpdump', ['-n', '-r', file], { encoding: 'utf8' });
    expect(stdout.trimEnd().split('\n')).toHaveLength(4);
    expect(stderr).not.toMatch(/truncated|error|warning/i);
  });

  test('-w - is a pipe for other programs', async () => {
    const dump = startInA('dump', '-c', '2', '-w', '-', '--json', 'icmp');
    await dump.saw('watching');
    await ping(1);
    expect(await dump.ended()).toBe(0);
    // Bytes that are no text were lost in the test's string: only the form is looked at.
    expect(dump.output.stdout.startsWith('\n\r\r\n')).toBe(true);
    expect(dump.output.stdout).not.toContain('"type"');
  });

  test('-C and -W keep a ring of files', async () => {
    const file = join(folder, 'ring.');
    const dump = startInA('dump', '-c', '60', '-w', file, '-C', '2k', '-W', '2', 'icmp');
    await dump.saw('watching');
    await ping(30);
    expect(await dump.ended()).toBe(0);
    const names = readdirSync(folder).filter((name) => name.startsWith('ring.'));
    expect(names.sort()).toEqual(['ring.0', 'ring.1']);
    for (const name of names) {
      expect(statSync(join(folder, name)).size).toBeLessThan(4096);
      expect(spawnSync('tcpdump', ['-n', '-r', join(folder, name)]).status).toBe(0);
    }
  });

  test('--process: those of a program, with its name', async () => {
    const dump = startInA('dump', '-p', 'curl', '-c', '1', 'tcp.Syn and outbound');
    await dump.saw('watching');
    await net.a.exec(process.execPath, ['-e', `require('http').get('http://${net.b.ipv4}')`]);
    await curl(`http://${net.b.ipv4}/`);
    expect(await dump.ended()).toBe(0);
    expect(dump.output.stdout).toMatch(/^\S+ out curl\[\d+\] IP .*\[S\]/);
    expect(dump.output.stderr).toContain('no process is called curl now');
  });

  test('a reader that goes away ends it quietly, and nothing is left', async () => {
    const command = `"${process.execPath}" "${COMMAND}" dump -l -N ${net.a.path} icmp 2> "${folder}/err" | head -1; echo "\${PIPESTATUS[0]}"`;
    const shell = net.a.exec('bash', ['-c', command]);
    await expect
      .poll(() => readFileSync(join(folder, 'err'), 'utf8'), { timeout: 20_000 })
      .toContain('watching');
    const pings = net.a.exec('ping', ['-q', '-c', '50', '-i', '0.05', net.b.ipv4]);
    const { stdout } = await shell;
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('0');
    await pings;
    expect(readFileSync(join(folder, 'err'), 'utf8')).not.toContain('Error');
    expect(await listTables(net.a)).toEqual([]);
  });
});

describe('pass --workers', () => {
  const udp = `udp.DstPort == ${UDP_PORT}`;
  const sendFlows = (flows: number, rounds: number): Promise<string> =>
    runScript(net.a, 'udp-flows', [net.b.ipv4, UDP_PORT, flows, rounds, 2]);

  test('the summary is that of all threads, and says what each had', async () => {
    const pass = startInA('pass', '--workers', '2', '--json', udp);
    await pass.saw('passing udp.DstPort = 6200 with 2 workers');
    const receiver = await startScript(net.b, 'udp-receive', [net.b.ipv4, UDP_PORT, 1000, 8000]);
    await sendFlows(100, 10);
    expect((await receiver.output).split('\n').filter(Boolean)).toHaveLength(1000);
    await interrupt(pass);
    const [summary] = linesOf(pass);
    expect(summary).toMatchObject({ command: 'pass', stats: { received: 1000, sent: 1000 } });
    const shares = summary?.workers as number[];
    expect(shares).toHaveLength(2);
    expect(shares.every((packets) => packets > 0)).toBe(true);
    expect(shares.reduce((sum, packets) => sum + packets)).toBe(1000);
    expect(pass.output.stderr).toContain('1000 packets matched, 1000 sent on, 0 lost');
    expect(await listTables(net.a)).toEqual([]);
  });

  test('--count and --duration end all of them', async () => {
    const counted = startInA('pass', '--workers', '2', '--count', '50', udp);
    await counted.saw('passing');
    await sendFlows(40, 10);
    expect(await counted.ended()).toBe(0);
    const timed = startInA('pass', '--workers', '3', '--duration', '100ms', udp);
    expect(await timed.ended()).toBe(0);
    expect(timed.output.stderr).toContain('0 and 0 and 0 packets by 3 workers');
    expect(await listTables(net.a)).toEqual([]);
  });

  test.each<[string, string[], number, RegExp]>([
    ['a file', ['-r', 'captures/demo.pcapng'], 2, /--workers is for live traffic/],
    ['a process', ['-p', 'curl'], 2, /--workers cannot be used with --process/],
    ['none of them', ['--workers', '0'], 2, /1 to 256/],
    [
      'a filter on a process',
      ['--dialect', 'extended', 'processId == 1'],
      1,
      /processes of packets/,
    ],
  ])('refused: %s', async (_name, args, expected, message) => {
    const { code, stdout, stderr } = await netdivert(['pass', '--workers', '2', ...args]);
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
    expect(stderr).toMatch(message);
  });
});

describe('block', () => {
  test('drops in the kernel until it ends', async () => {
    const block = startInA('block', '--json', 'icmp');
    await block.saw('blocking icmp');
    expect((await ping(3)).code).toBe(1);
    await interrupt(block);
    const [summary] = linesOf(block);
    expect(summary).toMatchObject({ command: 'block', stats: { dropped: 3, sent: 0 } });
    expect((await ping(1)).code).toBe(0);
  });

  test('--reject: curl is refused at once', async () => {
    const block = startInA('block', '--reject', 'outbound and tcp.DstPort == 80');
    await block.saw('rejecting');
    const { code, stderr } = await curl(`http://${net.b.ipv4}/`);
    expect({ code, stderr }).toMatchObject({ code: 7 });
    await interrupt(block);
    expect((await curl(`http://${net.b.ipv4}/`)).code).toBe(0);
  });

  test('the packets of one program only', async () => {
    const block = startInA('block', '-p', 'curl', 'outbound and tcp.DstPort == 80');
    await block.saw('blocking');
    expect((await curl('--connect-timeout', '1', `http://${net.b.ipv4}/`)).code).toBe(28);
    const script = `require('http').get('http://${net.b.ipv4}', (r) => console.log(r.statusCode))`;
    expect((await net.a.exec(process.execPath, ['-e', script])).stdout).toBe('200\n');
    await interrupt(block);
  });
});

describe('web', () => {
  test('a page for HTTP, a reset for TLS; other names get through', async () => {
    const web = startInA('web', '--host', 'ads.example', '--json');
    await web.saw('filtering');
    const ask = (host: string): Promise<ExecResult> =>
      curl('-w', '\n%{http_code}', '-H', `Host: ${host}`, `http://${net.b.ipv4}/`);
    expect((await ask('shop.example')).stdout).toBe('host shop.example\n200');
    const page = await ask('www.ads.example');
    expect(page.stdout).toContain('<strong>www.ads.example</strong> is on the block list');
    expect(page.stdout).toMatch(/\n403$/);
    const address = `ads.example:443:${net.b.ipv4}`;
    expect((await curl('--resolve', address, 'https://ads.example/')).code).toBe(35);
    await interrupt(web);
    const [http, tls, summary] = linesOf(web);
    expect(http).toMatchObject({
      protocol: 'http',
      host: 'www.ads.example',
      entry: 'ads.example',
      source: net.a.ipv4,
    });
    expect(tls).toMatchObject({ protocol: 'tls', host: 'ads.example' });
    expect(summary).toMatchObject({ command: 'web', requests: 3, blocked: 2 });
  });

  test('over IPv6', async () => {
    const web = startInA('web', '--host', 'ads.example');
    await web.saw('filtering');
    const page = await curl('-H', 'Host: ads.example', `http://[${net.b.ipv6}]/`);
    expect(page.stdout).toContain('is on the block list');
    await interrupt(web);
    expect(web.output.stdout).toContain(`blocked http ads.example (${net.a.ipv6})`);
  });
});

describe('stream', () => {
  test('--to: a proxy on this host answers instead', async () => {
    const stream = startInA('stream', '--to', '127.0.0.1:8080', '--json', 'tcp.DstPort == 7');
    await stream.saw('leading');
    const script = `require('net').connect(7, '${net.b.ipv4}').on('data', (d) => console.log(String(d)))`;
    expect((await net.a.exec(process.execPath, ['-e', script])).stdout).toBe('proxy\n');
    await interrupt(stream);
    expect(linesOf(stream)).toMatchObject([{ command: 'stream', opened: 1, refused: 0 }]);
  });

  test('--save: both directions are written down', async () => {
    const saved = join(folder, 'streams');
    const stream = startCommand(
      ['stream', '--save', saved, '--json', 'tcp.DstPort == 80'],
      ['nsenter', `--net=${net.a.path}`, '--'],
    );
    await stream.saw('leading');
    expect((await curl('-H', 'Host: a.example', `http://${net.b.ipv4}/`)).stdout).toBe(
      'host a.example',
    );
    await stream.saw('"type":"stream"');
    await interrupt(stream);
    expect(linesOf(stream)[0]).toMatchObject({ destination: net.b.ipv4, destinationPort: 80 });
    expect(readdirSync(saved).sort()).toEqual(['000001.client', '000001.server']);
    expect(readFileSync(join(saved, '000001.client'), 'latin1')).toMatch(/^GET \/ HTTP\/1\.1\r\n/);
    expect(readFileSync(join(saved, '000001.server'), 'latin1')).toMatch(
      /\r\n\r\nhost a\.example$/,
    );
  });
});

describe('shape', () => {
  test('delays and loses, says how many and with which seed', async () => {
    const shape = startInA(
      'shape',
      '--latency',
      '30ms',
      '--on',
      'outbound',
      '--seed',
      '5',
      '--json',
      'icmp',
    );
    await shape.saw('shaping icmp');
    expect((await ping(5)).code).toBe(0);
    await interrupt(shape);
    expect(linesOf(shape)).toMatchObject([
      {
        seed: 5,
        links: { outbound: { packets: 5, delayed: 5, lost: 0 }, inbound: { delayed: 0 } },
      },
    ]);
  });

  test('all lost', async () => {
    const shape = startInA('shape', '--loss', '100%', 'icmp');
    await shape.saw('shaping icmp');
    expect((await ping(3)).code).toBe(1);
    await interrupt(shape);
    expect(shape.output.stderr).toContain('outbound: 3 packets, 0 sent on, 3 lost');
  });
});

test('a second Ctrl-C ends a command that still has something to do', async () => {
  const shape = startInA('shape', '--latency', '1h', 'icmp');
  await shape.saw('shaping icmp');
  await ping(1);
  shape.child.kill('SIGINT');
  // The first one waits for the packet that is on its way.
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(shape.child.exitCode).toBeNull();
  shape.child.kill('SIGINT');
  expect(await shape.ended()).toBe(130);
  expect((await ping(1)).code).toBe(0);
  expect(await listTables(net.a)).toEqual([]);
});

describe('events', () => {
  test('flows --follow: a connection of curl, from its beginning to its end', async () => {
    const flows = startInA('flows', '--follow', '--json', 'tcp and remotePort == 80');
    await flows.saw('watching flows');
    await curl(`http://${net.b.ipv4}/`);
    await flows.saw('"deleted"');
    await interrupt(flows);
    const events = linesOf(flows);
    expect(events.slice(0, 2)).toMatchObject([
      {
        event: 'established',
        processName: 'curl',
        remoteAddress: net.b.ipv4,
        remotePort: 80,
        outbound: true,
      },
      { event: 'deleted', processName: 'curl', remotePort: 80 },
    ]);
  });

  test('sockets --follow: what curl does', async () => {
    const sockets = startInA('sockets', '--follow', '-p', 'curl', 'tcp');
    await sockets.saw('watching socket operations');
    await curl(`http://${net.b.ipv4}/`);
    await sockets.saw('close');
    await interrupt(sockets);
    expect(sockets.output.stdout).toMatch(
      /connect {5}out TCP {4}\S+ 10\.99\.0\.2:80 curl\[\d+\]\n/,
    );
  });

  test('sockets --block: connecting fails, others connect', async () => {
    const sockets = startInA('sockets', '--block', 'event == CONNECT and remotePort == 7');
    await sockets.saw('which are blocked');
    expect((await curl(`telnet://${net.b.ipv4}:7`)).code).toBe(7);
    expect((await curl(`http://${net.b.ipv4}/`)).code).toBe(0);
    await interrupt(sockets);
    expect(sockets.output.stdout).toMatch(/connect .*:7 curl\[\d+\] blocked\n/);
  });

  test('the tables have the servers of a namespace', async () => {
    const all = await netdivert(inA('sockets', '--json', 'event == LISTEN and localPort == 8080'));
    expect(JSON.parse(all.stdout)).toMatchObject({
      protocol: 'tcp',
      state: 'listening',
      localAddress: '127.0.0.1',
      localPort: 8080,
      process: { name: NODE_NAME, pid: servers[0]?.child.pid },
    });
    const others = await netdivert(
      inA('sockets', '-p', `!${NODE_NAME}`, 'event == LISTEN and localPort == 8080'),
    );
    expect(others).toEqual({ code: 0, stdout: '', stderr: 'none\n' });
    expect((await netdivert(inA('flows', 'remotePort == 9'))).stderr).toBe('none\n');
  });
});

describe('handles', () => {
  test('list, watch and kill see those of other programs', async () => {
    // Handles of the whole machine are seen: those of this test have a priority of their own.
    const priority = -20_000 - (process.pid % 10_000);
    const watch = startCommand(['handles', 'watch', '--json', `priority == ${priority}`]);
    await watch.saw('watching handles');
    const dump = startInA('dump', '--priority', `${priority}`, 'icmp');
    await dump.saw('watching icmp');
    const { stdout } = await netdivert(['handles', 'list', '--json']);
    const handle = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
      .find(({ processId }) => processId === dump.child.pid);
    expect(handle).toMatchObject({ layer: 'network', mode: 'sniff', priority, filter: 'icmp' });
    expect(checkJsonLine(JSON.stringify(handle))).toEqual([]);
    const shown = await netdivert(['handles', 'kill', handle.handleId, '--dry-run']);
    expect(shown).toMatchObject({ code: 0, stdout: '' });
    expect(shown.stderr).toContain(`would end process ${dump.child.pid}`);
    expect(await netdivert(['handles', 'kill', handle.handleId, '--json'])).toMatchObject({
      code: 0,
    });
    expect(await dump.ended()).toBe(130);
    await watch.saw('"close"');
    await interrupt(watch);
    expect(linesOf(watch)).toMatchObject([
      { event: 'open' },
      { event: 'close' },
      { type: 'summary' },
    ]);
  });
});

describe('top', () => {
  test('--batch: who sends how much', async () => {
    const top = startInA('top', '--batch', '--json', '-i', '500ms', 'tcp and remotePort == 7');
    const script = `
      const socket = require('net').connect(7, '${net.b.ipv4}').resume();
      setInterval(() => socket.write(Buffer.alloc(1000)), 20);`;
    const sender = net.a.spawn(process.execPath, ['-e', script]);
    await top.saw(`${NODE_NAME}[${sender.pid}]`);
    sender.kill();
    await interrupt(top);
    const row = linesOf(top).find(({ process }) => process === `${NODE_NAME}[${sender.pid}]`);
    expect(row).toMatchObject({ type: 'traffic', view: 'processes', what: '1 flow' });
    expect(Number(row?.bytes)).toBeGreaterThan(1000);
  });

  test('on a terminal: draws, takes keys, gives the terminal back', async () => {
    const command = `"${process.execPath}" "${COMMAND}" top -N ${net.a.path}`;
    const script = `(sleep 4; printf v; sleep 1; printf q) | script -qec '${command}' /dev/null`;
    const { code, stdout } = await net.a.exec('bash', ['-c', script], { env: { TERM: 'xterm' } });
    expect(code).toBe(0);
    expect(stdout).toContain('\x1b[?1049h');
    expect(stdout).toContain('PROCESS');
    expect(stdout).toContain('FLOW ');
    expect(stdout.trimEnd().endsWith('\x1b[?25h\x1b[?1049l')).toBe(true);
  });
});

describe('doctor and cleanup', () => {
  test('doctor opens a handle of each kind', async () => {
    const { code, stdout } = await netdivert(inA('doctor', '--json'));
    const checks = stdout.trimEnd().split('\n');
    for (const line of checks) expect(checkJsonLine(line)).toEqual([]);
    const failed = checks.map((line) => JSON.parse(line)).filter(({ status }) => status === 'fail');
    expect({ code, failed }).toEqual({ code: 0, failed: [] });
    for (const name of ['divert', 'sniff', 'flow-layer', 'socket-layer', 'reflect-layer']) {
      expect(stdout).toContain(`"name":"${name}","status":"ok"`);
    }
  });

  test('doctor names flowtables, where the kernel has them', async () => {
    const made = await net.b.exec('nft', [
      'add table inet other; add flowtable inet other fast { hook ingress priority 0; devices = { lo }; }',
    ]);
    const { stdout } = await netdivert(['doctor', '--no-trial', '-N', net.b.path]);
    const expected =
      made.code === 0 ? /^warn {2}flow-offload .*other\/fast$/m : /^ok {4}flow-offload/m;
    expect(stdout).toMatch(expected);
    await net.b.exec('nft', ['delete table inet other']);
  });

  test('doctor names the owners of queues', async () => {
    const script = `
      import { open } from 'netdivert';
      const handle = await open('udp.DstPort == 9', { namespace: '${net.b.path}' });
      console.log('ready');
      await handle.receive();`;
    const child = net.b.spawn(process.execPath, ['--input-type=module', '-e', script], {
      cwd: ROOT,
    });
    await waitReady(child);
    const { stdout } = await netdivert(['doctor', '--no-trial', '-N', net.b.path]);
    child.kill();
    expect(stdout).toMatch(/^ok {4}queues +1 NFQUEUE queues, none of others$/m);
  });

  test('cleanup removes tables of processes that are gone, and only these', async () => {
    await net.b.exec('nft', ['add table inet netdivert-4194304-abcdef; add table inet other']);
    const named = await netdivert(['cleanup', '--dry-run', '-N', net.b.path]);
    expect(named).toMatchObject({ code: 0, stdout: 'table netdivert-4194304-abcdef\n' });
    const { stdout } = await netdivert(['cleanup', '--json', '-N', net.b.path]);
    expect(checkJsonLine(stdout)).toEqual([]);
    expect(await listTables(net.b)).toEqual(['table inet other']);
    expect((await netdivert(['cleanup', '-N', net.b.path])).stderr).toBe('nothing is left over\n');
  });
});

test('at the end nothing is left in the kernel', async () => {
  expect(await listTables(net.a)).toEqual([]);
});
