import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type HANDLE,
  WINDIVERT_ADDRESS,
  WINDIVERT_FLAG_DROP,
  WINDIVERT_FLAG_RECV_ONLY,
  WINDIVERT_FLAG_SEND_ONLY,
  WINDIVERT_FLAG_SNIFF,
  WINDIVERT_LAYER_NETWORK,
  WINDIVERT_MTU_MAX,
  WINDIVERT_SHUTDOWN_RECV,
  WinDivertClose,
  WinDivertHelperCalcChecksums,
  WinDivertHelperHtons,
  WinDivertHelperParsePacket,
  WinDivertOpen,
  WinDivertRecv,
  WinDivertRecvEx,
  WinDivertSend,
  WinDivertSendEx,
  WinDivertShutdown,
} from '../../src/windivert/index.ts';
import { ROOT } from '../helpers/command.ts';
import { compileExamples, exampleFile } from '../helpers/examples.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { type Running, runScript, startScript } from '../helpers/traffic.ts';

const LONGEST = 1400;
const PORT = 5000;

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

const original = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (length + index) & 255);
const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 0x5a);
const sorted = (datagrams: readonly Uint8Array[]): string[] =>
  datagrams.map((bytes) => Buffer.from(bytes).toString('hex')).sort();

async function payloadsOf(receiver: Running): Promise<Uint8Array[]> {
  const lines = (await receiver.output).split('\n').filter(Boolean);
  return lines.map((line) => new Uint8Array(Buffer.from(line, 'base64')));
}

/** Opens in one of the namespaces. */
const openAt = (path: string, filter: string, flags = 0): Promise<HANDLE> =>
  WinDivertOpen(filter, WINDIVERT_LAYER_NETWORK, 0, flags, { namespace: path });

const isNoData = (error: unknown): boolean => (error as { win32?: number }).win32 === 232;

/** The manual's loop, until receiving is shut down. */
async function loop(handle: HANDLE, modify: (packet: Uint8Array) => void): Promise<void> {
  const packet = new Uint8Array(WINDIVERT_MTU_MAX);
  const addr = new WINDIVERT_ADDRESS();
  try {
    for (;;) {
      const recvLen = await WinDivertRecv(handle, packet, addr);
      modify(packet.subarray(0, recvLen));
      WinDivertHelperCalcChecksums(packet.subarray(0, recvLen), addr);
      expect(WinDivertSend(handle, packet, addr)).toBe(recvLen);
    }
  } catch (error) {
    if (!isNoData(error)) throw error;
  }
}

/** The batched loop. */
async function batchLoop(handle: HANDLE, modify: (packet: Uint8Array) => void): Promise<void> {
  const packets = new Uint8Array(WINDIVERT_MTU_MAX);
  const addrs = WINDIVERT_ADDRESS.array(255);
  try {
    for (;;) {
      const { recvLen, addrLen } = await WinDivertRecvEx(handle, packets, 0, addrs);
      const batch = packets.subarray(0, recvLen);
      let count = 0;
      for (let rest: Uint8Array | null = batch; rest; count++) {
        const parsed = WinDivertHelperParsePacket(rest);
        const packet = rest.subarray(0, rest.length - (parsed?.nextLen ?? 0));
        modify(packet);
        WinDivertHelperCalcChecksums(packet, addrs[count]);
        rest = parsed?.next ?? null;
      }
      expect(addrLen).toBe(count * WINDIVERT_ADDRESS.SIZE);
      expect(WinDivertSendEx(handle, batch, 0, addrs)).toBe(recvLen);
    }
  } catch (error) {
    if (!isNoData(error)) throw error;
  }
}

function flipPayload(packet: Uint8Array): void {
  const data = WinDivertHelperParsePacket(packet)?.data;
  data?.forEach((byte, index) => {
    data[index] = byte ^ 0x5a;
  });
}

describe.each(['ipv4', 'ipv6'] as const)('over %s', (family) => {
  describe.each(['outbound', 'inbound'] as const)('%s datagrams of every length', (direction) => {
    test.each([
      ['the loop', loop],
      ['the batch loop', batchLoop],
    ] as const)('%s changes them all', async (_, work) => {
      const end = direction === 'outbound' ? net.a : net.b;
      const address = net.b[family];
      const receiver = await startScript(net.b, 'udp-receive', [address, PORT, LONGEST, 3000]);
      const handle = await openAt(end.path, `${direction} and udp.DstPort == ${PORT}`);
      const working = work(handle, flipPayload);
      await runScript(net.a, 'udp-send', [address, PORT, 1, LONGEST]);
      const arrived = await payloadsOf(receiver);
      WinDivertShutdown(handle, WINDIVERT_SHUTDOWN_RECV);
      await working;
      const stats = handle.handle.stats();
      WinDivertClose(handle);
      await handle.closed;
      const want = Array.from({ length: LONGEST }, (_, index) => flip(original(index + 1)));
      expect(sorted(arrived)).toEqual(sorted(want));
      expect(stats).toMatchObject({ received: LONGEST, sent: LONGEST, changed: LONGEST });
      expect(stats).toMatchObject({ injected: 0, held: 0, dropped: 0 });
    });
  });

  test('the address says where a packet was seen', async () => {
    const address = net.b[family];
    const receiver = await startScript(net.b, 'udp-receive', [address, PORT, 1, 3000]);
    const handle = await openAt(net.a.path, `outbound and udp.DstPort == ${PORT}`);
    const addr = new WINDIVERT_ADDRESS();
    const packet = new Uint8Array(WINDIVERT_MTU_MAX);
    const receiving = WinDivertRecv(handle, packet, addr);
    await runScript(net.a, 'udp-send', [address, PORT, 7, 7]);
    expect(await receiving).toBe((family === 'ipv4' ? 20 : 40) + 8 + 7);
    expect(addr).toMatchObject({ Layer: 0, Event: 0, Outbound: 1, Loopback: 0, Sniffed: 0 });
    expect(addr).toMatchObject({ Impostor: 0, IPv6: family === 'ipv6' ? 1 : 0 });
    expect(addr.Network.IfIdx).toBe(net.a.interfaceIndex);
    WinDivertSend(handle, packet, addr);
    expect(sorted(await payloadsOf(receiver))).toEqual(sorted([original(7)]));
    WinDivertClose(handle);
    await handle.closed;
  });

  test('a small buffer gets the headers; what is not sent does not arrive', async () => {
    const address = net.b[family];
    const receiver = await startScript(net.b, 'udp-receive', [address, PORT, 2, 1000]);
    const handle = await openAt(net.a.path, `outbound and udp.DstPort == ${PORT}`);
    const sending = runScript(net.a, 'udp-send', [address, PORT, 100, 101]);
    const packet = new Uint8Array(48);
    const addr = new WINDIVERT_ADDRESS();
    await expect(WinDivertRecv(handle, packet, addr)).rejects.toMatchObject({
      win32: 122,
      recvLen: 48,
    });
    const port = family === 'ipv4' ? 22 : 42;
    expect(new DataView(packet.buffer).getUint16(port, true)).toBe(WinDivertHelperHtons(PORT));
    const whole = new Uint8Array(WINDIVERT_MTU_MAX);
    await WinDivertRecv(handle, whole, addr);
    WinDivertSend(handle, whole, addr);
    await sending;
    expect(sorted(await payloadsOf(receiver))).toEqual(sorted([original(101)]));
    WinDivertClose(handle);
    await handle.closed;
    expect(handle.handle.stats()).toMatchObject({ received: 2, sent: 1, dropped: 1 });
  });

  test('sniffing: a copy with its flag, the packet itself arrives', async () => {
    const address = net.b[family];
    const receiver = await startScript(net.b, 'udp-receive', [address, PORT, 3, 3000]);
    const flags = WINDIVERT_FLAG_SNIFF | WINDIVERT_FLAG_RECV_ONLY;
    const handle = await openAt(net.a.path, `outbound and udp.DstPort == ${PORT}`, flags);
    await runScript(net.a, 'udp-send', [address, PORT, 1, 3]);
    expect((await payloadsOf(receiver)).length).toBe(3);
    const packet = new Uint8Array(WINDIVERT_MTU_MAX);
    const addr = new WINDIVERT_ADDRESS();
    const lengths: number[] = [];
    for (let index = 0; index < 3; index++) {
      const recvLen = await WinDivertRecv(handle, packet, addr);
      expect(addr.Sniffed).toBe(1);
      lengths.push(WinDivertHelperParsePacket(packet.subarray(0, recvLen))?.dataLen ?? -1);
    }
    expect(lengths).toEqual([1, 2, 3]);
    expect(() => WinDivertSend(handle, packet, addr)).toThrow(
      expect.objectContaining({ win32: 87 }),
    );
    WinDivertClose(handle);
    await handle.closed;
  });

  test('dropping in the kernel', async () => {
    const address = net.b[family];
    const receiver = await startScript(net.b, 'udp-receive', [address, PORT, 5, 1000]);
    const filter = `outbound and udp.DstPort == ${PORT} and udp.PayloadLength != 3`;
    const handle = await openAt(net.a.path, filter, WINDIVERT_FLAG_DROP);
    await runScript(net.a, 'udp-send', [address, PORT, 1, 5]);
    expect((await payloadsOf(receiver)).map((bytes) => bytes.length)).toEqual([3]);
    await expect(WinDivertRecv(handle, null)).rejects.toMatchObject({ win32: 87 });
    WinDivertClose(handle);
    await handle.closed;
    expect(handle.handle.stats()).toMatchObject({ dropped: 4 });
  });

  test('a new packet: sent twice, it arrives twice', async () => {
    const address = net.b[family];
    const receiver = await startScript(net.b, 'udp-receive', [address, PORT, 3, 3000]);
    const handle = await openAt(net.a.path, `outbound and udp.DstPort == ${PORT}`);
    const injector = await openAt(net.a.path, 'false', WINDIVERT_FLAG_SEND_ONLY);
    const packet = new Uint8Array(WINDIVERT_MTU_MAX);
    const addr = new WINDIVERT_ADDRESS();
    const receiving = WinDivertRecv(handle, packet, addr);
    await runScript(net.a, 'udp-send', [address, PORT, 9, 9]);
    await receiving;
    WinDivertSend(handle, packet, addr);
    WinDivertSend(handle, packet, addr);
    WinDivertSend(injector, packet, WINDIVERT_ADDRESS.from({ outbound: true }));
    expect(sorted(await payloadsOf(receiver))).toEqual(sorted([9, 9, 9].map(original)));
    expect(handle.handle.stats()).toMatchObject({ received: 1, sent: 1, injected: 1 });
    for (const open of [handle, injector]) {
      WinDivertClose(open);
      await open.closed;
    }
  });
});

describe('the examples', () => {
  beforeAll(compileExamples, 60_000);

  /** A program that said "Ctrl-C ends"; `stop` interrupts it and returns all it wrote. */
  async function start(name: string, filter: string): Promise<() => Promise<string>> {
    const child = net.a.spawn(process.execPath, [exampleFile(name), filter], { cwd: ROOT });
    let output = '';
    const closed = new Promise<string>((resolve) => {
      child.once('close', (code) => resolve(`${output}exit code ${code}`));
    });
    await new Promise<void>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream?.setEncoding('utf8').on('data', (text) => {
          output += text;
          if (output.includes('Ctrl-C ends')) resolve();
        });
      }
      closed.then(reject);
    });
    return () => {
      child.kill('SIGINT');
      return closed;
    };
  }

  test.each(['ipv4', 'ipv6'] as const)('windivert-loop: capitals over %s', async (family) => {
    const address = net.b[family];
    const receiver = await startScript(net.b, 'udp-receive', [address, PORT, 3, 3000]);
    const stop = await start('windivert-loop', `outbound and udp.DstPort == ${PORT}`);
    await runScript(net.a, 'udp-send', [address, PORT, 98, 100]);
    const arrived = await payloadsOf(receiver);
    expect(await stop()).toBe('capitals, Ctrl-C ends\ndatagrams to ports 5000\nexit code 0');
    const capitals = (bytes: Uint8Array): Uint8Array =>
      bytes.map((byte) => (byte >= 97 && byte <= 122 ? byte - 32 : byte));
    expect(sorted(arrived)).toEqual(sorted([98, 99, 100].map((n) => capitals(original(n)))));
  });

  test.each(['ipv4', 'ipv6'] as const)('windivert-batch: no pings over %s', async (family) => {
    const address = net.b[family];
    const receiver = await startScript(net.b, 'udp-receive', [address, PORT, LONGEST, 3000]);
    const stop = await start('windivert-batch', 'outbound');
    const pinging = net.a.exec('ping', ['-q', '-c', '3', '-i', '0.05', '-W', '1', address]);
    await runScript(net.a, 'udp-send', [address, PORT, 1, LONGEST]);
    expect(sorted(await payloadsOf(receiver))).toEqual(
      sorted(Array.from({ length: LONGEST }, (_, index) => original(index + 1))),
    );
    expect(await pinging).toMatchObject({ code: 1 });
    expect(await stop()).toMatch(/\d+ batches: \d+ packets passed, 3 pings dropped\nexit code 0$/);
    expect(await net.a.exec('ping', ['-q', '-c', '1', '-W', '2', address])).toMatchObject({
      code: 0,
    });
  });
});
