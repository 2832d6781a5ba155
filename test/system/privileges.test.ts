import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNetwork, type Network } from '../helpers/namespaces.ts';

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

const PROGRAM = `
  import dgram from 'node:dgram';
  import { open } from 'netdivert';
  try {
    const handle = await open('udp.DstPort == 5900');
    const receiver = dgram.createSocket('udp4');
    await new Promise((resolve) => receiver.bind(5900, '127.0.0.1', resolve));
    const arrived = new Promise((resolve) => receiver.once('message', resolve));
    receiver.send('before', 5900, '127.0.0.1');
    const packet = await handle.receive();
    packet.payload = Buffer.from('after');
    handle.send(packet);
    console.log(String(await arrived));
    await handle.close();
    receiver.close();
    console.log(JSON.stringify(handle.stats()));
  } catch (error) {
    console.log(error.name, error.code, error.win32, error.feature);
    console.log(error.message);
  }
`;

/** Runs the program as an ordinary user with just these capabilities. */
async function runWith(capabilities: readonly string[]): Promise<string> {
  const set = ['-all', ...capabilities.map((name) => `+${name}`)].join(',');
  const { stdout, stderr } = await net.a.exec('setpriv', [
    '--reuid=65534',
    '--regid=65534',
    '--clear-groups',
    `--inh-caps=${set}`,
    `--ambient-caps=${set}`,
    '--bounding-set=+all',
    process.execPath,
    '--input-type=module',
    '-e',
    PROGRAM,
  ]);
  expect(stderr).toBe('');
  return stdout;
}

describe('privileges', () => {
  test('CAP_NET_ADMIN and CAP_BPF are enough, no user id 0', async () => {
    const output = await runWith(['net_admin', 'bpf']);
    const [changed, stats = ''] = output.split('\n');
    expect(changed).toBe('after');
    expect(JSON.parse(stats)).toMatchObject({ received: 1, sent: 1, lost: { total: 0 } });
  });

  test.each([
    ['CAP_NET_ADMIN', ['bpf']],
    ['CAP_BPF', ['net_admin']],
    ['CAP_NET_ADMIN', []],
  ] as const)('without %s (having %j) the error names it and what to do', async (name, having) => {
    const output = await runWith(having);
    expect(output).toContain(`UnsupportedError access-denied 5 ${name}`);
    expect(output).toMatch(/Run .*(root|CAP_BPF)/);
  });
});
