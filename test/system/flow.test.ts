import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FlowEvent } from '../../src/divert/event.ts';
import { asReported, endOf, FlowLog, type OwnEnd, sleep } from '../helpers/flow-log.ts';
import { createNetwork, type Network, type NetworkEnd } from '../helpers/namespaces.ts';
import { NODE_NAME } from '../helpers/node-name.ts';
import { type Running, startScript, waitReady } from '../helpers/traffic.ts';

let net: Network;

beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

const TCP = 6;
const UDP = 17;
const ICMP = 1;
const ICMPV6 = 58;
let nextPort = 20_000;

async function ownEnd(running: Running): Promise<OwnEnd> {
  return asReported(JSON.parse(await running.output));
}

/** Where the ends of an exchange are. */
interface Exchange {
  readonly name: string;
  readonly script: 'flow-tcp' | 'flow-udp';
  readonly client: 'a' | 'b';
  /** Address the server binds, and the one the client connects to; functions of the network. */
  readonly bind: (end: Network) => string;
  readonly connect?: (end: Network) => string;
  readonly loopback: boolean;
  readonly ipv6: boolean;
}

const EXCHANGES: readonly Exchange[] = (['flow-tcp', 'flow-udp'] as const).flatMap((script) => [
  row('IPv4 loopback', { script, bind: () => '127.0.0.1' }),
  row('IPv6 loopback', { script, bind: () => '::1', ipv6: true }),
  row('own IPv4 address', { script, bind: ({ b }) => b.ipv4 }),
  row('own IPv6 address', { script, bind: ({ b }) => b.ipv6, ipv6: true }),
  row('IPv4 from outside', { script, client: 'a', bind: ({ b }) => b.ipv4 }),
  row('IPv6 from outside', { script, client: 'a', bind: ({ b }) => b.ipv6, ipv6: true }),
  row('IPv4 on an IPv6 client', {
    script,
    client: 'a',
    bind: ({ b }) => b.ipv4,
    connect: ({ b }) => `::ffff:${b.ipv4}`,
  }),
]);

function row(name: string, rest: Partial<Exchange> & Pick<Exchange, 'script' | 'bind'>): Exchange {
  const client = rest.client ?? 'b';
  const loopback = client === 'b';
  const protocol = rest.script === 'flow-tcp' ? 'TCP' : 'UDP';
  return { client, loopback, ipv6: false, ...rest, name: `${protocol}, ${name}` };
}

/** Both events of one end, as that end's process says. */
function expectFlow(events: readonly FlowEvent[], end: OwnEnd, expected: Partial<FlowEvent>): void {
  expect(events.map(({ event }) => event)).toEqual(['established', 'deleted']);
  const [first, second] = events as [FlowEvent, FlowEvent];
  expect(endOf(first)).toEqual(end);
  expect(first).toMatchObject({ layer: 'flow', userId: 0, processName: NODE_NAME, ...expected });
  expect(second).toEqual({ ...first, event: 'deleted', timestamp: second.timestamp });
  expect(second.timestamp).toBeGreaterThan(first.timestamp);
  expect(first.endpointId).not.toBe(0n);
}

describe('both ends of an exchange', () => {
  test.each(EXCHANGES.map((exchange) => [exchange.name, exchange] as const))(
    '%s',
    async (_, { script, client: side, bind, connect = bind, loopback, ipv6 }) => {
      await using ours = await FlowLog.open(net.b);
      await using theirs = side === 'a' ? await FlowLog.open(net.a) : ours;
      const port = nextPort++;
      const server = await startScript(net.b, script, ['server', bind(net), port]);
      const client = await startScript(net[side], script, ['client', connect(net), port]);
      const [serverEnd, clientEnd] = await Promise.all([ownEnd(server), ownEnd(client)]);
      await ours.settle(loopback ? 4 : 2);
      await theirs.settle(2);
      const common = { protocol: script === 'flow-tcp' ? TCP : UDP, loopback, ipv6 };
      expectFlow(theirs.of(clientEnd.pid), clientEnd, { ...common, outbound: true });
      expectFlow(ours.of(serverEnd.pid), serverEnd, { ...common, outbound: false });
      expect(ours.events.length + theirs.events.length).toBe(loopback ? 8 : 4);
      const parents = [theirs.of(clientEnd.pid)[0], ours.of(serverEnd.pid)[0]].map(
        (event) => event?.parentEndpointId !== 0n,
      );
      expect(parents).toEqual([false, script === 'flow-tcp']);
    },
  );

  test('TCP, IPv4 on an IPv6 server', async () => {
    await using log = await FlowLog.open(net.b, 'inbound');
    const port = nextPort++;
    const server = await startScript(net.b, 'flow-tcp', ['server', '::', port]);
    await startScript(net.a, 'flow-tcp', ['client', net.b.ipv4, port]);
    const end = await ownEnd(server);
    await log.settle(2);
    expect(end.remoteAddress).toBe(net.a.ipv4);
    expectFlow(log.events, end, { protocol: TCP, outbound: false, loopback: false, ipv6: false });
  });
});

describe('how TCP flows end', () => {
  async function connected(how: string): Promise<{ server: Running; client: Running }> {
    const port = nextPort++;
    const server = await startScript(net.b, 'flow-tcp', ['server', net.b.ipv4, port]);
    const client = await startScript(net.b, 'flow-tcp', ['client', net.b.ipv4, port, how]);
    return { server, client };
  }

  test('reset', async () => {
    await using log = await FlowLog.open(net.b);
    const { server, client } = await connected('reset');
    const ends = await Promise.all([ownEnd(client), ownEnd(server)]);
    await log.settle(4);
    for (const [index, end] of ends.entries()) {
      expectFlow(log.of(end.pid), end, { outbound: index === 0 });
    }
  });

  test('kill -9 of the client', async () => {
    await using log = await FlowLog.open(net.b);
    const { server, client } = await connected('hold');
    await log.settle(2);
    expect(log.events.map(({ event }) => event)).toEqual(['established', 'established']);
    client.child.kill('SIGKILL');
    const ends = await Promise.all([ownEnd(client), ownEnd(server)]);
    await log.settle(4);
    for (const [index, end] of ends.entries()) {
      expectFlow(log.of(end.pid), end, { outbound: index === 0 });
    }
  });

  test('a refused connection is no flow', async () => {
    await using log = await FlowLog.open(net.b);
    const { code, stdout } = await net.b.exec(process.execPath, [
      '-e',
      "require('net').connect(1, '127.0.0.1').on('error', ({ code }) => console.log(code))",
    ]);
    expect([code, stdout.trim()]).toEqual([0, 'ECONNREFUSED']);
    expect(await log.settle(0)).toEqual([]);
  });

  test("a connection that nobody accepts is its listening process's", async () => {
    await using log = await FlowLog.open(net.b, 'inbound');
    const port = nextPort++;
    const source = `import socket, sys
listener = socket.socket()
listener.bind(("127.0.0.1", ${port}))
listener.listen(1)
print("ready", flush=True)
sys.stdin.read()`;
    const { child, output } = await waitReady(net.b.spawn('python3', ['-c', source]));
    await net.b.exec('nc.openbsd', ['-z', '127.0.0.1', String(port)]);
    await log.settle(1);
    child.stdin?.end();
    await output;
    await log.settle(2);
    expect(log.events.map(({ event }) => event)).toEqual(['established', 'deleted']);
    expect(log.of(child.pid ?? 0)).toHaveLength(2);
  });

  test('a connection that was there before the handle is not reported', async () => {
    const { server, client } = await connected('hold');
    await using log = await FlowLog.open(net.b);
    client.child.kill('SIGKILL');
    await server.output;
    expect(await log.settle(0)).toEqual([]);
  });
});

describe('how UDP flows end', () => {
  async function exchanged(): Promise<Running[]> {
    const port = nextPort++;
    const server = await startScript(net.b, 'flow-udp', ['server', '127.0.0.1', port, 'hold']);
    const client = await startScript(net.b, 'flow-udp', ['client', '127.0.0.1', port, 'hold']);
    return [server, client];
  }

  test('with their socket, when its process is killed', async () => {
    await using log = await FlowLog.open(net.b);
    const running = await exchanged();
    await log.settle(2);
    expect(log.events.map(({ event }) => event)).toEqual(['established', 'established']);
    for (const { child } of running) child.kill('SIGKILL');
    const [server, client] = (await Promise.all(running.map(ownEnd))) as [OwnEnd, OwnEnd];
    await log.settle(4);
    expectFlow(log.of(server.pid), server, { protocol: UDP, outbound: false });
    expectFlow(log.of(client.pid), client, { protocol: UDP, outbound: true });
  });

  test('by silence, and begin again with the next packet', async () => {
    await using log = await FlowLog.open(net.b, 'outbound', { flowTimeoutMs: 300 });
    const sender = net.b.spawn(process.execPath, [
      '-e',
      `const s = require('dgram').createSocket('udp4');
       const send = () => s.send('x', 9, '127.0.0.1');
       send(); process.stdin.on('data', send).on('end', () => s.close());`,
    ]);
    await log.settle(2);
    expect(log.events.map(({ event }) => event)).toEqual(['established', 'deleted']);
    sender.stdin?.write('\n');
    await log.settle(3);
    sender.stdin?.end();
    await log.settle(4);
    expect(log.events.map(({ event }) => event)).toEqual([
      'established',
      'deleted',
      'established',
      'deleted',
    ]);
    expect(new Set(log.events.map(({ localPort }) => localPort)).size).toBe(1);
  });

  test('of a socket that was there before the handle', async () => {
    const port = nextPort++;
    const server = await startScript(net.b, 'flow-udp', ['server', '127.0.0.1', port]);
    await using log = await FlowLog.open(net.b, 'inbound');
    const client = await startScript(net.b, 'flow-udp', ['client', '127.0.0.1', port]);
    const end = await ownEnd(server);
    await client.output;
    await log.settle(2);
    expectFlow(log.events, end, { protocol: UDP, outbound: false });
  });

  test('packets keep a flow alive', async () => {
    await using log = await FlowLog.open(net.b, 'outbound', { flowTimeoutMs: 500 });
    const { stdout } = await net.b.exec(process.execPath, [
      '-e',
      `const s = require('dgram').createSocket('udp4'); let left = 15;
       const timer = setInterval(() => {
         s.send('x', 9, '127.0.0.1');
         if (--left === 0) { clearInterval(timer); s.close(); console.log(process.pid); }
       }, 100);`,
    ]);
    await log.settle(2);
    expect(log.events.map(({ event }) => event)).toEqual(['established', 'deleted']);
    expect(log.of(Number(stdout))).toHaveLength(2);
  });

  test('each remote end of a socket is a flow, and all end with it', async () => {
    await using log = await FlowLog.open(net.b, 'udp and outbound');
    await net.b.exec(process.execPath, [
      '-e',
      `const s = require('dgram').createSocket('udp4'); let left = 50;
       for (let at = 0; at < 50; at++) {
         s.send('x', 3000 + at, '127.0.0.1', () => { if (--left === 0) s.close(); });
       }`,
    ]);
    await log.settle(100);
    const ports = (event: string) =>
      log.events.filter((one) => one.event === event).map(({ remotePort }) => remotePort);
    const expected = Array.from({ length: 50 }, (_, at) => 3000 + at);
    expect(ports('established')).toEqual(expected);
    expect(ports('deleted').sort()).toEqual(expected);
  });
});

describe('ping', () => {
  const kinds = [
    ['raw socket', '1 0', true],
    ['ping socket', '0 2147483647', false],
  ] as const;
  const targets = [
    ['IPv4', ICMP, 8, (end: NetworkEnd) => end.ipv4],
    ['IPv6', ICMPV6, 128, (end: NetworkEnd) => end.ipv6],
  ] as const;
  const rows = kinds.flatMap(([kind, range, isRaw]) =>
    targets.map((target) => [`${target[0]}, ${kind}`, range, isRaw, ...target] as const),
  );

  test.each(rows)('%s', async (_, range, isRaw, family, protocol, request, addressOf) => {
    await net.b.exec('sysctl', ['-qw', `net.ipv4.ping_group_range=${range}`]);
    await using log = await FlowLog.open(net.b);
    await using theirs = await FlowLog.open(net.a);
    const target = addressOf(net.a);
    const ping = net.b.spawn('ping', ['-v', '-c', '2', '-i', '0.2', target]);
    let output = '';
    ping.stdout?.on('data', (text) => {
      output += text;
    });
    await new Promise((resolve) => ping.once('close', resolve));
    await log.settle(2);
    // It only shows that of raw sockets, which it has to choose itself.
    expect(output.includes('ident=')).toBe(isRaw);
    expect(log.events.map(({ event }) => event)).toEqual(['established', 'deleted']);
    for (const event of log.events) {
      expect(endOf(event)).toEqual({
        pid: ping.pid,
        localAddress: addressOf(net.b),
        localPort: request,
        remoteAddress: target,
        remotePort: 0,
      });
      expect(event).toMatchObject({ protocol, processName: 'ping', outbound: true });
      expect(event).toMatchObject({ loopback: false, ipv6: family === 'IPv6' });
    }
    // Echo requests that the kernel answers are no flow of a process.
    expect(theirs.events).toEqual([]);
  });
});

describe('other programs', () => {
  test('curl and a Node HTTP server', async () => {
    await using log = await FlowLog.open(net.b, 'tcp');
    const port = nextPort++;
    const server = net.b.spawn(process.execPath, [
      '-e',
      `require('http').createServer((q, r) => r.end('ok')).listen(${port}, () => console.log('up'))`,
    ]);
    await new Promise((resolve) => server.stdout?.once('data', resolve));
    const curl = net.b.spawn('curl', ['-s', `http://${net.b.ipv4}:${port}/`]);
    await new Promise((resolve) => curl.once('close', resolve));
    await log.settle(4);
    const [client] = log.of(curl.pid ?? 0);
    const [accepted] = log.of(server.pid ?? 0);
    expect(client).toMatchObject({ processName: 'curl', remotePort: port, outbound: true });
    expect(accepted).toMatchObject({ processName: NODE_NAME, localPort: port, outbound: false });
    expect(accepted?.remotePort).toBe(client?.localPort);
    expect(log.events).toHaveLength(4);
    server.kill();
  });

  test('nc', async () => {
    await using log = await FlowLog.open(net.b);
    const port = nextPort++;
    const server = net.b.spawn('nc.openbsd', ['-l', '-p', String(port)]);
    await sleep(300);
    const client = net.b.spawn('nc.openbsd', ['-N', '127.0.0.1', String(port)]);
    client.stdin?.end('hello\n');
    await new Promise((resolve) => client.once('close', resolve));
    await log.settle(4);
    expect(log.of(client.pid ?? 0).map(({ outbound }) => outbound)).toEqual([true, true]);
    expect(log.of(server.pid ?? 0).map(({ outbound }) => outbound)).toEqual([false, false]);
  });

  test('a DNS query over UDP', async () => {
    await startScript(net.a, 'dns-server', [net.a.ipv4]);
    await using log = await FlowLog.open(net.b, 'udp and remotePort == 53');
    const { stdout } = await net.b.exec(process.execPath, [
      '-e',
      `const dns = require('dns'); dns.setServers(['${net.a.ipv4}']);
       dns.resolve4('example.com', (error, found) => console.log(process.pid, String(found)));`,
    ]);
    await log.settle(2);
    const [pid, answer] = stdout.trim().split(' ');
    expect(answer).toBe('192.0.2.1');
    expect(log.events.map(({ event }) => event)).toEqual(['established', 'deleted']);
    for (const event of log.events) {
      expect(event).toMatchObject({ processId: Number(pid), remoteAddress: net.a.ipv4 });
    }
  });
});
