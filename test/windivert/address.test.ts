import { describe, expect, test } from 'vitest';
import type { AddressInit } from '../../src/packet/address.ts';
import {
  WINDIVERT_ADDRESS,
  WINDIVERT_DATA_FLOW,
  WINDIVERT_DATA_NETWORK,
  WINDIVERT_DATA_REFLECT,
  WINDIVERT_DATA_SOCKET,
} from '../../src/windivert/index.ts';

/** 80 bytes from hexadecimal rows: the first is the head, the rest the union, filled up with zeros. */
function fromRows(...rows: readonly string[]): Uint8Array {
  const bytes = new Uint8Array(80);
  bytes.set(Buffer.from(rows.join('').replaceAll(' ', ''), 'hex'));
  return bytes;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

interface Row {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly address: AddressInit;
}

// Each row is written down by hand from the structure in windivert.h: head (timestamp, layer, event, flags,
// Reserved1, Reserved2), then the union.
const ROWS: readonly Row[] = [
  { name: 'nothing', bytes: fromRows(), address: {} },
  {
    name: 'an outbound IPv4 packet with all checksums valid',
    bytes: fromRows('0807060504030201 00 00 e2 00 00000000', '03000000 04030201'),
    address: {
      timestamp: 0x0102030405060708n,
      layer: 'network',
      event: 'packet',
      outbound: true,
      ipChecksum: true,
      tcpChecksum: true,
      udpChecksum: true,
      interfaceIndex: 3,
      subInterfaceIndex: 0x01020304,
    },
  },
  {
    name: 'a sniffed impostor over IPv6 on the forward layer, before the epoch of the clock',
    bytes: fromRows('ffffffffffffffff 01 00 19 00 00000000', 'ffffffff 00000000'),
    address: {
      timestamp: -1n,
      layer: 'forward',
      sniffed: true,
      impostor: true,
      ipv6: true,
      interfaceIndex: 0xffffffff,
    },
  },
  {
    name: 'a flow from loopback to loopback',
    bytes: fromRows(
      '0100000000000000 02 01 06 00 00000000',
      'efcdab8967452301 0000000000000080 d2040000',
      '0100007f ffff0000 00000000 00000000',
      '0200007f ffff0000 00000000 00000000',
      'bb01 22c8 06',
    ),
    address: {
      timestamp: 1,
      layer: 'flow',
      event: 'established',
      outbound: true,
      loopback: true,
      endpointId: 0x0123456789abcdefn,
      parentEndpointId: 1n << 63n,
      processId: 1234,
      localAddress: '127.0.0.1',
      remoteAddress: '127.0.0.2',
      localPort: 443,
      remotePort: 51234,
      protocol: 6,
    },
  },
  {
    name: 'a socket that closes, IPv6',
    bytes: fromRows(
      '0000000000000000 03 07 11 00 00000000',
      '0000000000000000 0000000000000000 01000000',
      '08000000 07000600 05000400 b80d0120',
      '01000000 00000000 00000000 00000000',
      '3500 0000 11',
    ),
    address: {
      layer: 3,
      event: 'close',
      sniffed: 1,
      ipv6: 1,
      processId: 1,
      localAddr: '2001:db8:4:5:6:7:0:8',
      remoteAddr: [1, 0, 0, 0],
      localPort: 53,
      protocol: 17,
    },
  },
  {
    name: 'a handle that closes',
    bytes: fromRows(
      '0500000000000000 04 09 00 00 00000000',
      'feffffffffffffff 0a000000 03000000 0500000000000000 d08a',
    ),
    address: {
      timestamp: '5',
      layer: 'reflect',
      event: 'close',
      openTimestamp: -2n,
      processId: 10,
      handleLayer: 'socket',
      flags: 5n,
      priority: -30000,
    },
  },
];

describe('80 bytes', () => {
  test.each(ROWS)('$name', ({ bytes, address }) => {
    expect(hex(WINDIVERT_ADDRESS.from(address).bytes)).toBe(hex(bytes));
    const read = new WINDIVERT_ADDRESS(bytes).toAddress();
    expect(hex(WINDIVERT_ADDRESS.from(read).bytes)).toBe(hex(bytes));
  });

  test('what is there before does not matter', () => {
    const address = new WINDIVERT_ADDRESS(new Uint8Array(80).fill(0xff));
    for (const { bytes, address: from } of ROWS) {
      expect(hex(address.assign(from).bytes)).toBe(hex(bytes));
    }
  });
});

/** What each bit or number of the head is called, and where it is. */
const HEAD: readonly (readonly [
  name: keyof WINDIVERT_ADDRESS,
  value: bigint | number,
  at: string,
])[] = [
  ['Timestamp', -2n, 'feffffffffffffff'],
  ['Layer', 4, '000000000000000004'],
  ['Event', 9, '00000000000000000009'],
  ['Sniffed', 1, '0000000000000000000001'],
  ['Outbound', 1, '0000000000000000000002'],
  ['Loopback', 1, '0000000000000000000004'],
  ['Impostor', 1, '0000000000000000000008'],
  ['IPv6', 1, '0000000000000000000010'],
  ['IPChecksum', 1, '0000000000000000000020'],
  ['TCPChecksum', 1, '0000000000000000000040'],
  ['UDPChecksum', 1, '0000000000000000000080'],
  ['Reserved1', 0xab, '0000000000000000000000ab'],
  ['Reserved2', 0xfedcba98, '00000000000000000000000098badcfe'],
];

test.each(HEAD)('%s', (name, value, at) => {
  const address = new WINDIVERT_ADDRESS();
  Reflect.set(address, name, value);
  expect(hex(address.bytes)).toBe(at.padEnd(160, '0'));
  expect(address[name]).toBe(value);
  // A bit of a byte leaves the others alone.
  address.bytes.fill(0xff);
  Reflect.set(address, name, value);
  expect(address[name]).toBe(value);
  Reflect.set(address, name, typeof value === 'bigint' ? 0n : 0);
  expect(Number(address[name])).toBe(0);
});

test('a bit takes booleans and any number, and reads as 0 or 1', () => {
  const address = new WINDIVERT_ADDRESS();
  address.Outbound = true;
  expect(address.Outbound).toBe(1);
  address.Outbound = !address.Outbound;
  expect(address.Outbound).toBe(0);
});

interface Field {
  readonly structure: object;
  readonly name: string;
  readonly value: bigint | number;
  readonly offset: number;
  readonly bytes: string;
}

const flow = { EndpointId: 0, ParentEndpointId: 8 };
const fieldsOf = (
  structure: new () => { bytes: Uint8Array },
  rows: [string, bigint | number, number, string][],
): Field[] =>
  rows.map(([name, value, offset, bytes]) => ({ structure, name, value, offset, bytes }));
const FLOW_FIELDS: [string, bigint | number, number, string][] = [
  ['EndpointId', 0xfedcba9876543210n, flow.EndpointId, '1032547698badcfe'],
  ['ParentEndpointId', 1n, flow.ParentEndpointId, '0100000000000000'],
  ['ProcessId', 0xfffffffe, 16, 'feffffff'],
  ['LocalPort', 443, 52, 'bb01'],
  ['RemotePort', 65535, 54, 'ffff'],
  ['Protocol', 255, 56, 'ff'],
];

test.each([
  ...fieldsOf(WINDIVERT_DATA_NETWORK, [
    ['IfIdx', 0xfffffffe, 0, 'feffffff'],
    ['SubIfIdx', 2, 4, '02000000'],
  ]),
  ...fieldsOf(WINDIVERT_DATA_FLOW, FLOW_FIELDS),
  ...fieldsOf(WINDIVERT_DATA_SOCKET, FLOW_FIELDS),
  ...fieldsOf(WINDIVERT_DATA_REFLECT, [
    ['Timestamp', -2n, 0, 'feffffffffffffff'],
    ['ProcessId', 0xfffffffe, 8, 'feffffff'],
    ['Layer', 3, 12, '03000000'],
    ['Flags', 0xfedcba9876543210n, 16, '1032547698badcfe'],
    ['Priority', -30000, 24, 'd08a'],
  ]),
])('$structure.name.$name', ({ structure, name, value, offset, bytes }) => {
  const data = new (structure as new () => { bytes: Uint8Array })();
  Reflect.set(data, name, value);
  expect(Reflect.get(data, name)).toBe(value);
  const want = '00'.repeat(offset) + bytes;
  expect(hex(data.bytes)).toBe(want.padEnd(data.bytes.length * 2, '0'));
});

describe('addresses of a flow', () => {
  test('are four words in place', () => {
    const address = new WINDIVERT_ADDRESS();
    const { LocalAddr, RemoteAddr } = address.Flow;
    LocalAddr[0] = 0x7f000001;
    LocalAddr[1] = 0xffff;
    LocalAddr[2] = 2;
    LocalAddr[3] = 0xfffffffe;
    expect([...address.Socket.LocalAddr]).toEqual([0x7f000001, 0xffff, 2, 0xfffffffe]);
    expect([LocalAddr[0], LocalAddr[1], LocalAddr[2], LocalAddr[3]]).toEqual([...LocalAddr]);
    expect(hex(address.Reserved3.subarray(20, 36))).toBe('0100007fffff000002000000feffffff');
    address.Flow.RemoteAddr = LocalAddr;
    expect([...RemoteAddr]).toEqual([...LocalAddr]);
    address.Flow.RemoteAddr = [1, 2, 3, 4, 5];
    expect([...RemoteAddr, address.Flow.LocalPort]).toEqual([1, 2, 3, 4, 0]);
  });
});

describe('memory', () => {
  test('an array lies in one piece', () => {
    const addresses = WINDIVERT_ADDRESS.array(3);
    for (const [index, address] of addresses.entries()) address.Event = index + 1;
    const memory = new Uint8Array(addresses[0]?.bytes.buffer ?? new ArrayBuffer(0));
    expect(memory.length).toBe(3 * WINDIVERT_ADDRESS.SIZE);
    expect([memory[9], memory[89], memory[169]]).toEqual([1, 2, 3]);
  });

  test('an address over bytes of the caller, at any offset', () => {
    const memory = new Uint8Array(83);
    new WINDIVERT_ADDRESS(memory, 3).Timestamp = 1n;
    expect(memory[3]).toBe(1);
  });

  test.each([
    [79, 0],
    [80, 1],
    [80, -1],
  ])('80 bytes do not fit into %i at %i', (length, offset) => {
    expect(() => new WINDIVERT_ADDRESS(new Uint8Array(length), offset)).toThrow(RangeError);
  });
});

test('a number that is no layer or event stays one', () => {
  const address = new WINDIVERT_ADDRESS();
  address.Layer = 7;
  address.Event = 200;
  expect(address.toAddress()).toMatchObject({ layer: 7, event: 200 });
  expect(() => WINDIVERT_ADDRESS.from({ layer: 7 })).toThrow(RangeError);
  expect(() => WINDIVERT_ADDRESS.from({ event: 'nothing' as 'open' })).toThrow(/event/);
});
