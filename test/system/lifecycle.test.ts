import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NetworkHandle, open } from '../../src/index.ts';
import { Queue } from '../../src/linux/nfqueue/queue.ts';
import { countDescriptors, listTables, mapsOf, programsOf } from '../helpers/kernel-objects.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { runScript, startScript, waitReady } from '../helpers/traffic.ts';

const PORT = 6000;
const FILTER = `udp.DstPort == ${PORT}`;

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

const openHere = (options = {}): Promise<NetworkHandle> =>
  open(`inbound and ${FILTER}`, { namespace: net.b.path, ...options });

const receive = (count: number, firstMs = 20_000) =>
  startScript(net.b, 'udp-receive', [net.b.ipv4, PORT, count, 1000, firstMs]);

const lengths = async (running: { output: Promise<string> }): Promise<number[]> =>
  (await running.output)
    .split('\n')
    .filter(Boolean)
    .map((line) => Buffer.from(line, 'base64').length);

describe('nothing left behind', () => {
  test('1,000 handles opened and closed leave no descriptor, rule, program or map', async () => {
    await (await openHere()).close();
    const before = { descriptors: countDescriptors(), maps: mapsOf(process.pid) };
    for (let cycle = 0; cycle < 1000; cycle++) await (await openHere()).close();
    expect({ descriptors: countDescriptors(), maps: mapsOf(process.pid) }).toEqual(before);
    expect(await listTables(net.b)).toEqual([]);
    for (let tries = 0; programsOf(process.pid).length > 0 && tries < 200; tries++) await sleep(10);
    expect(programsOf(process.pid)).toEqual([]);
  });

  test('while another queue exists the empty chains stay, and are used again', async () => {
    const other = await openHere();
    for (let cycle = 0; cycle < 20; cycle++) await (await openHere()).close();
    const { stdout } = await net.b.exec('nft', ['list', 'ruleset']);
    expect(stdout.match(/type filter hook/g)).toHaveLength(2);
    await other.close();
    expect(await listTables(net.b)).toEqual([]);
  });

  test("the rules of the last handle go, though somebody else's queue keeps the table", async () => {
    const handle = await openHere();
    const other = new Queue({ namespace: net.b.path, failOpen: false, largePackets: false });
    await handle.close();
    const { stdout } = await net.b.exec('nft', ['list', 'ruleset']);
    expect(stdout.match(/type filter hook/g)).toHaveLength(1);
    expect(stdout).not.toMatch(/counter name|queue|accept$/m);
    await other.close();
    await (await openHere()).close();
    expect(await listTables(net.b)).toEqual([]);
  });

  test('rules of a handle that was shut down are out of the way of the next one', async () => {
    const first = await openHere();
    first.shutdown('receive');
    const second = await openHere({ mode: 'drop' });
    await runScript(net.a, 'udp-send', [net.b.ipv4, PORT, 1, 3]);
    await expect.poll(() => second.stats().dropped, { timeout: 10_000 }).toBe(3);
    expect(first.stats()).toMatchObject({ offered: 0, matched: 0 });
    await first.close();
    await second.close();
    expect(await listTables(net.b)).toEqual([]);
  });

  test('kill -9 under load leaves nothing and traffic flows again', async () => {
    const divert = await waitReady(
      net.b.spawn(process.execPath, [
        '--input-type=module',
        '-e',
        `import { open } from 'netdivert';
         const handle = await open('${FILTER}');
         console.log('ready');
         for await (const batch of handle.batches()) batch.send();`,
      ]),
    );
    const flood = net.a.spawn(process.execPath, [
      '--input-type=module',
      '-e',
      `import dgram from 'node:dgram';
       const socket = dgram.createSocket('udp4');
       const more = () => { for (let i = 0; i < 50; i++) socket.send('load', ${PORT}, '${net.b.ipv4}'); setImmediate(more); };
       more();`,
    ]);
    const pid = Number(divert.child.pid);
    await sleep(500);
    expect(await listTables(net.b)).toHaveLength(1);
    divert.child.kill('SIGKILL');
    await divert.output;
    const receiver = await receive(100);
    expect(await lengths(receiver)).toHaveLength(100);
    flood.kill('SIGKILL');
    expect(await listTables(net.b)).toEqual([]);
    for (let tries = 0; programsOf(pid).length > 0 && tries < 200; tries++) await sleep(10);
    expect(programsOf(pid)).toEqual([]);
  });
});
