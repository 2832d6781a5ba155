import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { open } from '../../src/index.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { waitReady } from '../helpers/traffic.ts';

const SERVER_PORT = 8080;
/** Nobody has these addresses. */
const NOWHERE = { ipv4: '10.99.0.77', ipv6: 'fd00:99::77' } as const;

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

const SERVER = `
  import http from 'node:http';
  const server = http.createServer((request, response) => {
    response.end('other server: ' + request.method + ' ' + request.headers.host + request.url + ' ' + 'x'.repeat(100000));
  });
  server.listen(${SERVER_PORT}, '::', () => console.log('ready'));
`;

describe('redirect by rewriting destination out and source back', () => {
  test.each(['ipv4', 'ipv6'] as const)('an unmodified HTTP client over %s', async (family) => {
    const real = net.b[family];
    const asked = NOWHERE[family];
    const version = family === 'ipv4' ? 'ip' : 'ipv6';
    const server = await waitReady(
      net.b.spawn(process.execPath, ['--input-type=module', '-e', SERVER]),
    );
    const handle = await open(
      `(outbound and tcp.DstPort == 80 and ${version}.DstAddr == ${asked}) or
       (inbound and tcp.SrcPort == ${SERVER_PORT} and ${version}.SrcAddr == ${real})`,
      { namespace: net.a.path },
    );
    const work = (async () => {
      for await (const packet of handle) {
        const ip = packet.ip ?? packet.ipv6;
        if (!ip || !packet.tcp) continue;
        if (packet.address.outbound) {
          ip.dstAddr = real;
          packet.tcp.dstPort = SERVER_PORT;
        } else {
          ip.srcAddr = asked;
          packet.tcp.srcPort = 80;
        }
        handle.send(packet);
      }
    })();
    const host = family === 'ipv4' ? asked : `[${asked}]`;
    const client = await net.a.exec('curl', ['-sS', '--max-time', '20', `http://${host}/page`]);
    await handle.close();
    await work;
    server.child.kill();
    await server.output;
    expect(client.stderr).toBe('');
    expect(client.stdout).toBe(`other server: GET ${host}/page ${'x'.repeat(100000)}`);
    expect(handle.stats().lost.total).toBe(0);
  });
});
