import { describe, expect, test } from 'vitest';
import { hashPacket, hashPacketWords } from '../../src/packet/hash.ts';
import { PacketScan, scanPacket } from '../../src/packet/layout.ts';
import { fromHex, loadVectors } from './vectors.ts';

const vectors = loadVectors<{ packet: string; seed: string; hash: string }>('hash');

describe('hash.json', () => {
  test.each(vectors)('$seed $packet', ({ packet, seed, hash }) => {
    expect(hashPacket(fromHex(packet), BigInt(seed))).toBe(BigInt(hash));
  });
});

test('a seed counts modulo 2^64', () => {
  const bytes = fromHex('4500001c000000004011000001020304050607080000000000000000');
  expect(hashPacket(bytes, -1n)).toBe(hashPacket(bytes, 0xffff_ffff_ffff_ffffn));
  expect(hashPacket(bytes)).toBe(hashPacket(bytes, 1n << 64n));
});

test('a packet inside a larger memory has the same hash', () => {
  const scan = new PacketScan();
  const out = new Uint32Array(2);
  for (const { packet, seed, hash } of vectors.filter((vector) => Number(vector.hash) !== 0)) {
    const bytes = fromHex(packet);
    const memory = new Uint8Array(bytes.length + 50).fill(0xff);
    memory.set(bytes, 21);
    scanPacket(memory, 21, bytes.length, scan);
    const value = BigInt(seed);
    hashPacketWords(memory, 21, scan, Number(value & 0xffff_ffffn), Number(value >> 32n), out);
    expect((BigInt(out[1]!) << 32n) | BigInt(out[0]!)).toBe(BigInt(hash));
  }
});
