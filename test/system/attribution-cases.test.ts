/** Whose packets are, where that is not obvious. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { open } from '../../src/index.ts';
import { SocketTracker } from '../../src/linux/sockets/tracker.ts';
import { libc } from '../../src/linux/sys/libc.ts';
import { describe as describePacket, type Seen, watch } from '../helpers/attribution.ts';
import { mapsOf, programsOf } from '../helpers/kernel-objects.ts';
import { createNetwork, type Network, type NetworkEnd } from '../helpers/namespaces.ts';
import { addRoutedEnd } from '../helpers/routed-network.ts';

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

/** A Python program that prints lines and goes on when it gets one. */
interface Script {
  readonly child: ChildProcess;
  line(): Promise<string>;
  say(text?: string): void;
  end(): Promise<void>;
}

/** Not what a search path finds: another user may not be allowed to run that. */
const PYTHON = '/usr/bin/python3';
const HEAD = `
import os, socket, sys, threading, time
def udp(address='0.0.0.0', port=0, reuse=0):
    s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM)
    if reuse: s.setsockopt(socket.SOL_SOCKET, reuse, 1)
    s.bind((address, port))
    return s
def say(*words): print(*words, flush=True)
def wait(): sys.stdin.readline()
`;

function script(end: NetworkEnd, code: string, prefix: readonly string[] = []): Script {
  const [file = PYTHON, ...args] = [...prefix, PYTHON, '-c', HEAD + code];
  const child = end.spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[
    Symbol.asyncIterator
  ]();
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    child,
    line: async () => (await lines.next()).value ?? '',
    say: (text = '') => void child.stdin?.write(`${text}\n`),
    end: () => {
      child.stdin?.end();
      return exited;
    },
  };
}

const pidsOf = (seen: readonly Seen[]): (number | undefined)[] => [
  ...new Set(seen.map(({ process }) => process?.pid)),
];
const withPort = (seen: readonly Seen[], port: number): Seen[] =>
  seen.filter(({ ends }) => ends?.includes(` ${port}`));
const MODES = ['divert', 'sniff'] as const;

describe.each(MODES)('mode %s', (mode) => {
  test('sockets that were there before the handle', async () => {
    const server = script(
      net.b,
      `
s = socket.create_server(('0.0.0.0', 0)); c, _ = s.accept(); u = udp()
say(os.getpid(), s.getsockname()[1], u.getsockname()[1])
while d := c.recv(100): c.send(d)
a, _ = s.accept(); a.send(a.recv(100)); d, r = u.recvfrom(100); u.sendto(d, r); wait()`,
    );
    // Its port is not known before it accepted: found by what listens.
    const port = await listeningPort(net.b, server);
    const client = script(
      net.a,
      `
c = socket.create_connection(('${net.b.ipv4}', ${port})); say('connected'); wait()
c.send(b'old'); c.recv(100); c.close()
n = socket.create_connection(('${net.b.ipv4}', ${port})); n.send(b'new'); n.recv(100)
u = udp(); u.sendto(b'datagram', ('${net.b.ipv4}', int(sys.stdin.readline()))); u.recvfrom(100); say('done')`,
    );
    await client.line();
    const [pid, , udpPort] = (await server.line()).split(' ').map(Number);
    const seen = await watch(net.b, { mode }, async () => {
      client.say();
      client.say(String(udpPort));
      expect(await client.line()).toBe('done');
    });
    await Promise.all([server.end(), client.end()]);
    const theirs = [...withPort(seen, port), ...withPort(seen, udpPort ?? 0)];
    expect(theirs.map(({ text }) => text)).toEqual(
      expect.arrayContaining(['old', 'new', 'datagram']),
    );
    expect(pidsOf(theirs), JSON.stringify(theirs)).toEqual([pid]);
  });

  test('short-lived processes have their names', async () => {
    const sink = script(net.a, `u = udp('0.0.0.0', 7001); say('ready'); wait()`);
    await sink.line();
    const seen = await watch(net.b, { mode }, () =>
      net.b.exec('sh', ['-c', `echo short | nc -u -q 0 -w 1 ${net.a.ipv4} 7001`]),
    );
    await sink.end();
    const [first] = seen.filter(({ text }) => text === 'short');
    expect(first?.process).toMatchObject({ name: 'nc', userId: 0, confidence: 'certain' });
  });

  test('a child that uses an inherited socket', async () => {
    const pids: number[] = [];
    const seen = await watch(net.b, { mode }, async () => {
      const family = script(
        net.b,
        `
u = udp(); u.sendto(b'parent', ('${net.a.ipv4}', 9)); c = os.fork()
if c == 0:
    u.sendto(b'child', ('${net.a.ipv4}', 9)); os._exit(0)
os.waitpid(c, 0); u.sendto(b'again', ('${net.a.ipv4}', 9)); say(os.getpid(), c); wait()`,
      );
      pids.push(...(await family.line()).split(' ').map(Number));
      await family.end();
    });
    const owner = (text: string): (number | undefined)[] =>
      pidsOf(seen.filter((packet) => packet.text === text));
    const [parent, child] = pids;
    for (const [text, pid] of [
      ['parent', parent],
      ['child', child],
      ['again', parent],
    ] as const) {
      const [found] = owner(text);
      // In a queue at the same time, the three cannot be told apart: then nobody is named.
      if (mode === 'sniff') expect(found).toBe(pid);
      else expect([pid, undefined]).toContain(found);
    }
  });

  test('a server that forks before it accepts', async () => {
    const seen = await watch(net.b, { mode }, async () => {
      const server = script(
        net.b,
        `
s = socket.create_server(('0.0.0.0', 7002)); say('ready'); c = os.fork()
if c == 0:
    a, _ = s.accept(); a.recv(9); a.send(b'from child'); a.close(); os._exit(0)
say(c); os.waitpid(c, 0)`,
      );
      await server.line();
      const child = Number(await server.line());
      const client = script(
        net.a,
        `
c = socket.create_connection(('${net.b.ipv4}', 7002)); c.send(b'x'); say(c.recv(100)); c.recv(1)`,
      );
      await client.line();
      await client.end();
      await server.end();
      pid = child;
    });
    const [answer] = seen.filter(({ text }) => text === 'from child');
    expect(answer?.process).toMatchObject({ pid, confidence: 'certain' });
  });
  let pid = 0;

  test('a worker thread of Node', async () => {
    const seen = await watch(net.b, { mode, filter: 'udp' }, () =>
      net.b.node(`
import { Worker } from 'node:worker_threads';
new Worker(\`
  import { createSocket } from 'node:dgram';
  const socket = createSocket('udp4');
  socket.send('worker', 9, '${net.a.ipv4}', () => socket.close());
\`, { eval: true });
`),
    );
    const found = seen.filter(({ text }) => text === 'worker');
    expect(found.length).toBe(1);
    expect(found[0]?.process?.name).toMatch(/^node/);
    expect(found[0]?.process?.name).not.toMatch(/Worker/);
  });

  test('a thread with a name of its own', async () => {
    const seen = await watch(net.b, { mode, filter: 'udp' }, async () => {
      const threads = script(
        net.b,
        `
def work():
    with open(f'/proc/self/task/{threading.get_native_id()}/comm', 'w') as comm: comm.write('renamed')
    udp().sendto(b'thread', ('${net.a.ipv4}', 9))
t = threading.Thread(target=work); t.start(); t.join(); say('sent')`,
      );
      await threads.line();
      await threads.end();
    });
    expect(seen.map(({ text, process }) => [text, process?.name])).toEqual([['thread', 'python3']]);
  });

  test("a process that looks at another's sockets", async () => {
    const seen = await watch(net.b, { mode, filter: 'udp' }, async () => {
      const owner = script(
        net.b,
        `
u = udp(); u.connect(('${net.a.ipv4}', 9)); say(os.getpid(), u.fileno()); wait(); u.send(b'mine'); say('sent')`,
      );
      const [ownerPid, fd] = (await owner.line()).split(' ');
      const looker = script(
        net.b,
        `
import ctypes
fd = ctypes.CDLL(None).syscall(438, os.pidfd_open(${ownerPid}), ${fd}, 0)
say(socket.socket(fileno=fd).getpeername()[1])`,
      );
      expect(await looker.line()).toBe('9');
      await looker.end();
      owner.say();
      await owner.line();
      await owner.end();
      pid = Number(ownerPid);
    });
    expect(seen.map(({ text, process }) => [text, process?.pid])).toEqual([['mine', pid]]);
  });

  test('a port that another process takes over at once', async () => {
    const take = (text: string): string =>
      `u = udp('0.0.0.0', 7003); u.sendto(b'${text}', ('${net.a.ipv4}', 9)); say(os.getpid())`;
    const pids = new Map<string, number>();
    const seen = await watch(net.b, { mode }, async () => {
      for (let round = 0; round < 20; round++) {
        const one = script(net.b, take(`r${round}`));
        pids.set(`r${round}`, Number(await one.line()));
        await one.end();
      }
    });
    const sent = seen.filter(({ text }) => pids.has(text));
    expect(sent.length).toBe(20);
    const wrong = sent.filter(({ text, process }) => process && process.pid !== pids.get(text));
    expect(wrong).toEqual([]);
    if (mode === 'sniff') expect(sent.filter(({ process }) => !process)).toEqual([]);
  });

  test('several processes at one port: nobody is named', async () => {
    const listen = `u = udp('0.0.0.0', 7004, socket.SO_REUSEPORT); say(os.getpid()); wait()`;
    const seen = await watch(net.b, { mode, filter: 'udp.DstPort == 7004' }, async () => {
      const first = script(net.b, listen);
      const pidOfFirst = Number(await first.line());
      const send = (text: string): string =>
        `udp().sendto(b'${text}', ('${net.b.ipv4}', 7004)); say('sent')`;
      const sendOne = async (text: string): Promise<void> => {
        const sender = script(net.a, send(text));
        await sender.line();
        await sender.end();
      };
      await sendOne('one');
      const second = script(net.b, listen);
      await second.line();
      await sendOne('two');
      await Promise.all([first.end(), second.end()]);
      await sendOne('none');
      pid = pidOfFirst;
    });
    expect(seen.map(({ text, process }) => [text, process?.pid])).toEqual([
      ['one', pid],
      ['two', undefined],
      ['none', undefined],
    ]);
  });

  test('who it is: path, command line, user, control group', async () => {
    const seen = await watch(net.b, { mode }, async () => {
      const user = script(
        net.b,
        `udp().sendto(b'user', ('${net.a.ipv4}', 9)); say(os.getpid()); wait()`,
        ['setpriv', '--reuid=65534', '--clear-groups', '--'],
      );
      await user.line();
      // What /proc says is read a moment after.
      await new Promise((resolve) => setTimeout(resolve, 100));
      await user.end();
    });
    const [found] = seen.filter(({ text }) => text === 'user');
    expect(found?.process).toMatchObject({ name: 'python3', userId: 65534, confidence: 'certain' });
    expect(found?.process?.commandLine?.slice(0, 2)).toEqual([PYTHON, '-c']);
    expect(found?.process?.executable).toMatch(/python3/);
    expect(found?.process?.cgroup).toMatch(/^\//);
  });

  test('the kernel itself: echo replies, resets and neighbours', async () => {
    const seen = await watch(net.b, { mode }, async () => {
      await net.a.exec('ping', ['-c', '2', '-i', '0.2', net.b.ipv4]);
      await net.a.exec('ping', ['-c', '2', '-i', '0.2', net.b.ipv6]);
      await net.a.exec('nc', ['-w', '1', net.b.ipv4, '1']);
      await net.a.exec('nc', ['-w', '1', net.b.ipv6, '1']);
    });
    expect(seen.length).toBeGreaterThanOrEqual(12);
    expect(pidsOf(seen)).toEqual([undefined]);
  });

  test('filters by process', async () => {
    const options = { mode, dialect: 'extended', filter: 'processName == "nc" and udp' } as const;
    const seen = await watch(net.b, options, async () => {
      await net.b.exec('sh', ['-c', `echo mine | nc -u -q 0 -w 1 ${net.a.ipv4} 9`]);
      const other = script(net.b, `udp().sendto(b'other', ('${net.a.ipv4}', 9)); say('sent')`);
      await other.line();
      await other.end();
    });
    expect(seen.map(({ text }) => text)).toContain('mine');
    expect(seen.map(({ process }) => process?.name)).toEqual(seen.map(() => 'nc'));
  });
});

/** The port that a process of ours listens on. */
async function listeningPort(end: NetworkEnd, { child }: Script): Promise<number> {
  for (;;) {
    const { stdout } = await end.exec('ss', ['-Hltn']);
    const port = /:(\d+)\s/.exec(stdout)?.[1];
    if (port !== undefined) return Number(port);
    if (child.exitCode !== null) throw new Error('it ended');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('a server of Node, which accepts without asking who calls', () => {
  test.each([false, true])('fragments: %s', async (fragments) => {
    const seen = await watch(net.b, { fragments }, async () => {
      const server = net.b.spawn(process.execPath, ['-e', NODE_SERVER], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const lines = createInterface({ input: server.stdout as NodeJS.ReadableStream });
      const port = await new Promise<number>((resolve) => {
        lines.once('line', (line) => resolve(Number(line)));
      });
      const client = script(
        net.a,
        `
c = socket.create_connection(('${net.b.ipv4}', ${port})); c.send(b'question'); say(c.recv(100)); c.close()
c = socket.create_connection(('${net.b.ipv6}', ${port})); c.send(b'question'); say(c.recv(100)); c.close()
u = udp('0.0.0.0'); u.sendto(b'datagram', ('${net.b.ipv4}', ${port})); say(u.recvfrom(100)[0])`,
      );
      for (let answer = 0; answer < 3; answer++) expect(await client.line()).toContain('answer');
      await client.end();
      nodePid = server.pid;
      const exited = new Promise((resolve) => server.once('exit', resolve));
      server.kill();
      await exited;
    });
    const ends = seen.filter(({ ends }) => ends?.includes(net.b.ipv4) || ends?.includes('tcp'));
    expect(ends.length).toBeGreaterThan(10);
    const wrong = ends.filter(({ process }) => process?.pid !== nodePid);
    expect(wrong).toEqual([]);
    const inbound = seen.find(({ text, outbound }) => text === 'question' && !outbound);
    expect(inbound?.process?.confidence).toBe('likely');
  });
  let nodePid: number | undefined;
});

const NODE_SERVER = `
const server = require('node:net').createServer((socket) => {
  socket.on('data', () => socket.write('answer'));
  socket.on('end', () => socket.end());
});
const socket = require('node:dgram').createSocket('udp4', (_, { port, address }) => {
  socket.send('answer', port, address);
});
server.listen(0, '::', () => {
  const { port } = server.address();
  socket.bind(port, () => console.log(port));
});
`;

describe('a diverted packet', () => {
  test('is the owner of what came, not of what it was changed to', async () => {
    const handle = await open('udp.DstPort == 9', { attribution: true, namespace: net.b.path });
    const sender = script(
      net.b,
      `udp().sendto(b'x', ('${net.a.ipv4}', 9)); say(os.getpid()); wait()`,
    );
    const pid = Number(await sender.line());
    const packet = await handle.receive();
    if (!packet?.udp) throw new Error('no packet');
    packet.udp.srcPort = 1234;
    packet.bytes[15] = 77;
    expect(packet.process?.pid).toBe(pid);
    const copy = packet.retain();
    handle.send(packet);
    expect(copy.process?.pid).toBe(pid);
    await handle.close();
    await sender.end();
  });

  test('that was sent has an owner only when that was asked before', async () => {
    const handle = await open('udp.DstPort == 9', { attribution: true, namespace: net.b.path });
    const sender = script(net.b, `udp().sendto(b'x', ('${net.a.ipv4}', 9)); say('sent'); wait()`);
    const packet = await handle.receive();
    if (!packet) throw new Error('no packet');
    handle.send(packet);
    expect(packet.process).toBe(null);
    await handle.close();
    await sender.end();
  });

  test('has no owner without the option', async () => {
    const handle = await open('udp.DstPort == 9', { namespace: net.b.path });
    const sender = script(net.b, `udp().sendto(b'x', ('${net.a.ipv4}', 9)); say('sent'); wait()`);
    const packet = await handle.receive();
    expect(packet && describePacket(packet).process).toBe(null);
    await handle.close();
    await sender.end();
  });
});

test("forwarded packets are nobody's", async () => {
  await using routed = await createNetwork();
  const far = addRoutedEnd(routed);
  const handle = await open('udp', {
    layer: 'forward',
    attribution: true,
    namespace: routed.b.path,
  });
  const sender = script(routed.a, `udp().sendto(b'x', ('${far.ipv4}', 9)); say('sent'); wait()`);
  const packet = await handle.receive();
  expect(packet?.udp?.dstPort).toBe(9);
  expect(packet?.process).toBe(null);
  await handle.close();
  await sender.end();
});

test('nothing is left of it', async () => {
  const before = [programsOf(process.pid).length, mapsOf(process.pid).length];
  for (let round = 0; round < 3; round++) {
    const handle = await open('true', { attribution: true, namespace: net.b.path });
    expect(programsOf(process.pid).length).toBeGreaterThan(before[0] ?? 0);
    await handle.close();
  }
  await expect
    .poll(() => [programsOf(process.pid).length, mapsOf(process.pid).length])
    .toEqual(before);
});

test('only sockets of internet protocols are borrowed from other processes', async () => {
  const owner = script(
    net.b,
    `
held = [udp(), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12), *socket.socketpair()]
say(os.getpid(), *[s.fileno() for s in held]); wait()`,
  );
  const [pid = 0, internet, ...others] = (await owner.line()).split(' ').map(Number);
  const borrowed: number[] = [];
  let current = 0;
  const opening = vi.spyOn(libc, 'pidfd_open').mockImplementation((id, flags) => {
    current = id;
    return pidfdOpen(id, flags);
  });
  const borrowing = vi.spyOn(libc, 'pidfd_getfd').mockImplementation((pidFd, fd, flags) => {
    if (current === pid) borrowed.push(fd);
    return pidfdGetfd(pidFd, fd, flags);
  });
  const tracker = SocketTracker.acquire();
  await tracker.settled;
  tracker.release();
  opening.mockRestore();
  borrowing.mockRestore();
  await owner.end();
  expect(borrowed).toEqual([internet]);
  expect(others.length).toBe(3);
});

const { pidfd_open: pidfdOpen, pidfd_getfd: pidfdGetfd } = libc;
