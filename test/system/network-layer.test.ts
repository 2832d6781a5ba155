import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NetworkHandle, open } from '../../src/index.ts';
import { SOCKET } from '../../src/linux/sys/constants.ts';
import { libc } from '../../src/linux/sys/libc.ts';
import { withNamespace } from '../../src/linux/sys/namespace.ts';
import { concat, extension, ipv6, udp } from '../helpers/build-packet.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { runScript, startScript } from '../helpers/traffic.ts';

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

interface Seen {
  outbound: boolean;
  loopback: boolean;
  ipv6: boolean;
  interfaceIndex: number;
  protocol: number | undefined;
  length: number;
}

/** Sends every packet on and notes what it was. */
function passAll(handle: NetworkHandle): { seen: Seen[]; done: Promise<void> } {
  const seen: Seen[] = [];
  const done = (async () => {
    for await (const packet of handle) {
      const { outbound, loopback, ipv6, interfaceIndex } = packet.address;
      const protocol = packet.ip?.protocol ?? packet.ipv6?.nextHeader;
      seen.push({ outbound, loopback, ipv6, interfaceIndex, protocol, length: packet.length });
      handle.send(packet);
    }
  })();
  return { seen, done };
}

describe('any protocol', () => {
  test.each([
    ['ping', ['-c', '3', '-i', '0.01'], 'ipv4', 'icmp', 1],
    [
      'ping',
      ['-6', '-c', '3', '-i', '0.01'],
      'ipv6',
      'icmpv6.Type >= 128 and icmpv6.Type <= 129',
      58,
    ],
  ] as const)('%s %j: requests out, replies in', async (file, args, family, filter, protocol) => {
    const handle = await open(filter, { namespace: net.a.path });
    const { seen, done } = passAll(handle);
    const ping = await net.a.exec(file, [...args, net.b[family]]);
    await handle.close();
    await done;
    expect(ping.stdout).toContain('3 received');
    expect(seen).toHaveLength(6);
    expect(seen.filter((packet) => packet.outbound)).toHaveLength(3);
    for (const packet of seen) {
      expect(packet).toMatchObject({ protocol, interfaceIndex: net.a.interfaceIndex });
      expect(packet.ipv6).toBe(family === 'ipv6');
    }
  });

  test.each([
    ['ipv4', SOCKET.AF_INET, 2],
    ['ipv6', SOCKET.AF_INET6, 10],
  ] as const)('protocol 253 over %s', async (family, domain, sockaddrFamily) => {
    const handle = await open('outbound and protocol == 253', { namespace: net.a.path });
    const { seen, done } = passAll(handle);
    const fd = withNamespace(net.a.path, () => libc.socket(domain, SOCKET.SOCK_RAW, 253));
    const address = new Uint8Array(28);
    address[0] = sockaddrFamily;
    if (family === 'ipv4') address.set([10, 99, 0, 2], 4);
    else address.set([0xfd, 0, 0, 0x99, ...new Array(11).fill(0), 2], 8);
    const length = family === 'ipv4' ? 16 : 28;
    expect(libc.sendto(fd, Buffer.from('experiment'), 10, 0, address, length)).toBe(10);
    await sleep(50);
    libc.close(fd);
    await handle.close();
    await done;
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ protocol: 253, outbound: true });
  });
});

describe('loopback is seen once, outbound', () => {
  test.each([
    ['127.0.0.1', 'ipv4'],
    ['::1', 'ipv6'],
    ['own IPv4 address', 'ipv4'],
    ['own IPv6 address', 'ipv6'],
  ] as const)('%s', async (name, family) => {
    const address = name.startsWith('own') ? net.a[family] : name;
    const handle = await open('udp.DstPort == 5100', { namespace: net.a.path });
    const { seen, done } = passAll(handle);
    const receiver = await startScript(net.a, 'udp-receive', [address, 5100, 20, 1000]);
    await runScript(net.a, 'udp-send', [address, 5100, 1, 20]);
    const lines = (await receiver.output).split('\n').filter(Boolean);
    await handle.close();
    await done;
    expect(lines).toHaveLength(20);
    expect(seen).toHaveLength(20);
    for (const packet of seen) {
      expect(packet).toMatchObject({ outbound: true, loopback: true, interfaceIndex: 1 });
    }
  });

  test.each([
    ['loopback', 20, 0],
    ['not loopback', 0, 20],
    ['outbound and !loopback', 0, 20],
    ['inbound', 0, 0],
  ])('%s: the rules tell lo apart', async (direction, onLoopback, onWire) => {
    const handle = await open(`udp.DstPort == 5101 and ${direction}`, { namespace: net.a.path });
    const { seen, done } = passAll(handle);
    await runScript(net.a, 'udp-send', ['127.0.0.1', 5101, 1, 20]);
    const afterLoopback = seen.length;
    await runScript(net.a, 'udp-send', [net.b.ipv4, 5101, 1, 20]);
    await sleep(50);
    await handle.close();
    await done;
    expect([afterLoopback, seen.length - afterLoopback]).toEqual([onLoopback, onWire]);
  });
});

describe('what the programs cannot know is decided in user space', () => {
  test.each([
    ['outbound', 20],
    ['loopback', 0],
  ])('ifIdx at the output hook (%s)', async (direction, count) => {
    const { interfaceIndex } = net.a;
    const handle = await open(
      `${direction} and ifIdx == ${interfaceIndex} and udp.DstPort == 5200`,
      {
        namespace: net.a.path,
      },
    );
    const { seen, done } = passAll(handle);
    const receiver = await startScript(net.a, 'udp-receive', ['127.0.0.1', 5200, 20, 1000]);
    await runScript(net.a, 'udp-send', ['127.0.0.1', 5200, 1, 20]);
    await runScript(net.a, 'udp-send', [net.b.ipv4, 5200, 1, 20]);
    expect((await receiver.output).split('\n').filter(Boolean)).toHaveLength(20);
    await handle.close();
    await done;
    expect(seen).toHaveLength(count);
    const { matched, passed, received } = handle.stats();
    expect(matched - passed).toBe(received);
  });

  test('more IPv6 extension headers than a program follows', async () => {
    const filter = 'outbound and udp.DstPort == 5210';
    const handle = await open(filter, { namespace: net.a.path, priority: -1 });
    const { seen, done } = passAll(handle);
    const injector = await open('false', { namespace: net.a.path });
    const chain = (port: number): Uint8Array => {
      const headers = Array.from({ length: 20 }, (_, index) =>
        extension(index < 19 ? 60 : 17, 0, 8),
      );
      const addresses = { source: net.a.ipv6, destination: net.b.ipv6 };
      return ipv6(
        { ...addresses, nextHeader: 60 },
        concat(...headers, udp({ destinationPort: port })),
      );
    };
    for (const port of [5210, 5211, 5210]) injector.send(chain(port), { outbound: true });
    await injector.flush();
    await sleep(50);
    await injector.close();
    await handle.close();
    await done;
    expect(seen).toHaveLength(2);
    expect(handle.stats()).toMatchObject({ matched: 3, passed: 1 });
  });

  test('lengths of segments that left the stack as one super-packet', async () => {
    const handle = await open('outbound and tcp.DstPort == 5300 and ip.Length == 1500', {
      namespace: net.a.path,
    });
    const { seen, done } = passAll(handle);
    const receiver = await startScript(net.b, 'tcp-receive', [net.b.ipv4, 5300, 0]);
    const sent = JSON.parse(await runScript(net.a, 'tcp-send', [net.b.ipv4, 5300, 3_000_000]));
    expect(JSON.parse(await receiver.output)).toEqual(sent);
    await handle.close();
    await done;
    expect(seen.length).toBeGreaterThan(1500);
    expect(seen.every((packet) => packet.length === 1500)).toBe(true);
    const { passed, matched, received } = handle.stats();
    expect(passed).toBeGreaterThan(0);
    expect(matched).toBeLessThan(received + passed);
  });
});

describe('modes', () => {
  test('drop: in the kernel, counted, nothing to receive', async () => {
    const handle = await open('udp.DstPort == 5400', { namespace: net.b.path, mode: 'drop' });
    const receiver = await startScript(net.b, 'udp-receive', [net.b.ipv4, 5400, 1, 500]);
    await runScript(net.a, 'udp-send', [net.b.ipv4, 5400, 1, 100]);
    await expect(handle.receive()).rejects.toMatchObject({ code: 'invalid-parameter', win32: 87 });
    expect(handle.stats()).toMatchObject({ received: 100, dropped: 100, delivered: 0 });
    await handle.setFilter('udp.DstPort == 1');
    await runScript(net.a, 'udp-send', [net.b.ipv4, 5400, 5, 5]);
    expect(await receiver.output).toBe(`${Buffer.from([5, 6, 7, 8, 9]).toString('base64')}\n`);
    await handle.close();
    expect(handle.stats()).toMatchObject({ received: 100, dropped: 100 });
  });

  test('drop with a filter that only user space can decide drops exactly what matches', async () => {
    const handle = await open(
      `outbound and udp.DstPort == 5401 and ifIdx == ${net.a.interfaceIndex} and udp.PayloadLength < 50`,
      { namespace: net.a.path, mode: 'drop' },
    );
    const receiver = await startScript(net.b, 'udp-receive', [net.b.ipv4, 5401, 51, 1000]);
    await runScript(net.a, 'udp-send', [net.b.ipv4, 5401, 1, 100]);
    expect((await receiver.output).split('\n').filter(Boolean)).toHaveLength(51);
    expect(handle.stats().dropped).toBe(49);
    await handle.close();
  });

  test("access 'receive' does not send, access 'send' does not receive", async () => {
    const receiveOnly = await open('udp.DstPort == 5402', {
      namespace: net.b.path,
      access: 'receive',
    });
    await runScript(net.a, 'udp-send', [net.b.ipv4, 5402, 9, 9]);
    const packet = await receiveOnly.receive();
    expect(packet?.payload).toHaveLength(9);
    expect(() => packet && receiveOnly.send(packet)).toThrow(
      expect.objectContaining({ code: 'invalid-parameter' }),
    );
    await receiveOnly.close();
    const sendOnly = await open('udp', { namespace: net.b.path, access: 'send' });
    await expect(sendOnly.receive()).rejects.toMatchObject({ code: 'invalid-parameter' });
    expect(() => sendOnly.batches()).toThrow(/receives nothing/);
    await sendOnly.close();
  });

  test('a false filter matches nothing', async () => {
    const handle = await open('false', { namespace: net.a.path });
    await runScript(net.a, 'udp-send', [net.b.ipv4, 5403, 1, 20]);
    expect(handle.stats()).toMatchObject({ matched: 0, received: 0 });
    await handle.close();
  });
});

describe('setFilter', () => {
  test('swaps without a gap: under load every datagram meets one of the two filters', async () => {
    const handle = await open('inbound and udp.DstPort == 5500', { namespace: net.b.path });
    const { seen, done } = passAll(handle);
    const swapping = (async () => {
      for (let swap = 0; swap < 60; swap++) {
        const filter = swap % 2 ? 'udp.DstPort == 5500' : 'udp.DstPort == 5500 or tcp';
        await handle.setFilter(`inbound and (${filter})`);
        await sleep(5);
      }
    })();
    const receiver = await startScript(net.b, 'udp-receive', [net.b.ipv4, 5500, 2800, 1000]);
    await runScript(net.a, 'udp-send', [net.b.ipv4, 5500, 1, 1400]);
    await runScript(net.a, 'udp-send', [net.b.ipv4, 5500, 1, 1400]);
    expect((await receiver.output).split('\n').filter(Boolean)).toHaveLength(2800);
    await swapping;
    await handle.close();
    await done;
    expect(seen).toHaveLength(2800);
  });

  test('a wrong filter changes nothing', async () => {
    const handle = await open('inbound and udp.DstPort == 5501', { namespace: net.b.path });
    const { seen, done } = passAll(handle);
    await expect(handle.setFilter('inbound and nonsense')).rejects.toMatchObject({
      code: 'bad-token',
      position: 12,
    });
    await runScript(net.a, 'udp-send', [net.b.ipv4, 5501, 1, 5]);
    await sleep(50);
    await handle.close();
    await done;
    expect(seen).toHaveLength(5);
  });
});
