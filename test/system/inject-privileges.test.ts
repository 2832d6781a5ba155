import { afterAll, beforeAll, expect, test } from 'vitest';
import { datagram } from '../helpers/datagram.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

/** As an ordinary user with these capabilities, sends one packet out and two sizes in. */
async function runWith(capabilities: readonly string[]): Promise<string[]> {
  const hex = (from: string, to: string, payload: number): string =>
    Buffer.from(datagram('ipv4', { from, to, port: 9, payload })).toString('hex');
  const { a, b } = net;
  const set = ['-all', ...capabilities.map((name) => `+${name}`)].join(',');
  const program = `
    import { open } from 'netdivert';
    const handle = await open('false');
    const send = (hex, address) => {
      try {
        handle.send(new Uint8Array(Buffer.from(hex, 'hex')), address);
        console.log('sent');
      } catch (error) {
        console.log([error.name, error.code, error.feature, error.hint].join(' | '));
      }
    };
    send('${hex(a.ipv4, b.ipv4, 1)}', { outbound: true });
    send('${hex(b.ipv4, a.ipv4, 1)}', {});
    send('${hex(b.ipv4, a.ipv4, 5000)}', {});
    await handle.close();`;
  const { stdout, stderr } = await a.exec('setpriv', [
    '--reuid=65534',
    '--regid=65534',
    '--clear-groups',
    `--inh-caps=${set}`,
    `--ambient-caps=${set}`,
    '--bounding-set=+all',
    process.execPath,
    '--input-type=module',
    '-e',
    program,
  ]);
  expect(stderr).toBe('');
  return stdout.trim().split('\n');
}

test('CAP_NET_RAW is for packets on their way out, /dev/net/tun for large ones on their way in', async () => {
  const [outbound, inbound, large] = await runWith(['net_admin', 'bpf']);
  expect(outbound).toMatch(/^UnsupportedError \| access-denied \| CAP_NET_RAW \| Run as root, or /);
  expect(inbound).toBe('sent');
  expect(large).toMatch(/^(sent|UnsupportedError \| access-denied \| \/dev\/net\/tun \| Give )/);
});

test('with CAP_NET_RAW', async () => {
  const [outbound, inbound] = await runWith(['net_admin', 'bpf', 'net_raw']);
  expect([outbound, inbound]).toEqual(['sent', 'sent']);
});
