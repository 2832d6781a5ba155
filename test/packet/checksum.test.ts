import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AddressInit } from '../../src/packet/address.ts';
import { calcChecksums, foldSum, mendChecksum, sumBytes } from '../../src/packet/checksum.ts';
import { fromHex, loadVectors, toHex } from './vectors.ts';

interface Vector {
  packet: string;
  flags: string;
  addr: AddressInit | null;
  ok: boolean;
  result: string;
  resultAddr: { ipChecksum: number; tcpChecksum: number; udpChecksum: number } | null;
}

describe('checksums.json', () => {
  test.each(loadVectors<Vector>('checksums'))('$flags $packet', (vector) => {
    const bytes = fromHex(vector.packet);
    const address = vector.addr === null ? null : { ...vector.addr };
    const done = calcChecksums(bytes, { flags: Number(vector.flags), address });
    expect(done).toBe(vector.ok);
    expect(toHex(bytes)).toBe(vector.result);
    if (address === null || vector.resultAddr === null) return;
    for (const key of ['ipChecksum', 'tcpChecksum', 'udpChecksum'] as const) {
      expect(Number(address[key] ?? 0), key).toBe(vector.resultAddr[key]);
    }
  });
});

/** The sum as RFC 1071 writes it down. */
function slowSum(bytes: Uint8Array): number {
  let sum = 0;
  bytes.forEach((byte, index) => {
    sum += index % 2 === 0 ? byte * 256 : byte;
  });
  while (sum > 0xffff) sum = (sum % 0x1_0000) + Math.floor(sum / 0x1_0000);
  return sum;
}

test('the sum of every length at every alignment is that of RFC 1071', () => {
  const memory = Uint8Array.from({ length: 400 }, (_, index) => (index * 197 + 13) & 0xff);
  for (let offset = 0; offset < 8; offset++) {
    for (let length = 0; length <= 300; length++) {
      const part = memory.slice(offset, offset + length);
      expect(foldSum(sumBytes(memory, offset, length))).toBe(slowSum(part));
      expect(foldSum(sumBytes(part, 0, length))).toBe(slowSum(part));
    }
  }
});

test.each([0x00, 0xff])('the longest packet of 0x%s does not overflow the sum', (byte) => {
  const bytes = new Uint8Array(65575).fill(byte);
  expect(foldSum(sumBytes(bytes, 0, bytes.length))).toBe(slowSum(bytes));
});

test('mending is recomputing', () => {
  const sample = fc.tuple(
    fc.uint8Array({ minLength: 2, maxLength: 60 }),
    fc.uint8Array({ minLength: 2, maxLength: 60 }),
    fc.uint8Array({ minLength: 2, maxLength: 60 }),
  );
  fc.assert(
    fc.property(sample, ([before, after, rest]) => {
      // A header is never all zero, so a sum of 0 stays out.
      const restSum = slowSum(rest) || 1;
      const old = ~foldSum(slowSum(before) + restSum) & 0xffff;
      const expected = ~foldSum(slowSum(after) + restSum) & 0xffff;
      expect(mendChecksum(old, slowSum(before), slowSum(after))).toBe(expected);
    }),
    { numRuns: 5000 },
  );
});

test('an ICMP message of zeros has the checksum ffff', () => {
  const bytes = fromHex('4500001c000000004001000001020304050607080000000000000000');
  expect(calcChecksums(bytes)).toBe(true);
  expect(toHex(bytes.subarray(20))).toBe('0000ffff00000000');
});

test('random bytes: no exception, nothing written beyond the packet', () => {
  const bytes = fc.tuple(fc.constantFrom(0x45, 0x4f, 0x60), fc.uint8Array({ maxLength: 120 }));
  fc.assert(
    fc.property(bytes, ([first, rest]) => {
      const memory = new Uint8Array(rest.length + 33).fill(0xa5);
      const packet = memory.subarray(16, 17 + rest.length);
      packet.set([first, ...rest]);
      calcChecksums(packet);
      expect(toHex(memory.subarray(0, 16))).toBe('a5'.repeat(16));
      expect(toHex(memory.subarray(17 + rest.length))).toBe('a5'.repeat(16));
    }),
    { numRuns: 5000 },
  );
});
