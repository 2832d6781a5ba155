/** A program that gives up what it does not need: every thread of it, for good. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMAND, ensureBuilt } from '../helpers/command.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';

let net: Network;
beforeAll(async () => {
  ensureBuilt();
  net = await createNetwork();
});
afterAll(() => net.close());

/** What is left: of all threads, of children, and what a handle says to it. */
const REPORT = `
  import { execFileSync } from 'node:child_process';
  import { readdirSync, readFileSync } from 'node:fs';
  import { dropPrivileges, open } from 'netdivert';
  const of = (path) => Object.fromEntries(
    [...readFileSync(path, 'utf8').matchAll(/^(Cap\\w+|NoNewPrivs|Uid|Gid|Groups):[\\t ]*(.*?) *$/gm)]
      .map(([, name, value]) => [name, value]));
  const say = (what) => console.log(JSON.stringify(what));
  try {
    await dropPrivileges(JSON.parse(process.argv[1]));
    const pid = process.pid;
    const threads = readdirSync('/proc/self/task').map((id) => of('/proc/self/task/' + id + '/status'));
    let opened = true;
    try {
      const handle = await open('udp.DstPort == 5900');
      await handle.setFilter('udp.DstPort == 5901');
      await handle.close();
    } catch (error) { opened = error.feature ?? error.message; }
    const child = execFileSync('cat', ['/proc/self/status'], { encoding: 'utf8' });
    say({ pid, threads, opened, child: /CapEff:\\s*(\\w+)/.exec(child)[1], rest: process.argv.slice(2), word: process.env.WORD });
  } catch (error) {
    const { CapBnd } = of('/proc/self/status');
    say({ code: error.code, feature: error.feature, message: error.message, hint: error.hint, CapBnd });
  }
`;

const NODE = [process.execPath, '--input-type=module', '-e', REPORT];
const NET_ADMIN_AND_BPF = '0000008000001000';
const NOTHING = '0000000000000000';

async function run(options: unknown, before: readonly string[] = []): Promise<never> {
  const command = ['env', 'WORD=a word', ...before, ...NODE, JSON.stringify(options), 'x y', ''];
  const [file = '', ...args] = command;
  const { stdout, stderr } = await net.a.exec(file, args);
  expect(stderr).toBe('');
  return JSON.parse(stdout) as never;
}

interface Report {
  readonly pid: number;
  readonly threads: readonly Readonly<Record<string, string>>[];
  readonly opened: true | string;
  readonly child: string;
  readonly rest: readonly string[];
  readonly word: string;
}

describe('root', () => {
  test.each([
    ['stays root', {}, '0'],
    ['becomes nobody, by name', { user: 'nobody' }, '65534'],
    ['becomes somebody, by numbers', { user: { uid: 4242, gid: 4343 } }, '4242'],
  ])('%s: all threads have what is kept, and no more', async (_, options, uid) => {
    const { threads, opened, child, rest, word }: Report = await run(options);
    expect(threads.length).toBeGreaterThan(4);
    for (const thread of threads) {
      expect(thread).toMatchObject({ NoNewPrivs: '1', CapBnd: NET_ADMIN_AND_BPF });
      expect([thread.CapPrm, thread.CapEff]).toEqual([NET_ADMIN_AND_BPF, NET_ADMIN_AND_BPF]);
      expect(thread.Uid).toBe([uid, uid, uid, uid].join('\t'));
      if (uid !== '0') expect(thread.Groups).toBe('');
    }
    expect(opened).toBe(true);
    expect(child).toBe(NET_ADMIN_AND_BPF);
    expect({ rest, word }).toEqual({ rest: ['x y', ''], word: 'a word' });
  });

  test('keeps nothing: what then is missing is named', async () => {
    const { threads, opened }: Report = await run({ capabilities: [], user: 'nobody' });
    for (const thread of threads) expect(thread.CapPrm).toBe(NOTHING);
    expect(opened).toBe('CAP_NET_ADMIN');
  });
});

describe('an ordinary user', () => {
  const having = (set: string): string[] => [
    'setpriv',
    '--reuid=65534',
    '--regid=65534',
    '--clear-groups',
    `--inh-caps=-all,${set}`,
    `--ambient-caps=-all,${set}`,
  ];

  test('gives up one of three', async () => {
    const { threads, opened }: Report = await run({}, having('+net_admin,+bpf,+net_raw'));
    for (const { CapPrm, CapEff, CapAmb, NoNewPrivs } of threads) {
      expect([CapPrm, CapEff, CapAmb]).toEqual(Array(3).fill(NET_ADMIN_AND_BPF));
      expect(NoNewPrivs).toBe('1');
    }
    expect(opened).toBe(true);
  });

  test('cannot keep what it does not have', async () => {
    const report: { message: string } = await run({}, having('+net_admin'));
    expect(report).toMatchObject({ code: 'access-denied', feature: 'CAP_BPF' });
    expect(report.message).toBe(
      'There is no CAP_BPF to keep.\nStart the program as root, or with CAP_BPF.',
    );
  });

  test('cannot become another user', async () => {
    const report = await run({ user: { uid: 1, gid: 1 } }, having('+net_admin,+bpf'));
    expect(report).toMatchObject({ code: 'access-denied', feature: 'CAP_SETUID' });
  });

  test('that is refused has changed nothing', async () => {
    const before = having('+net_admin,+bpf,+setpcap');
    const untouched: { CapBnd: string } = await run({ capabilities: ['CAP_CHOWN'] }, before);
    const refused: { CapBnd: string } = await run({ user: { uid: 1, gid: 1 } }, before);
    expect(refused).toMatchObject({ feature: 'CAP_SETUID', CapBnd: untouched.CapBnd });
  });
});

test.each([
  [{ capabilities: ['NET_ADMIN'] }, 'There is no capability "NET_ADMIN"'],
  [{ user: 'no such user' }, 'There is no user "no such user"'],
])('%j is refused', async (options, message) => {
  const report: { code: string; message: string } = await run(options);
  expect(report.code).toBe('invalid-parameter');
  expect(report.message).toContain(message);
});

describe('the option --user of commands', () => {
  /** Runs a command inside the namespace; a datagram every 20 ms, each from a new socket, is what it sees. */
  async function onTraffic(...args: string[]): Promise<{ stdout: string; stderr: string }> {
    const sender = net.a.spawn('python3', ['-c', SENDER], { stdio: 'ignore' });
    try {
      return await net.a.exec(process.execPath, [COMMAND, ...args]);
    } finally {
      sender.kill();
    }
  }
  const SENDER = `
import socket, time
while True:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b'hello', ('127.0.0.1', 5907))
    time.sleep(0.02)
`;

  test('dump sees packets and their processes', async () => {
    const args = ['dump', '--user', 'nobody', '-c', '1', '--json', 'udp.DstPort == 5907'];
    const { stdout } = await onTraffic(...args);
    expect(JSON.parse(stdout.split('\n')[0] ?? '')).toMatchObject({
      destinationPort: 5907,
      process: { name: 'python3' },
    });
  });

  test('pass puts packets back', async () => {
    const args = ['pass', '--user', 'nobody', '-c', '3', '--json', 'udp.DstPort == 5907'];
    const { stdout } = await onTraffic(...args);
    const { stats } = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
    expect(stats.sent).toBeGreaterThanOrEqual(3);
    expect(stats.lost.total).toBe(0);
  });

  test('a file of somebody else is not read', async () => {
    const args = ['dump', '--user', 'nobody', '-r', '/etc/shadow'];
    const result = await net.a.exec(process.execPath, [COMMAND, ...args]);
    expect(result.stderr).toMatch(/may not be opened by this user/);
  });
});
