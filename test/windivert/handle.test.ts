import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { NetworkHandle } from '../../src/divert/network-handle.ts';
import { DivertError } from '../../src/errors.ts';
import {
  type HANDLE,
  InsufficientBufferError,
  WINDIVERT_ADDRESS,
  WINDIVERT_FLAG_DROP,
  WINDIVERT_FLAG_RECV_ONLY,
  WINDIVERT_FLAG_SEND_ONLY,
  WINDIVERT_FLAG_SNIFF,
  WinDivertClose,
  WinDivertGetParam,
  WinDivertHelperCalcChecksums,
  WinDivertOpen,
  WinDivertRecv,
  WinDivertRecvEx,
  WinDivertSend,
  WinDivertSendEx,
  WinDivertSetParam,
  WinDivertShutdown,
} from '../../src/windivert/index.ts';
import { concat } from '../helpers/build-packet.ts';
import { FakeKernel } from '../helpers/fake-kernel.ts';
import { build } from '../packet/build.ts';
import { toHex } from '../packet/vectors.ts';

let kernel: FakeKernel;
const handles: HANDLE[] = [];

beforeEach(() => {
  kernel = new FakeKernel();
});

afterEach(async () => {
  for (const handle of handles.splice(0)) {
    if (!handle.closed) WinDivertClose(handle);
    await handle.closed;
  }
});

async function openHere(flags = 0, filter = 'udp'): Promise<HANDLE> {
  const handle = await WinDivertOpen(filter, 0, 0, flags, { backend: kernel });
  handles.push(handle);
  return handle;
}

const win32 = (number: number) => expect.objectContaining({ win32: number });
const datagram = (length: number): Uint8Array => build(4, 'udp', length);
const delivered = (): string[] => kernel.delivered.map(toHex);

/** Receives one packet: its bytes and address. */
async function receive(handle: HANDLE): Promise<{ packet: Uint8Array; addr: WINDIVERT_ADDRESS }> {
  const buffer = new Uint8Array(65575);
  const addr = new WINDIVERT_ADDRESS();
  const recvLen = await WinDivertRecv(handle, buffer, addr);
  return { packet: buffer.subarray(0, recvLen), addr };
}

const network = (handle: HANDLE): NetworkHandle => handle.handle as NetworkHandle;

async function flush(handle: HANDLE): Promise<void> {
  await network(handle).flush();
}

/** Lets what arrived reach the queue. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

describe('receive and send', () => {
  test('the packet and its address; sent as it is, it goes on', async () => {
    const handle = await openHere();
    kernel.arrive(datagram(5));
    const { packet, addr } = await receive(handle);
    expect(toHex(packet)).toBe(toHex(datagram(5)));
    expect(addr).toMatchObject({ Layer: 0, Event: 0, Outbound: 0, Sniffed: 0, Impostor: 0 });
    expect(addr).toMatchObject({ IPChecksum: 1, TCPChecksum: 1, UDPChecksum: 1 });
    expect(addr.Network.IfIdx).toBe(2);
    expect(WinDivertSend(handle, packet, addr)).toBe(33);
    await flush(handle);
    expect(delivered()).toEqual([toHex(datagram(5))]);
    expect(handle.handle.stats()).toMatchObject({ sent: 1, changed: 0, injected: 0, held: 0 });
  });

  test('a line-by-line program: change, checksums, send', async () => {
    const handle = await openHere();
    kernel.arrive(datagram(5));
    const { packet, addr } = await receive(handle);
    packet[8] = 7;
    packet[28] = 0x41;
    expect(WinDivertHelperCalcChecksums(packet, addr)).toBe(true);
    WinDivertSend(handle, packet, addr);
    await flush(handle);
    expect(delivered()).toEqual([toHex(packet)]);
    expect(handle.handle.stats()).toMatchObject({ sent: 1, changed: 1, injected: 0 });
  });

  test('a checksum whose flag is set is sent as it is, wrong or not', async () => {
    const handle = await openHere();
    kernel.arrive(datagram(5));
    const { packet, addr } = await receive(handle);
    packet[26] = 0x12;
    packet[28] = 0x41;
    WinDivertSend(handle, packet, addr);
    await flush(handle);
    expect(delivered()).toEqual([toHex(packet)]);
  });

  test.each([
    ['shorter', 2],
    ['longer', 900],
  ])('a %s packet with cleared flags gets its checksums, in a copy', async (_, length) => {
    const handle = await openHere();
    kernel.arrive(datagram(5));
    const { addr } = await receive(handle);
    const other = datagram(length);
    const wrong = other.slice();
    wrong.fill(0, 10, 12).fill(0, 26, 28);
    const given = concat(wrong, new Uint8Array(9));
    addr.IPChecksum = addr.UDPChecksum = 0;
    expect(WinDivertSend(handle, given, addr)).toBe(other.length);
    await flush(handle);
    expect(delivered()).toEqual([toHex(other)]);
    expect(toHex(given)).toBe(toHex(concat(wrong, new Uint8Array(9))));
    expect(handle.handle.stats()).toMatchObject({ sent: 1, changed: 1, injected: 0 });
  });

  test('sent once more it is a new packet', async () => {
    const handle = await openHere();
    kernel.arrive(datagram(5));
    const { packet, addr } = await receive(handle);
    WinDivertSend(handle, packet, addr);
    WinDivertSend(handle, packet, addr);
    await flush(handle);
    expect(kernel.delivered.length).toBe(2);
    expect(handle.handle.stats()).toMatchObject({ sent: 1, injected: 1 });
  });

  test('an address of the program makes a new packet', async () => {
    const handle = await openHere(WINDIVERT_FLAG_SEND_ONLY, 'false');
    const wrong = datagram(5);
    wrong[10] = 0xff;
    WinDivertSend(handle, wrong, WINDIVERT_ADDRESS.from({ outbound: true, udpChecksum: true }));
    expect(delivered()).toEqual([toHex(datagram(5))]);
    expect(handle.handle.stats()).toMatchObject({ sent: 0, injected: 1 });
  });

  test('a copied address serves, in any order', async () => {
    const handle = await openHere();
    for (const length of [1, 2, 3]) kernel.arrive(datagram(length));
    const taken: { packet: Uint8Array; addr: WINDIVERT_ADDRESS }[] = [];
    const buffer = new Uint8Array(2000);
    const addr = new WINDIVERT_ADDRESS();
    for (let index = 0; index < 3; index++) {
      const recvLen = await WinDivertRecv(handle, buffer, addr);
      const copy = new WINDIVERT_ADDRESS(addr.bytes.slice());
      taken.unshift({ packet: buffer.slice(0, recvLen), addr: copy });
    }
    for (const { packet, addr } of taken) WinDivertSend(handle, packet, addr);
    await flush(handle);
    expect(kernel.delivered.map((bytes) => bytes.length)).toEqual([31, 30, 29]);
    expect(handle.handle.stats()).toMatchObject({ sent: 3, changed: 0, injected: 0 });
  });

  test('the address of another handle makes a new packet', async () => {
    const handle = await openHere();
    const other = await openHere(0, 'tcp');
    kernel.arrive(datagram(5));
    const { packet, addr } = await receive(handle);
    WinDivertSend(other, packet, addr);
    expect(other.handle.stats()).toMatchObject({ injected: 1 });
    expect(handle.handle.stats()).toMatchObject({ held: 1 });
  });

  test.each([
    ['turned around', (addr: WINDIVERT_ADDRESS) => (addr.Outbound = 1), datagram(5)],
    ['of the other family', () => {}, build(6, 'udp', 5)],
  ] as const)('%s it is a new packet, the old one is gone', async (_, change, bytes) => {
    const handle = await openHere();
    kernel.arrive(datagram(5));
    const { addr } = await receive(handle);
    change(addr);
    WinDivertSend(handle, bytes, addr);
    await flush(handle);
    expect(delivered()).toEqual([toHex(bytes)]);
    expect(handle.handle.stats()).toMatchObject({ injected: 1, dropped: 1, sent: 0, held: 0 });
  });

  test('what is not sent is dropped, and sent later it is a new packet', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      const handle = await openHere();
      kernel.arrive(datagram(5));
      const { packet, addr } = await receive(handle);
      vi.advanceTimersByTime(1000);
      expect(handle.handle.stats()).toMatchObject({ held: 1, dropped: 0 });
      vi.advanceTimersByTime(2000);
      expect(handle.handle.stats()).toMatchObject({ held: 0, dropped: 1 });
      WinDivertSend(handle, packet, addr);
      expect(delivered()).toEqual([toHex(packet)]);
      expect(handle.handle.stats()).toMatchObject({ sent: 0, injected: 1 });
    } finally {
      vi.useRealTimers();
    }
  });

  test('16,384 packets are kept, the oldest is dropped for the next', async () => {
    const handle = await openHere();
    const addresses = WINDIVERT_ADDRESS.array(255);
    const buffer = new Uint8Array(1 << 16);
    const total = 16384 + 100;
    for (let arrived = 0, received = 0; received < total; ) {
      for (; arrived < Math.min(received + 200, total); arrived++) kernel.arrive(datagram(1));
      const { addrLen } = await WinDivertRecvEx(handle, buffer, 0, addresses);
      received += addrLen / WINDIVERT_ADDRESS.SIZE;
    }
    expect(handle.handle.stats()).toMatchObject({ held: 16384, dropped: 100 });
  });

  test('receiving only: packets are gone at once', async () => {
    const handle = await openHere(WINDIVERT_FLAG_RECV_ONLY);
    kernel.arrive(datagram(5));
    const { packet, addr } = await receive(handle);
    expect(toHex(packet)).toBe(toHex(datagram(5)));
    expect(addr.Reserved2).toBe(0);
    expect(handle.handle.stats()).toMatchObject({ held: 0, dropped: 1 });
    expect(() => WinDivertSend(handle, packet, addr)).toThrow(win32(87));
  });

  test.each([
    ['receives nothing', WINDIVERT_FLAG_SEND_ONLY],
    ['drops', WINDIVERT_FLAG_DROP],
  ])('a handle that %s: 87', async (_, flags) => {
    const handle = await openHere(flags);
    const addr = new WINDIVERT_ADDRESS();
    await expect(WinDivertRecv(handle, new Uint8Array(100), addr)).rejects.toThrow(win32(87));
    await expect(WinDivertRecvEx(handle, new Uint8Array(100), 0, addr)).rejects.toThrow(win32(87));
  });

  test.each([
    ['nothing', new Uint8Array(0)],
    ['IP version 5', datagram(5).fill(0x55, 0, 1)],
    ['less than the header says', datagram(5).subarray(0, 32)],
  ])('%s is not sent: 87, and the packet can still be sent', async (_, bytes) => {
    const handle = await openHere();
    kernel.arrive(datagram(5));
    const { packet, addr } = await receive(handle);
    expect(() => WinDivertSend(handle, bytes, addr)).toThrow(win32(87));
    WinDivertSend(handle, packet, addr);
    await flush(handle);
    expect(handle.handle.stats()).toMatchObject({ sent: 1, injected: 0 });
  });
});

describe('a buffer that is too small', () => {
  test.each([0, 1, 32])('%i of 33 bytes: 122, data and address valid', async (length) => {
    const handle = await openHere();
    kernel.arrive(datagram(5));
    const buffer = new Uint8Array(length);
    const addr = new WINDIVERT_ADDRESS();
    const error: unknown = await WinDivertRecv(handle, buffer, addr).catch((reason) => reason);
    expect(error).toBeInstanceOf(InsufficientBufferError);
    expect(error).toMatchObject({ win32: 122, recvLen: length, packetLen: 33, addrLen: 80 });
    expect(toHex(buffer)).toBe(toHex(datagram(5).subarray(0, length)));
    // The address still stands for the whole packet.
    WinDivertSend(handle, datagram(5), addr);
    await flush(handle);
    expect(handle.handle.stats()).toMatchObject({ sent: 1, changed: 0 });
  });

  test('no buffer at all, no address', async () => {
    const handle = await openHere();
    kernel.arrive(datagram(5));
    await expect(WinDivertRecv(handle, null)).rejects.toThrow(win32(122));
    kernel.arrive(datagram(5));
    await expect(WinDivertRecvEx(handle, null, 0, null)).rejects.toThrow(win32(122));
    kernel.arrive(datagram(5));
    await expect(WinDivertRecvEx(handle, null, 0, WINDIVERT_ADDRESS.array(3))).rejects.toThrow(
      win32(122),
    );
  });
});

describe('batches', () => {
  test('packed without gaps, sent back together', async () => {
    const handle = await openHere();
    const packets = [1, 50, 3].map(datagram);
    for (const packet of packets) kernel.arrive(packet);
    await settle();
    const buffer = new Uint8Array(1000);
    const addresses = WINDIVERT_ADDRESS.array(10);
    const { recvLen, addrLen } = await WinDivertRecvEx(handle, buffer, 0, addresses);
    expect(addrLen).toBe(3 * 80);
    expect(toHex(buffer.subarray(0, recvLen))).toBe(toHex(concat(...packets)));
    expect(WinDivertSendEx(handle, buffer.subarray(0, recvLen), 0, addresses)).toBe(recvLen);
    await flush(handle);
    expect(delivered()).toEqual(packets.map(toHex));
    expect(handle.handle.stats()).toMatchObject({ sent: 3, changed: 0, injected: 0 });
  });

  test('no more than there are addresses, or than fit; the others wait', async () => {
    const handle = await openHere();
    for (let length = 1; length <= 6; length++) kernel.arrive(datagram(length));
    await settle();
    const addresses = WINDIVERT_ADDRESS.array(255);
    const take = async (bytes: number, count: number): Promise<readonly number[]> => {
      const into = addresses.slice(0, count);
      const { recvLen, addrLen } = await WinDivertRecvEx(handle, new Uint8Array(bytes), 0n, into);
      return [recvLen, addrLen / WINDIVERT_ADDRESS.SIZE];
    };
    expect(await take(1000, 1)).toEqual([29, 1]);
    expect(await take(62, 255)).toEqual([61, 2]);
    const { packet } = await receive(handle);
    expect(packet.length).toBe(32);
    expect(await take(1000, 255)).toEqual([33 + 34, 2]);
  });

  test('one address', async () => {
    const handle = await openHere();
    kernel.arrive(datagram(5));
    const addr = new WINDIVERT_ADDRESS();
    const buffer = new Uint8Array(100);
    const received = await WinDivertRecvEx(handle, buffer, 0, addr);
    expect(received).toEqual({ recvLen: 33, addrLen: 80 });
    expect(WinDivertSendEx(handle, buffer, 0, addr)).toBe(33);
  });

  test('closing puts back what did not fit', async () => {
    const handle = await openHere();
    for (const length of [1, 2, 3]) kernel.arrive(datagram(length));
    await settle();
    await WinDivertRecvEx(handle, new Uint8Array(30), 0, WINDIVERT_ADDRESS.array(3));
    WinDivertShutdown(handle, 3);
    WinDivertClose(handle);
    await handle.closed;
    expect(kernel.delivered.map((bytes) => bytes.length)).toEqual([30, 31]);
  });

  test('a receive that waits gets the first packet', async () => {
    const handle = await openHere();
    const receiving = WinDivertRecvEx(handle, new Uint8Array(99), 0, WINDIVERT_ADDRESS.array(2));
    kernel.arrive(datagram(1));
    expect(await receiving).toEqual({ recvLen: 29, addrLen: 80 });
  });

  test('bytes that are no packet end a batch: 87', async () => {
    const handle = await openHere();
    const addresses = WINDIVERT_ADDRESS.array(3);
    const bytes = concat(datagram(1), Uint8Array.of(1, 2, 3), datagram(2));
    expect(() => WinDivertSendEx(handle, bytes, 0, addresses)).toThrow(win32(87));
    expect(kernel.delivered.length).toBe(1);
  });

  test('a packet that is refused does not end a batch', async () => {
    const handle = await openHere();
    let tries = 0;
    const send = vi.spyOn(network(handle), 'send').mockImplementation(() => {
      if (++tries === 2) throw new DivertError('host-unreachable', 'no hop left');
    });
    const bytes = concat(...[1, 2, 3].map(datagram));
    expect(() => WinDivertSendEx(handle, bytes, 0, WINDIVERT_ADDRESS.array(3))).toThrow(
      win32(1232),
    );
    expect(send).toHaveBeenCalledTimes(3);
  });

  test.each([
    ['flags', 1, 1],
    ['no address', 0, 0],
    ['256 addresses', 0, 256],
  ])('%s: 87', async (_, flags, count) => {
    const handle = await openHere();
    const addresses = WINDIVERT_ADDRESS.array(count);
    const buffer = new Uint8Array(100);
    await expect(WinDivertRecvEx(handle, buffer, flags, addresses)).rejects.toThrow(win32(87));
    if (count === 0) return;
    expect(() => WinDivertSendEx(handle, buffer, flags, addresses)).toThrow(win32(87));
  });
});

describe('shutdown and close', () => {
  test('what is queued can be received, then 232', async () => {
    const handle = await openHere();
    kernel.arrive(datagram(1));
    await settle();
    WinDivertShutdown(handle, 1);
    kernel.arrive(datagram(2));
    expect(kernel.delivered.length).toBe(1);
    const { packet, addr } = await receive(handle);
    expect(packet.length).toBe(29);
    await expect(receive(handle)).rejects.toThrow(win32(232));
    await expect(
      WinDivertRecvEx(handle, new Uint8Array(9), 0, WINDIVERT_ADDRESS.array(2)),
    ).rejects.toThrow(win32(232));
    WinDivertSend(handle, packet, addr);
    await flush(handle);
    expect(kernel.delivered.length).toBe(2);
  });

  test('of sending: 232', async () => {
    const handle = await openHere();
    kernel.arrive(datagram(1));
    const { packet, addr } = await receive(handle);
    WinDivertShutdown(handle, 2);
    expect(() => WinDivertSend(handle, packet, addr)).toThrow(win32(232));
    expect(() => WinDivertSendEx(handle, packet, 0, [addr])).toThrow(win32(232));
    kernel.arrive(datagram(2));
    expect((await receive(handle)).packet.length).toBe(30);
  });

  test.each([0, 4, 1.5, Number.NaN])('shutdown of %d: 87', async (how) => {
    const handle = await openHere();
    expect(() => WinDivertShutdown(handle, how)).toThrow(win32(87));
  });

  test('a receive that waits ends with the handle, which is then no handle: 6', async () => {
    const handle = await openHere();
    const waiting = receive(handle);
    const waitingToo = WinDivertRecvEx(handle, null, 0, WINDIVERT_ADDRESS.array(2));
    expect(handle.closed).toBeUndefined();
    WinDivertClose(handle);
    await expect(waiting).rejects.toThrow(win32(6));
    await expect(waitingToo).rejects.toThrow(win32(6));
    await expect(receive(handle)).rejects.toThrow(win32(6));
    const addr = new WINDIVERT_ADDRESS();
    expect(() => WinDivertSend(handle, datagram(1), addr)).toThrow(win32(6));
    expect(() => WinDivertShutdown(handle, 1)).toThrow(win32(6));
    expect(() => WinDivertClose(handle)).toThrow(win32(6));
    await handle.closed;
    expect(kernel.openChannels).toBe(0);
  });
});

describe('parameters', () => {
  test.each([
    [0, 4096, 32, 16384],
    [1, 2000, 100, 16000],
    [2, 4194304, 65535, 33554432],
  ])('%i: default, minimum, maximum', async (param, standard, minimum, maximum) => {
    const handle = await openHere();
    expect(WinDivertGetParam(handle, param)).toBe(standard);
    for (const value of [minimum, maximum]) {
      WinDivertSetParam(handle, param, BigInt(value));
      expect(WinDivertGetParam(handle, param)).toBe(value);
    }
    for (const value of [minimum - 1, maximum + 1]) {
      expect(() => WinDivertSetParam(handle, param, value)).toThrow(win32(87));
    }
    expect(WinDivertGetParam(handle, param)).toBe(maximum);
  });

  test.each([3, 4])('%i: the version, 2, read only', async (param) => {
    const handle = await openHere();
    expect(WinDivertGetParam(handle, param)).toBe(2);
    expect(() => WinDivertSetParam(handle, param, 3)).toThrow(win32(87));
  });

  test.each([-1, 5, 0.5])('there is no parameter %d: 87', async (param) => {
    const handle = await openHere();
    expect(() => WinDivertGetParam(handle, param)).toThrow(win32(87));
    expect(() => WinDivertSetParam(handle, param, 2000)).toThrow(win32(87));
  });
});

describe('opening', () => {
  const attempt = (filter: string, layer: number, priority: number, flags: number | bigint) =>
    WinDivertOpen(filter, layer, priority, flags, { backend: kernel });

  test.each([
    ['SNIFF and DROP', 'true', 0, 0, WINDIVERT_FLAG_SNIFF | WINDIVERT_FLAG_DROP],
    ['RECV_ONLY and SEND_ONLY', 'true', 0, 0, WINDIVERT_FLAG_RECV_ONLY | WINDIVERT_FLAG_SEND_ONLY],
    ['a bit without a meaning', 'true', 0, 0, 0x40],
    ['a high bit without a meaning', 'true', 0, 0, 1n << 63n],
    ['negative flags', 'true', 0, 0, -1],
    ['flow without flags', 'true', 2, 0, 0],
    ['flow without SNIFF', 'true', 2, 0, WINDIVERT_FLAG_RECV_ONLY],
    ['flow without RECV_ONLY', 'true', 2, 0, WINDIVERT_FLAG_SNIFF],
    ['flow with DROP', 'true', 2, 0, WINDIVERT_FLAG_DROP | WINDIVERT_FLAG_RECV_ONLY],
    ['socket without RECV_ONLY', 'true', 3, 0, WINDIVERT_FLAG_SNIFF],
    ['socket with SEND_ONLY', 'true', 3, 0, WINDIVERT_FLAG_SEND_ONLY],
    ['reflect without SNIFF', 'true', 4, 0, WINDIVERT_FLAG_RECV_ONLY],
    ['no such layer', 'true', 5, 0, 0],
    ['a layer below 0', 'true', -1, 0, 0],
    ['a priority too high', 'true', 0, 30001, 0],
    ['a priority too low', 'true', 0, -30001, 0],
    ['a priority that is no integer', 'true', 0, 0.5, 0],
    ['a filter that does not compile', 'tcp.Port == 1', 0, 0, 0],
    ['a filter of another layer', 'processId == 1', 0, 0, 0],
  ] as const)('%s: 87', async (_, filter, layer, priority, flags) => {
    await expect(attempt(filter, layer, priority, flags)).rejects.toThrow(win32(87));
    expect(kernel.openChannels).toBe(0);
  });

  test.each([
    [0, 30000, 0],
    [1, -30000, 0n],
    [0, 0, WINDIVERT_FLAG_DROP],
    [0, 0, BigInt(WINDIVERT_FLAG_RECV_ONLY)],
    [0, 0, 0x10],
  ] as const)('layer %i, priority %i, flags %i', async (layer, priority, flags) => {
    const handle = await attempt('true', layer, priority, flags);
    WinDivertClose(handle);
    await handle.closed;
  });

  test('an object string', async () => {
    const handle = await attempt('@WinDiv_WX_WWWWAA', 0, 0, 0);
    handles.push(handle);
    kernel.arrive(datagram(1));
    expect((await receive(handle)).packet.length).toBe(29);
  });
});
