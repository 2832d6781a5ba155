import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type NetworkHandle, open, type Packet } from '../../src/index.ts';
import {
  datagram,
  FAMILIES,
  type Family,
  hopsOf,
  received,
  receivedLengths,
} from '../helpers/datagram.ts';
import { createRoutedNetwork, type RoutedNetwork } from '../helpers/routed.ts';
import { runScript, startScript } from '../helpers/traffic.ts';

const PORT = 5200;
const IDLE_MS = 700;
const FILTER = `(udp.DstPort == ${PORT} or udp.SrcPort == ${PORT})`;

let net: RoutedNetwork;
beforeAll(async () => {
  net = await createRoutedNetwork();
});
afterAll(() => net.close());

const opened: NetworkHandle[] = [];
afterEach(async () => {
  for (const handle of opened.splice(0)) await handle.close();
  net.router.nft('flush ruleset');
  net.router.run('conntrack', ['-F']);
});

const openForward = async (filter: string, options = {}): Promise<NetworkHandle> => {
  const handle = await open(filter, { layer: 'forward', namespace: net.router.path, ...options });
  opened.push(handle);
  return handle;
};

const openAt = async (path: string, filter: string): Promise<NetworkHandle> => {
  const handle = await open(filter, { namespace: path });
  opened.push(handle);
  return handle;
};

const each = async (handle: NetworkHandle, act: (packet: Packet) => void): Promise<void> => {
  for await (const packet of handle) act(packet);
};

const ends = (packet: Packet): string => {
  const ip = packet.ip ?? packet.ipv6;
  return `${ip?.srcAddr}:${packet.udp?.srcPort} > ${ip?.dstAddr}:${packet.udp?.dstPort}`;
};

/** Sends a datagram from a fixed port and gives what is answered. */
const ask = async (to: string, text: string): Promise<string> => {
  const { stdout } = await net.a.end.node(
    `import dgram from 'node:dgram';
     const [to, text] = process.argv.slice(1);
     const socket = dgram.createSocket(to.includes(':') ? 'udp6' : 'udp4');
     const timer = setTimeout(() => socket.close(), 1500);
     socket.on('message', (message, from) => {
       console.log(from.address + ' ' + from.port + ' ' + message);
       clearTimeout(timer);
       socket.close();
     });
     socket.bind(41000, () => socket.send(text, ${PORT}, to));`,
    [to, text],
  );
  return stdout.trim();
};

/** Answers every datagram with where it came from and what it said. */
const startEcho = async () => {
  const child = net.b.end.spawn(process.execPath, [
    '--input-type=module',
    '-e',
    `import dgram from 'node:dgram';
     for (const port of [${PORT}, ${PORT + 1}]) {
       const socket = dgram.createSocket('udp6');
       socket.on('message', (message, from) =>
         socket.send(port + ' from ' + from.address.replace('::ffff:', '') + ': ' + message, from.port, from.address));
       socket.bind(port, '::', port === ${PORT + 1} ? () => console.log('ready') : undefined);
     }`,
  ]);
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return child;
};

const nat = (family: Family): string => {
  const version = family === 'ipv4' ? 'ip' : 'ip6';
  const inside = family === 'ipv4' ? '10.98.1.1' : 'fd00:98:1::1';
  return `table ${version} nat {
    chain pre { type nat hook prerouting priority dstnat
      ${version} daddr ${inside} udp dport ${PORT} dnat to ${net.b[family]}
    }
    chain post { type nat hook postrouting priority srcnat
      oifname ${net.router.toB.name} masquerade
    }
  }`;
};

describe.each(FAMILIES)('%s', (family) => {
  test('forwarded packets: sent on, changed, dropped', async () => {
    const handle = await openForward(`udp.DstPort == ${PORT} and ifIdx == ${net.router.toA.index}`);
    const receiver = await startScript(net.b.end, 'udp-receive', [
      net.b[family],
      PORT,
      20,
      IDLE_MS,
    ]);
    const work = each(handle, (packet) => {
      const { length } = packet.payload;
      expect(packet.address).toMatchObject({
        layer: 'forward',
        outbound: false,
        interfaceIndex: net.router.toA.index,
      });
      if (length % 3 === 0) {
        handle.drop(packet);
        return;
      }
      if (length % 3 === 1) packet.payload = new Uint8Array(length + 100).fill(7);
      handle.send(packet);
    });
    await runScript(net.a.end, 'udp-send', [net.b[family], PORT, 1, 9]);
    expect(await receivedLengths(receiver)).toEqual([101, 2, 104, 5, 107, 8]);
    expect(handle.stats()).toMatchObject({ received: 9, sent: 6, dropped: 3, injected: 0 });
    await handle.close();
    await work;
  });

  test('mode drop', async () => {
    const handle = await openForward(`${FILTER} and udp.PayloadLength > 3`, { mode: 'drop' });
    const receiver = await startScript(net.b.end, 'udp-receive', [net.b[family], PORT, 9, IDLE_MS]);
    await runScript(net.a.end, 'udp-send', [net.b[family], PORT, 1, 9]);
    expect(await receivedLengths(receiver)).toEqual([1, 2, 3]);
    expect(handle.stats().dropped).toBe(6);
  });

  test('the layers keep apart: to the router itself, and through it', async () => {
    const forward = await openForward(FILTER);
    const network = await openAt(net.router.path, FILTER);
    const work = [forward, network].map((handle) => each(handle, (packet) => handle.send(packet)));
    const router = family === 'ipv4' ? '10.98.1.1' : 'fd00:98:1::1';
    await runScript(net.a.end, 'udp-send', [net.b[family], PORT, 1, 5]);
    await runScript(net.a.end, 'udp-send', [router, PORT, 1, 3]);
    for (let tries = 0; network.stats().sent < 3 && tries < 400; tries++) await sleep(5);
    expect([forward.stats().received, network.stats().received]).toEqual([5, 3]);
    await forward.close();
    await network.close();
    await Promise.all(work);
  });

  test('a new packet is forwarded; lower handles see it as it was sent, and so does its receiver', async () => {
    const injector = await openForward('false', { priority: 1 });
    const watcher = await openForward(`udp.DstPort == ${PORT} and udp.PayloadLength == 2`);
    const above = await openForward(FILTER, { priority: 1 });
    const arrival = await openAt(net.b.end.path, `inbound and udp.DstPort == ${PORT}`);
    const make = (payload: number, ttl: number): Uint8Array =>
      datagram(family, { from: net.a[family], to: net.b[family], port: PORT, payload, ttl });
    const seen: string[] = [];
    const note = (who: string, handle: NetworkHandle) => (packet: Packet) => {
      seen.push(`${who} ${packet.payload.length} ${hopsOf(packet)}`);
      handle.send(packet);
    };
    const receiver = await startScript(net.b.end, 'udp-receive', [net.b[family], PORT, 4, IDLE_MS]);
    const work = [each(watcher, note('watcher', watcher)), each(arrival, note('arrival', arrival))];
    injector.send(make(1, 64), {});
    injector.send(make(2, 64), { interfaceIndex: net.router.toA.index });
    injector.send(make(3, 1), {});
    // No hop can be added to this one.
    injector.send(make(4, 255), {});
    expect((await receivedLengths(receiver)).sort()).toEqual([1, 2, 3, 4]);
    expect(seen.sort()).toEqual([
      'arrival 1 64',
      'arrival 2 63',
      'arrival 3 1',
      'arrival 4 254',
      'watcher 2 64',
    ]);
    expect(above.stats().matched).toBe(0);
    expect(injector.stats().injected).toBe(4);
    for (const handle of [watcher, arrival]) await handle.close();
    await Promise.all(work);
  });

  test('one forwarded packet, sent twice', async () => {
    const handle = await openForward(`udp.DstPort == ${PORT}`);
    const receiver = await startScript(net.b.end, 'udp-receive', [net.b[family], PORT, 2, IDLE_MS]);
    await runScript(net.a.end, 'udp-send', [net.b[family], PORT, 9, 9]);
    const packet = (await handle.receive())?.retain() as Packet;
    handle.send(packet);
    handle.send(packet);
    expect(await receivedLengths(receiver)).toEqual([9, 9]);
    expect(handle.stats()).toMatchObject({ sent: 1, injected: 1 });
  });

  test('beside NAT: behind destination NAT and before source NAT', async () => {
    net.router.nft(nat(family));
    const echo = await startEcho();
    const handle = await openForward(FILTER);
    const seen: string[] = [];
    const work = each(handle, (packet) => {
      seen.push(ends(packet));
      packet.payload = Buffer.from(Buffer.from(packet.payload).toString().toUpperCase());
      handle.send(packet);
    });
    const router = family === 'ipv4' ? '10.98.1.1' : 'fd00:98:1::1';
    const outside = net.router.outside[family].toUpperCase();
    const answer = await ask(router, 'hello');
    echo.kill('SIGKILL');
    // The client only knows the router, the server only the router's other side.
    expect(answer).toBe(`${router} ${PORT} ${PORT} FROM ${outside}: HELLO`);
    // The handle knows both.
    expect(seen).toEqual([
      `${net.a[family]}:41000 > ${net.b[family]}:${PORT}`,
      `${net.b[family]}:${PORT} > ${net.a[family]}:41000`,
    ]);
    await handle.close();
    await work;
  });

  test('beside NAT: what is dropped leaves no connection behind', async () => {
    net.router.nft(nat(family));
    const handle = await openForward(FILTER);
    const work = each(handle, (packet) => handle.drop(packet));
    expect(await ask(net.b[family], 'hello')).toBe('');
    const list = net.router.run('conntrack', [
      '-L',
      '-p',
      'udp',
      '--dport',
      String(PORT),
      '-f',
      family,
    ]);
    expect(list).toBe('');
    await handle.close();
    await work;
  });

  test('beside NAT: a new packet is translated like any other', async () => {
    net.router.nft(nat(family));
    const injector = await openForward('false');
    const receiver = await startScript(net.b.end, 'udp-receive', [net.b[family], PORT, 1, IDLE_MS]);
    const arrival = await openAt(net.b.end.path, `inbound and udp.DstPort == ${PORT}`);
    const seen: string[] = [];
    const work = each(arrival, (packet) => {
      seen.push(ends(packet));
      arrival.send(packet);
    });
    const bytes = datagram(family, {
      from: net.a[family],
      to: net.b[family],
      port: PORT,
      payload: 6,
    });
    injector.send(bytes, {});
    expect(await receivedLengths(receiver)).toEqual([6]);
    expect(seen).toEqual([`${net.router.outside[family]}:40000 > ${net.b[family]}:${PORT}`]);
    await arrival.close();
    await work;
  });

  test.each([false, true])(
    'another port on the way there and back again, NAT %s',
    async (withNat) => {
      if (withNat) net.router.nft(nat(family));
      const echo = await startEcho();
      const handle = await openForward(`${FILTER} or udp.SrcPort == ${PORT + 1}`);
      const work = each(handle, (packet) => {
        const { udp } = packet;
        if (udp?.dstPort === PORT) udp.dstPort = PORT + 1;
        else if (udp?.srcPort === PORT + 1) udp.srcPort = PORT;
        handle.send(packet);
      });
      const answer = await ask(net.b[family], 'hi');
      echo.kill('SIGKILL');
      // Conntrack knows the connection by the port it had before: the answer is not its own.
      expect(answer).toBe(
        withNat ? '' : `${net.b[family]} ${PORT} ${PORT + 1} from ${net.a[family]}: hi`,
      );
      await handle.close();
      await work;
    },
  );

  test('another destination does not change the way: it leaves by the device it was routed to', async () => {
    const other = family === 'ipv4' ? '10.98.2.9' : 'fd00:98:2::9';
    await net.b.end.exec('ip', [
      'addr',
      'add',
      `${other}/${family === 'ipv4' ? 24 : 64}`,
      'dev',
      'up0',
      ...(family === 'ipv6' ? ['nodad'] : []),
    ]);
    const handle = await openForward(`udp.DstPort == ${PORT}`);
    const work = each(handle, (packet) => {
      const ip = packet.ip ?? packet.ipv6;
      // 2: to another host there; 3: to one on the side it came from.
      if (ip) ip.dstAddr = packet.payload.length === 2 ? other : net.a[family];
      handle.send(packet);
    });
    const there = await startScript(net.b.end, 'udp-receive', [other, PORT, 2, IDLE_MS]);
    const back = await startScript(net.a.end, 'udp-receive', [net.a[family], PORT, 2, IDLE_MS]);
    await runScript(net.a.end, 'udp-send', [net.b[family], PORT, 2, 3]);
    expect((await received(there)).map((bytes) => bytes.length)).toEqual([2]);
    back.child.kill();
    expect(handle.stats().sent).toBe(2);
    expect(await receivedLengths(back)).toEqual([]);
    await handle.close();
    await work;
  });
});

test('a large IPv4 packet is forwarded in fragments', async () => {
  const injector = await openForward('false');
  const receiver = await startScript(net.b.end, 'udp-receive', [net.b.ipv4, PORT, 1, IDLE_MS]);
  const bytes = datagram('ipv4', { from: net.a.ipv4, to: net.b.ipv4, port: PORT, payload: 60_000 });
  injector.send(bytes, {});
  expect(await receivedLengths(receiver)).toEqual([60_000]);
});
