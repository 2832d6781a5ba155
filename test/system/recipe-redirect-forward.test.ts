import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Redirection, redirect } from '../../src/index.ts';
import { FAMILIES, type Family } from '../helpers/datagram.ts';
import { createRoutedNetwork, type RoutedNetwork } from '../helpers/routed.ts';
import { startProxy } from '../helpers/tcp-proxy.ts';
import { runScript, startScript } from '../helpers/traffic.ts';

const PORT = 8080;
const PROXY_PORT = 3128;
const MEGABYTE = 1 << 20;

let net: RoutedNetwork;
beforeAll(async () => {
  net = await createRoutedNetwork();
});
afterAll(() => net.close());

const INSIDE = { ipv4: '10.98.1.1', ipv6: 'fd00:98:1::1' } as const;

/** Redirects what goes through the router to a proxy on it. */
async function redirectAtRouter(family: Family): Promise<{
  redirection: Redirection;
  carried: unknown[];
  close(): Promise<void>;
}> {
  const proxy = await startProxy(
    {
      spawn: (file, args = [], options = {}) =>
        spawn('nsenter', [`--net=${net.router.path}`, '--', file, ...args], options),
    },
    PROXY_PORT,
  );
  const redirection = await redirect({
    filter: `tcp.DstPort == ${PORT}`,
    layer: 'forward',
    to: { host: INSIDE[family], port: PROXY_PORT },
    namespace: net.router.path,
  });
  proxy.redirection = redirection;
  return {
    redirection,
    carried: proxy.carried,
    close: async () => {
      await redirection.close();
      await proxy.close();
    },
  };
}

describe.each([
  ['without conntrack', ''],
  [
    'with conntrack and masquerading',
    `table inet nat {
      chain post {
        type nat hook postrouting priority 100;
        oif right0 masquerade;
      }
    }`,
  ],
])('a gateway %s', (_name, ruleset) => {
  test.each(FAMILIES)('redirects what passes through it over %s', async (family) => {
    net.router.nft(ruleset);
    const gateway = await redirectAtRouter(family);
    const bytes = 50 * MEGABYTE;
    const receiver = await startScript(net.b.end, 'tcp-receive', [net.b[family], PORT, 0]);
    const sent = JSON.parse(await runScript(net.a.end, 'tcp-send', [net.b[family], PORT, bytes]));
    expect(JSON.parse(await receiver.output)).toEqual(sent);
    await expect
      .poll(() => gateway.carried)
      .toEqual([{ to: { address: net.b[family], port: PORT }, up: bytes, down: 0 }]);
    await gateway.close();
    const { handles, failed, opened } = gateway.redirection.stats();
    expect({ failed, opened }).toEqual({ failed: 0, opened: 1 });
    expect(handles).toHaveLength(2);
    for (const { received, sent: passed, dropped, lost, queued, held } of handles) {
      expect({ received, lost: lost.total, queued, held }).toEqual({
        received: passed + dropped,
        lost: 0,
        queued: 0,
        held: 0,
      });
    }
    net.router.nft('flush ruleset');
  });
});
