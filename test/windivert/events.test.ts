import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type HANDLE,
  WINDIVERT_FLAG_RECV_ONLY as RECV_ONLY,
  WINDIVERT_FLAG_SNIFF as SNIFF,
  WINDIVERT_ADDRESS,
  WINDIVERT_EVENT_FLOW_ESTABLISHED,
  WINDIVERT_EVENT_REFLECT_CLOSE,
  WINDIVERT_EVENT_SOCKET_CLOSE,
  WINDIVERT_LAYER_FLOW,
  WINDIVERT_LAYER_REFLECT,
  WINDIVERT_LAYER_SOCKET,
  WINDIVERT_SHUTDOWN_RECV,
  WinDivertClose,
  WinDivertOpen,
  WinDivertRecv,
  WinDivertRecvEx,
  WinDivertSend,
  WinDivertShutdown,
} from '../../src/windivert/index.ts';
import { FakeEvents, flowEvent, reflectEvent, socketEvent } from '../helpers/fake-events.ts';

let backend: FakeEvents;
const handles: HANDLE[] = [];

beforeEach(() => {
  backend = new FakeEvents();
});

afterEach(async () => {
  for (const handle of handles.splice(0)) {
    WinDivertClose(handle);
    await handle.closed;
  }
});

async function openLayer(layer: number): Promise<HANDLE> {
  const handle = await WinDivertOpen('true', layer, 0, SNIFF | RECV_ONLY, { backend });
  handles.push(handle);
  return handle;
}

const report = (event: Parameters<FakeEvents['channels'][0]['report']>[0]): void =>
  backend.channels.at(-1)?.report(event);

const win32 = (number: number) => expect.objectContaining({ win32: number });

describe('events in addresses', () => {
  test('flow', async () => {
    const handle = await openLayer(WINDIVERT_LAYER_FLOW);
    report(flowEvent());
    const address = new WINDIVERT_ADDRESS();
    expect(await WinDivertRecv(handle, null, address)).toBe(0);
    expect(address).toMatchObject({
      Layer: WINDIVERT_LAYER_FLOW,
      Event: WINDIVERT_EVENT_FLOW_ESTABLISHED,
      Timestamp: 12_345n,
      Sniffed: 1,
      Outbound: 1,
      Loopback: 0,
      IPv6: 0,
    });
    const { EndpointId, ProcessId, LocalPort, RemotePort, Protocol, LocalAddr } = address.Flow;
    expect({ EndpointId, ProcessId, LocalPort, RemotePort, Protocol }).toEqual({
      EndpointId: 77n,
      ProcessId: 4711,
      LocalPort: 40_000,
      RemotePort: 80,
      Protocol: 6,
    });
    expect([...LocalAddr]).toEqual([0x0a000001, 0xffff, 0, 0]);
  });

  test('socket: close is event 7, IPv6', async () => {
    const handle = await openLayer(WINDIVERT_LAYER_SOCKET);
    report(socketEvent({ event: 'close', ipv6: true, localAddress: '::1', sniffed: true }));
    const address = new WINDIVERT_ADDRESS();
    await WinDivertRecv(handle, null, address);
    expect(address).toMatchObject({ Event: WINDIVERT_EVENT_SOCKET_CLOSE, IPv6: 1, Sniffed: 1 });
    expect([...address.Socket.LocalAddr]).toEqual([1, 0, 0, 0]);
  });

  test('reflect: close is event 9, the data is the object string', async () => {
    const handle = await openLayer(WINDIVERT_LAYER_REFLECT);
    const event = reflectEvent({ event: 'close' });
    report(event);
    const buffer = new Uint8Array(100);
    const address = new WINDIVERT_ADDRESS();
    const length = await WinDivertRecv(handle, buffer, address);
    expect(new TextDecoder().decode(buffer.subarray(0, length))).toBe(`${event.object}\0`);
    expect(address.Event).toBe(WINDIVERT_EVENT_REFLECT_CLOSE);
    const { Timestamp, ProcessId, Layer, Flags, Priority } = address.Reflect;
    expect({ Timestamp, ProcessId, Layer, Flags, Priority }).toEqual({
      Timestamp: 98n,
      ProcessId: 4711,
      Layer: 0,
      Flags: 1n,
      Priority: -5,
    });
  });

  test('reflect: too small a buffer is 122, address and what fits are written', async () => {
    const handle = await openLayer(WINDIVERT_LAYER_REFLECT);
    report(reflectEvent());
    const buffer = new Uint8Array(4);
    const address = new WINDIVERT_ADDRESS();
    await expect(WinDivertRecv(handle, buffer, address)).rejects.toEqual(win32(122));
    expect(new TextDecoder().decode(buffer)).toBe('@Win');
    expect(address.Reflect.ProcessId).toBe(4711);
  });

  test('several at once', async () => {
    const handle = await openLayer(WINDIVERT_LAYER_FLOW);
    for (const localPort of [1, 2, 3]) report(flowEvent({ localPort }));
    const addresses = WINDIVERT_ADDRESS.array(10);
    const received = await WinDivertRecvEx(handle, null, 0, addresses);
    expect(received).toEqual({ recvLen: 0, addrLen: 3 * WINDIVERT_ADDRESS.SIZE });
    expect(addresses.slice(0, 3).map(({ Flow }) => Flow.LocalPort)).toEqual([1, 2, 3]);
  });
});

test('sending is 87, and after shutdown receiving is 232', async () => {
  const handle = await openLayer(WINDIVERT_LAYER_SOCKET);
  expect(() => WinDivertSend(handle, new Uint8Array(20), new WINDIVERT_ADDRESS())).toThrow(
    win32(87),
  );
  WinDivertShutdown(handle, WINDIVERT_SHUTDOWN_RECV);
  await expect(WinDivertRecv(handle, null)).rejects.toEqual(win32(232));
});
