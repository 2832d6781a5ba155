import { describe, expect, test } from 'vitest';
import { calcChecksums } from '../../src/packet/checksum.ts';
import { decrementTtl } from '../../src/packet/ttl.ts';
import { fromHex, loadVectors, toHex } from './vectors.ts';

describe('ttl.json', () => {
  test.each(loadVectors<{ packet: string; ok: boolean; result: string }>('ttl'))(
    '$packet',
    ({ packet, ok, result }) => {
      const bytes = fromHex(packet);
      expect(decrementTtl(bytes)).toBe(ok);
      expect(toHex(bytes)).toBe(result);
    },
  );
});

test('every TTL: the mended checksum is the computed one', () => {
  const bytes = fromHex('45000018123440000011000001020304050607080a0b0c0d');
  for (let ttl = 2; ttl <= 255; ttl++) {
    bytes[8] = ttl;
    calcChecksums(bytes);
    expect(decrementTtl(bytes)).toBe(true);
    const mended = toHex(bytes);
    calcChecksums(bytes);
    expect(mended).toBe(toHex(bytes));
  }
});
