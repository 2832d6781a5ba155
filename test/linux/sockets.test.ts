import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FLOW_KEY, writeFlowKey } from '../../src/linux/attribution/flow-owners.ts';
import { parseSockets } from '../../src/linux/sockets/proc-net.ts';
import {
  BOUND_KEY,
  CONNECTION_KEY_BYTES,
  OWNER_BYTES,
  SOCKET_RECORD,
} from '../../src/linux/sockets/socket-record.ts';

describe('layout of a record', () => {
  test('the key of a connection begins in its first part and ends before the times', () => {
    expect(SOCKET_RECORD.NETNS_COOKIE + CONNECTION_KEY_BYTES).toBe(SOCKET_RECORD.CREATED);
    expect(SOCKET_RECORD.NETNS_COOKIE + 8).toBe(OWNER_BYTES);
  });

  test('the key of a bound address is the end of it', () => {
    expect(SOCKET_RECORD.BOUND + BOUND_KEY.BYTES).toBe(SOCKET_RECORD.BYTES);
  });
});

describe('parseSockets', () => {
  const heading = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt';
  const rest = '00000000:00000000 00:00000000 00000000     0        0';

  test.each([
    ['listening', '0100007F:0035 00000000:0000 0A', [0, 0xffff, 0, 0], 0, 10],
    ['connected', '0200630A:D3A4 0100630A:01BB 01', [0x0a63_0001, 0xffff, 0, 0], 443, 1],
    [
      'IPv6',
      '000080FE00000000FF005450BA5ACAFE:1F90 B80D0120000000000000000001000000:0050 06',
      [1, 0, 0, 0x2001_0db8],
      80,
      6,
    ],
  ] as const)('%s', (_, columns, address, port, state) => {
    const text = `${heading}\n   0: ${columns} ${rest} 4711 1 0 100\n`;
    expect(parseSockets(text)).toEqual([['4711', { address, port, state }]]);
  });

  test('other lines are left out', () => {
    expect(parseSockets(`${heading}\n\n   garbage\n`)).toEqual([]);
  });
});

describe('writeFlowKey', () => {
  const packetOf = (bytes: readonly number[], offset = 3) => ({
    memory: Uint8Array.from([...new Array<number>(offset).fill(0xee), ...bytes, 0xdd, 0xdd, 0xdd]),
    offset,
    length: bytes.length,
  });
  const keyOf = (bytes: readonly number[], outbound = true): string | null => {
    const key = new Uint8Array(FLOW_KEY.BYTES).fill(0x55);
    return writeFlowKey(key, packetOf(bytes), outbound) ? Buffer.from(key).toString('hex') : null;
  };
  const ipv4 = (protocol: number, payload: readonly number[], fragment = 0): number[] => [
    ...[0x45, 0, 0, 40, 0, 0, fragment >> 8, fragment & 0xff, 64, protocol, 0, 0],
    ...[10, 0, 0, 1, 10, 0, 0, 2],
    ...payload,
  ];
  const addresses = `0a0000010a000002${'0'.repeat(48)}`;

  test.each([
    ['TCP', ipv4(6, [0x12, 0x34, 0, 80, 1, 1]), true, `${addresses}12340050060100`],
    ['inbound', ipv4(6, [0x12, 0x34, 0, 80, 1, 1]), false, `${addresses}12340050060000`],
    ['ICMP', ipv4(1, [8, 0, 0xaa, 0xbb, 0x12, 0x34]), true, `${addresses}08001234010100`],
    ['too short for ports', ipv4(17, [0x12, 0x34]), true, `${addresses}00000000110100`],
    ['other protocols', ipv4(47, [1, 2, 3, 4]), true, `${addresses}000000002f0100`],
    ['later fragments', ipv4(17, [1, 2, 3, 4], 0x2001), true, `${addresses}00000000110100`],
    ['first fragments', ipv4(17, [1, 2, 3, 4], 0x2000), true, `${addresses}01020304110100`],
  ])('%s', (_, bytes, outbound, expected) => {
    expect(keyOf(bytes, outbound)).toBe(`${expected}00`);
  });

  test('options are stepped over', () => {
    const bytes = ipv4(17, [1, 1, 1, 1, 0xca, 0xfe, 0xba, 0xbe]);
    bytes[0] = 0x46;
    expect(keyOf(bytes)).toContain('cafebabe11');
  });

  test('IPv6', () => {
    const ends = Array.from({ length: 32 }, (_, index) => index);
    const bytes = [0x60, 0, 0, 0, 0, 8, 17, 64, ...ends, 0xca, 0xfe, 0xba, 0xbe];
    const hex = Buffer.from(ends).toString('hex');
    expect(keyOf(bytes)).toBe(`${hex}cafebabe11010100`);
  });

  test('nothing behind the packet is read, and nothing fails', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(255), { maxLength: 60 }), fc.boolean(), (bytes, outbound) => {
        const headerBytes = (bytes[0] ?? 0) >> 4 === 6 ? 40 : 20;
        const key = keyOf(bytes, outbound);
        expect(key === null).toBe(bytes.length < headerBytes);
        const isFree = bytes.every((byte) => byte !== 0xdd);
        if (key !== null && isFree) expect(Buffer.from(key, 'hex').includes(0xdd)).toBe(false);
      }),
    );
  });
});
