/**
 * The socket layer under load: many connections, half of them blocked; no event lost.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { open } from '../../src/index.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { scriptPath } from '../helpers/traffic.ts';

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

const inside = () => ({
  layer: 'socket' as const,
  namespace: net.a.path,
  queueLength: 16_384,
  queueTimeMs: 16_000,
  queueSizeBytes: 33_554_432,
});
const script = (name: string): string => scriptPath(name).replace(/mjs$/, 'py');

test('10,000 connections over 100 ports: every second port is blocked, no other', async () => {
  const odd = Array.from({ length: 50 }, (_, index) => `remotePort == ${7301 + 2 * index}`);
  const handle = await open(`event == CONNECT and (${odd.join(' or ')})`, inside());
  const blocked = new Map<number, number>();
  const reader = (async () => {
    for await (const { remotePort } of handle) {
      blocked.set(remotePort, (blocked.get(remotePort) ?? 0) + 1);
    }
  })();
  const { stdout, stderr } = await net.a.exec('python3', [
    script('tcp-ports'),
    '7300',
    '100',
    '10000',
  ]);
  expect(stderr).toBe('');
  const seen: Record<string, Record<string, number>> = JSON.parse(stdout);
  handle.shutdown('receive');
  await reader;
  for (let port = 7300; port < 7400; port++) {
    const isOdd = port % 2 === 1;
    expect([port, seen[port]]).toEqual([port, isOdd ? { EPERM: 100 } : { connected: 100 }]);
    expect([port, blocked.get(port) ?? 0]).toEqual([port, isOdd ? 100 : 0]);
  }
  expect(handle.stats()).toMatchObject({ matched: 5000, received: 5000, lost: { total: 0 } });
  await handle.close();
});

test('5,000 connections a second for 10 s: no event lost', async () => {
  const connections = 50_000;
  const handle = await open('tcp and event != BIND and event != LISTEN', {
    ...inside(),
    mode: 'sniff',
  });
  const counts: Record<string, number> = {};
  const alive = new Set<bigint>();
  let unpaired = 0;
  const reader = (async () => {
    for await (const { event, endpointId } of handle) {
      counts[event] = (counts[event] ?? 0) + 1;
      if (event !== 'close') alive.add(endpointId);
      else if (!alive.delete(endpointId)) unpaired++;
    }
  })();
  const { stderr } = await net.a.exec('python3', [
    script('tcp-connections'),
    String(connections),
    '5000',
  ]);
  expect(stderr).toBe('');
  handle.shutdown('receive');
  await reader;
  // The listener's own end is the one that has no beginning here.
  expect(counts).toEqual({ connect: connections, accept: connections, close: 2 * connections + 1 });
  expect([alive.size, unpaired]).toEqual([0, 1]);
  const { matched, received, delivered, lost } = handle.stats();
  expect([matched, received, delivered]).toEqual(new Array(3).fill(4 * connections + 1));
  expect(lost.total).toBe(0);
  await handle.close();
});
