import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileFilter } from '../../src/filter/compile.ts';
import { FilterSet } from '../../src/filter/extended/filter-set.ts';
import { FlowLog, sleep } from '../helpers/flow-log.ts';
import { mapsOf, programsOf } from '../helpers/kernel-objects.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { NODE_NAME } from '../helpers/node-name.ts';
import { type Running, scriptPath, startScript, waitReady } from '../helpers/traffic.ts';

let net: Network;

beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

let nextPort = 21_000;

/** One exchange on loopback in `b`, which ends; returns the process ids. */
async function exchange(script: 'flow-tcp' | 'flow-udp'): Promise<number[]> {
  const port = nextPort++;
  const server = await startScript(net.b, script, ['server', '127.0.0.1', port]);
  const client = await startScript(net.b, script, ['client', '127.0.0.1', port]);
  const ends = await Promise.all([server.output, client.output]);
  return ends.map((end) => JSON.parse(end).pid);
}

/** Sends a datagram from one socket to each of some ports. */
function datagrams(count: number): Promise<unknown> {
  return net.b.node(`
    import dgram from 'node:dgram';
    const socket = dgram.createSocket({ type: 'udp4', sendBufferSize: 1 << 20 });
    for (let at = 0; at < ${count}; at++) {
      await new Promise((resolve) => socket.send('x', 1 + at % 65535, \`127.0.0.\${1 + Math.floor(at / 65535)}\`, resolve));
    }
    socket.close();
  `);
}

/** A process that opens a handle in `b` and says what it reports, one event a line. */
function watcher(filter: string): Promise<Running> {
  const source = `
    import { open } from 'netdivert';
    const handle = await open(${JSON.stringify(filter)}, { layer: 'flow', namespace: '${net.b.path}' });
    console.log('ready');
    process.stdin.on('end', () => handle.close()).resume();
    for await (const { event, processId } of handle) console.log(event, processId);
  `;
  return waitReady(net.a.spawn(process.execPath, ['--input-type=module', '-e', source]));
}

async function gone(pid: number): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (programsOf(pid).length + mapsOf(pid).length > 0 && performance.now() < endMs) {
    await sleep(20);
  }
}

test('sockets of other network namespaces are not reported', async () => {
  await using elsewhere = await FlowLog.open(net.a);
  await using here = await FlowLog.open(net.b);
  await exchange('flow-tcp');
  await exchange('flow-udp');
  await here.settle(8);
  expect(here.events).toHaveLength(8);
  expect(elsewhere.events).toEqual([]);
});

test('several handles have a filter each', async () => {
  const filters = [
    ['tcp and outbound', 2],
    ['udp and event == ESTABLISHED', 2],
    ['event == DELETED', 4],
    ['inbound and loopback', 4],
    [`localPort == ${nextPort}`, 2],
    ['processId == 1', 0],
    ['false', 0],
    ['timestamp > 0 and endpointId != 0', 8],
  ] as const;
  const logs = await Promise.all(filters.map(([filter]) => FlowLog.open(net.b, filter)));
  await exchange('flow-tcp');
  await exchange('flow-udp');
  for (const [index, log] of logs.entries()) {
    const [filter, count] = filters[index] ?? ['', 0];
    await log.settle(count);
    expect([filter, log.events.length]).toEqual([filter, count]);
    const { matched, received, passed } = log.handle.stats();
    expect({ matched, received, passed }).toEqual({ matched: count, received: count, passed: 0 });
  }
  await Promise.all(logs.map((log) => log[Symbol.asyncDispose]()));
});

test('handles of two processes', async () => {
  await using log = await FlowLog.open(net.b, 'tcp');
  const running = await watcher('tcp and event == ESTABLISHED');
  const pids = await exchange('flow-tcp');
  await log.settle(4);
  running.child.stdin?.end();
  const theirs = (await running.output).trim().split('\n').sort();
  expect(theirs).toEqual(pids.map((pid) => `established ${pid}`).sort());
  expect(log.events).toHaveLength(4);
});

test('filters of the extended dialect', async () => {
  const ports = new FilterSet();
  const sources = [
    [`processName == "${NODE_NAME}" and protocol in { 6, 17 }`, 8],
    ['userId == 0 and not (tcp or inbound)', 2],
    ['remoteAddr == 127.0.0.0/8 and localAddr in { 10.0.0.0/8, 127.0.0.1 }', 8],
    ['processName == "curl"', 0],
    ['event == ESTABLISHED and (localPort in @ports or remotePort in @ports)', 2],
  ] as const;
  const filters = sources.map(([source]) =>
    compileFilter(source, 'flow', { dialect: 'extended', sets: { ports } }),
  );
  const logs = await Promise.all(filters.map((filter) => FlowLog.open(net.b, filter)));
  ports.add(nextPort);
  await exchange('flow-tcp');
  await exchange('flow-udp');
  for (const [index, log] of logs.entries()) {
    const [source, count] = sources[index] ?? ['', 0];
    await log.settle(count);
    expect([source, log.events.length]).toEqual([source, count]);
    const { matched, passed, received } = log.handle.stats();
    expect([source, matched, passed, received]).toEqual([source, count, 0, count]);
  }
  await Promise.all(logs.map((log) => log[Symbol.asyncDispose]()));
});

test('5,000 connections a second for 10 s', async () => {
  const connections = 50_000;
  await using log = await FlowLog.open(net.b, 'tcp');
  const script = scriptPath('tcp-connections').replace(/mjs$/, 'py');
  const { code, stderr } = await net.b.exec('python3', [script, String(connections), '5000']);
  expect([code, stderr]).toEqual([0, '']);
  await log.settle(4 * connections);
  const { matched, received, queued, lost } = log.handle.stats();
  expect([matched, received, queued]).toEqual([4 * connections, 4 * connections, 0]);
  expect(log.events.length + lost.total).toBe(4 * connections);
});

describe('setFilter', () => {
  test('other protocols than before', async () => {
    await using log = await FlowLog.open(net.b, 'tcp');
    await exchange('flow-udp');
    await log.handle.setFilter('udp');
    const pids = await exchange('flow-udp');
    await exchange('flow-tcp');
    await log.settle(4);
    expect(new Set(log.events.map(({ processId }) => processId))).toEqual(new Set(pids));
    expect(log.events).toHaveLength(4);
  });

  test('the end of a flow that the filter before did not match', async () => {
    await using log = await FlowLog.open(net.b, 'tcp and localPort == 1');
    const port = nextPort++;
    const server = await startScript(net.b, 'flow-tcp', ['server', '127.0.0.1', port]);
    const client = await startScript(net.b, 'flow-tcp', ['client', '127.0.0.1', port, 'hold']);
    await log.handle.setFilter(`tcp and localPort == ${port}`);
    client.child.kill('SIGKILL');
    await server.output;
    const [event] = await log.settle(1);
    expect(event).toMatchObject({ event: 'deleted', localPort: port });
    expect(log.events).toHaveLength(1);
  });
});

describe('in the kernel', () => {
  test('only hooks whose events the filter can match', async () => {
    const counts: number[] = [];
    for (const filter of ['false', 'tcp and outbound', 'udp', 'icmp', 'remotePort == 53']) {
      // The kernel frees programs a little later.
      await gone(process.pid);
      await using log = await FlowLog.open(net.b, filter);
      counts.push(programsOf(process.pid).length);
      expect(log.events).toEqual([]);
    }
    const [none = 0, ...others] = counts;
    expect(others.map((count) => count - none)).toEqual([1, 3, 3, 4]);
  });

  test('nothing is left after close', async () => {
    const log = await FlowLog.open(net.b);
    expect(programsOf(process.pid).length).toBeGreaterThan(4);
    await log[Symbol.asyncDispose]();
    await log.handle.close();
    await gone(process.pid);
    expect([programsOf(process.pid), mapsOf(process.pid)]).toEqual([[], []]);
  });

  test('nothing is left of a process that is killed', async () => {
    const { child } = await watcher('true');
    const pid = child.pid ?? 0;
    expect(programsOf(pid).length).toBeGreaterThan(4);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await gone(pid);
    expect([programsOf(pid), mapsOf(pid)]).toEqual([[], []]);
  });
});

describe('losses are counted', () => {
  test('a program that does not read: the ring is full', async () => {
    const source = `
      import { spawnSync } from 'node:child_process';
      import { open } from 'netdivert';
      const options = { layer: 'flow', namespace: '${net.b.path}', queueSizeBytes: 65535 };
      const handle = await open('udp and event == ESTABLISHED', options);
      const send = "const s = require('dgram').createSocket('udp4'); let left = 2000;" +
        "for (let at = 1; at <= 2000; at++) s.send('x', at, '127.0.0.1', () => { if (--left === 0) s.close(); })";
      spawnSync('nsenter', ['--net=${net.b.path}', process.execPath, '-e', send]);
      handle.shutdown('receive');
      let read = 0;
      for await (const event of handle) read++;
      const { matched, received, lost } = handle.stats();
      console.log(JSON.stringify({ read, matched, received, lost }));
      await handle.close();
    `;
    const { stdout } = await net.a.node(source);
    const { matched, received, lost, read } = JSON.parse(stdout);
    expect(matched).toBe(2000);
    expect(lost.ringFull).toBeGreaterThan(1000);
    expect([received, read + lost.total]).toEqual([2000, 2000]);
  });

  test('more flows than the table has room for', async () => {
    await using log = await FlowLog.open(net.b, 'udp and remotePort == 1');
    await datagrams(66_000);
    await log.settle(4);
    expect(log.handle.stats().lost.tableFull).toBeGreaterThan(0);
    expect(log.handle.stats().lost.tableFull).toBeLessThan(1000);
    expect(log.events.map(({ event }) => event).sort()).toEqual([
      'deleted',
      'deleted',
      'established',
      'established',
    ]);
  });
});

describe('what is missing is said by name', () => {
  const source = `
    import { open } from 'netdivert';
    try {
      const handle = await open('tcp', { layer: 'flow' });
      console.log('open');
      await handle.close();
    } catch (error) {
      console.log(error.name, error.code, error.feature, error.message, error.hint);
    }
  `;
  const node = [process.execPath, '--input-type=module', '-e', source];
  const capabilities = (...names: string[]): string[] => {
    const set = ['-all', ...names.map((name) => `+${name}`)].join(',');
    return [`--inh-caps=${set}`, `--ambient-caps=${set}`, '--bounding-set=+all'];
  };
  const asUser = ['--reuid=65534', '--regid=65534', '--clear-groups'];

  test.each<readonly [string, readonly string[], RegExp]>([
    ['CAP_BPF', capabilities('net_admin'), /UnsupportedError access-denied CAP_BPF/],
    ['CAP_PERFMON', capabilities('net_admin', 'bpf'), /UnsupportedError access-denied CAP_PERFMON/],
    ['everything', capabilities(), /UnsupportedError access-denied CAP_BPF/],
  ])('without %s', async (_, set, expected) => {
    const { stdout } = await net.b.exec('setpriv', [...asUser, ...set, ...node]);
    expect(stdout).toMatch(expected);
  });

  test('CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON are enough, no user id 0', async () => {
    const set = capabilities('net_admin', 'bpf', 'perfmon');
    const { stdout } = await net.b.exec('setpriv', [...asUser, ...set, ...node]);
    expect(stdout.trim()).toBe('open');
  });

  test('without a mount of cgroup v2 it works all the same', async () => {
    const script =
      'umount -a -t cgroup2 && ! grep -q " cgroup2 " /proc/self/mountinfo && exec "$@"';
    const { stdout, stderr } = await net.b.exec('unshare', [
      '-m',
      'sh',
      '-c',
      script,
      '-',
      ...node,
    ]);
    expect([stdout.trim(), stderr]).toEqual(['open', '']);
  });
});
