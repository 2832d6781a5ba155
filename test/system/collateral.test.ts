import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NetworkHandle, open, type Packet } from '../../src/index.ts';
import { ensureBuilt } from '../helpers/command.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { runNft, unregisterHook } from '../helpers/nft.ts';
import { type Running, runScript, startScript, waitReady } from '../helpers/traffic.ts';

const PORT = 6400;
const COUNT = 150;

let net: Network;
beforeAll(async () => {
  ensureBuilt();
  net = await createNetwork();
});
afterAll(() => net.close());

/** A handle that holds 150 packets, and somebody who waits for them. */
async function holdPackets(): Promise<{
  handle: NetworkHandle;
  packets: Packet[];
  receiver: Running;
}> {
  const receiver = await startScript(net.b, 'udp-receive', [net.b.ipv4, PORT, COUNT, 1500, 6000]);
  const handle = await open(`inbound and udp.DstPort == ${PORT}`, { namespace: net.b.path });
  await runScript(net.a, 'udp-send', [net.b.ipv4, PORT, 1, COUNT]);
  const packets: Packet[] = [];
  while (packets.length < COUNT) {
    const packet = await handle.receive();
    if (packet) packets.push(packet.retain());
  }
  return { handle, packets, receiver };
}

/** Sends them; returns how many arrived, how many the handle says were lost, how many came again. */
async function sendAll({ handle, packets, receiver }: Awaited<ReturnType<typeof holdPackets>>) {
  for (const packet of packets) handle.send(packet);
  await handle.flush();
  const arrived = (await receiver.output).split('\n').filter(Boolean).length;
  await handle.close();
  const { sent, lost, received } = handle.stats();
  return { arrived, sent, late: lost.lateVerdict, again: received - COUNT };
}

/** Another process with a handle of its own. */
async function startOther(options: object): Promise<Running> {
  const source = `import { open } from 'netdivert';
    const handle = await open('inbound and udp.DstPort == 1', ${JSON.stringify(options)});
    console.log('ready');
    process.stdin.once('data', async () => { await handle.close(); console.log('closed'); });
    process.stdin.once('end', () => process.exit());`;
  return waitReady(net.b.spawn(process.execPath, ['--input-type=module', '-e', source]));
}

async function end(other: Running, how: 'close' | 'exit' | 'kill'): Promise<void> {
  if (how === 'kill') other.child.kill('SIGKILL');
  if (how === 'close') {
    const closed = new Promise((resolve) => other.child.stdout?.once('data', resolve));
    other.child.stdin?.write('close\n');
    await closed;
  } else {
    other.child.stdin?.end();
    await other.output;
  }
  // The kernel takes the table away a moment after its socket.
  await sleep(200);
}

describe('150 packets held by a handle', () => {
  test('all arrive while other handles of the process open, change and close', async () => {
    const held = await holdPackets();
    const other = { namespace: net.b.path };
    for (const options of [
      { priority: 10 },
      { priority: -10 },
      { mode: 'sniff' },
      { mode: 'drop' },
    ] as const) {
      const handle = await open('inbound and udp.DstPort == 1', { ...other, ...options });
      await handle.setFilter('udp.DstPort == 2');
      await handle.close();
    }
    const forward = await open('udp', { ...other, layer: 'forward' });
    await forward.close();
    expect(await sendAll(held)).toEqual({ arrived: COUNT, sent: COUNT, late: 0, again: 0 });
  });

  test.each([{ priority: -10 }, { priority: -10, mode: 'drop' }] as const)(
    'all arrive while another process opens and closes a handle below, %j',
    async (options) => {
      const held = await holdPackets();
      const other = await startOther(options);
      await end(other, 'close');
      expect(await sendAll(held)).toEqual({ arrived: COUNT, sent: COUNT, late: 0, again: 0 });
      await end(other, 'kill');
    },
  );

  test.each(['exit', 'kill'] as const)(
    'are lost when another process with a handle ends (%s), and counted',
    async (how) => {
      const other = await startOther({ priority: -10 });
      const held = await holdPackets();
      await end(other, how);
      expect(await sendAll(held)).toEqual({ arrived: 0, sent: 0, late: COUNT, again: 0 });
    },
  );

  test("are lost when another program's chain goes, and counted", async () => {
    const held = await holdPackets();
    await unregisterHook(net.b);
    expect(await sendAll(held)).toEqual({ arrived: 0, sent: 0, late: COUNT, again: 0 });
  });

  test('are lost when the last rule goes that needs conntrack, and counted', async () => {
    const chain = 'chain c { type filter hook input priority 0; }';
    await runNft(net.b, `table inet tracking { ${chain}; }`);
    await runNft(net.b, 'add rule inet tracking c ct state new counter');
    const held = await holdPackets();
    await runNft(net.b, 'flush chain inet tracking c');
    expect(await sendAll(held)).toEqual({ arrived: 0, sent: 0, late: COUNT, again: 0 });
    await runNft(net.b, 'delete table inet tracking');
  });

  test('all arrive while hooks go in another namespace', async () => {
    const held = await holdPackets();
    await unregisterHook(net.a);
    expect(await sendAll(held)).toEqual({ arrived: COUNT, sent: COUNT, late: 0, again: 0 });
  });

  test('come again, and arrive once, when another process hooks in before them', async () => {
    const held = await holdPackets();
    const other = await startOther({ priority: 10 });
    for (const packet of held.packets.splice(0)) held.handle.send(packet);
    for (let index = 0; index < COUNT; index++) {
      const packet = await held.handle.receive();
      if (packet) held.packets.push(packet);
    }
    expect(await sendAll(held)).toEqual({ arrived: COUNT, sent: 2 * COUNT, late: 0, again: COUNT });
    await end(other, 'kill');
  });
});
