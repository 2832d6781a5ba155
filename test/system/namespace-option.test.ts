import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { open } from '../../src/index.ts';
import { type Running, waitReady } from '../helpers/traffic.ts';

const PORT = 6300;
const FILTER = `udp.DstPort == ${PORT}`;

/** A process with namespaces of its own, as in a container: only /proc names them. */
let container: Running;
let path: string;
let output = '';
beforeAll(async () => {
  const source = `import dgram from 'node:dgram';
    import { execFileSync } from 'node:child_process';
    execFileSync('ip', ['link', 'set', 'lo', 'up']);
    const receiver = dgram.createSocket('udp4');
    receiver.on('message', (message) => console.log(message.toString()));
    receiver.bind(${PORT}, '127.0.0.1', () => console.log('ready'));
    const sender = dgram.createSocket('udp4');
    setInterval(() => sender.send('from inside', ${PORT}, '127.0.0.1'), 10);`;
  const node = [process.execPath, '--input-type=module', '-e', source];
  const unshare = ['--net', '--pid', '--mount-proc', '--fork', '--kill-child', ...node];
  container = await waitReady(spawn('unshare', unshare));
  container.child.stdout?.on('data', (text) => {
    output += text;
  });
  const { pid } = container.child;
  const inner = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  path = `/proc/${inner}/ns/net`;
});
afterAll(async () => {
  container.child.kill('SIGKILL');
  await container.output;
});

const tables = (file: string): string =>
  execFileSync('nsenter', [`--net=${file}`, 'nft', 'list', 'tables'], { encoding: 'utf8' });
const queues = (file: string): string => {
  const list = '/proc/net/netfilter/nfnetlink_queue';
  return execFileSync('nsenter', [`--net=${file}`, 'cat', list], { encoding: 'utf8' });
};

async function untilOutput(line: string): Promise<void> {
  for (let tries = 0; !output.includes(line) && tries < 500; tries++) await sleep(10);
  expect(output).toContain(line);
}

describe("a handle in another process's network namespace", () => {
  test('changes, sniffs and injects there, and nothing of it appears here', async () => {
    const own = '/proc/thread-self/ns/net';
    const name = `netdivert-${process.pid}`;
    const before = queues(own);
    const handle = await open(FILTER, { namespace: path });
    const sniffer = await open(FILTER, { namespace: path, mode: 'sniff', priority: -1 });
    const injector = await open('false', { namespace: path, priority: 1 });
    const sending = (async () => {
      for await (const packet of handle) {
        packet.payload = Buffer.from(
          Buffer.from(packet.payload).toString().replace('inside', 'outside'),
        );
        handle.send(packet);
      }
    })();
    await untilOutput('from outside');
    const copy = (await sniffer.receive())?.retain();
    expect(Buffer.from(copy?.payload ?? []).toString()).toBe('from outside');
    if (copy) {
      copy.payload = Buffer.from('injected');
      injector.send(copy);
    }
    await untilOutput('injected');
    expect(tables(path)).toContain(name);
    expect(queues(path).trim().split('\n')).toHaveLength(2);
    expect(tables(own)).not.toContain(name);
    expect(queues(own)).toBe(before);
    for (const each of [handle, sniffer, injector]) await each.close();
    await sending;
    expect(tables(path)).toBe('');
    output = '';
    await untilOutput('from inside');
  });

  test('when the container ends, the handle only gets no more packets', async () => {
    const handle = await open(FILTER, { namespace: path });
    expect((await handle.receive())?.payload).toHaveLength('from inside'.length);
    container.child.kill('SIGKILL');
    await container.output;
    for (let tries = 0; existsSync(path) && tries < 500; tries++) await sleep(10);
    const receiving = handle.receive({ signal: AbortSignal.timeout(300) });
    await receiving;
    expect(() => handle.stats()).not.toThrow();
    await handle.close();
    const { received, sent, dropped, lost } = handle.stats();
    expect(received).toBe(sent + dropped + lost.total);
  });

  test('that does not exist', async () => {
    await expect(open(FILTER, { namespace: path })).rejects.toMatchObject({
      code: 'file-not-found',
      hint: expect.stringContaining('/run/netns'),
    });
  });
});
