import fc from 'fast-check';
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

const MASK = 0xffff_ffff_ffff_ffffn;
const PRIMES = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
] as const;
const KEYS = [
  0x428a2f9871374491n,
  0xb5c0fbcfe9b5dba5n,
  0x3956c25b59f111f1n,
  0x923f82a4ab1c5ed5n,
  0xd807aa9812835b01n,
  0x243185be550c7dc3n,
  0x72be5d7480deb1fen,
  0x9bdc06a7c19bf174n,
] as const;
const rotate = (value: bigint, bits: bigint): bigint =>
  ((value << bits) | (value >> (64n - bits))) & MASK;
const round = (from: bigint, input: bigint): bigint =>
  (rotate((from + input * PRIMES[1]) & MASK, 31n) * PRIMES[0]) & MASK;

/** The hash of an IPv4 packet with a TCP header at 20, in BigInt arithmetic. */
function bigHash(bytes: Uint8Array, seed: bigint): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const wide = (at: number): bigint => view.getBigUint64(at, true);
  const half = (at: number): bigint => BigInt(view.getUint32(at, true));
  const inputs = [seed, wide(0), wide(8), half(16)].map((value, index) => value ^ KEYS[index]!);
  const lanes = [wide(20), wide(28), half(36), seed].map(
    (value, index) => value ^ KEYS[index + 4]!,
  );
  const values = inputs.map((input, index) => round(lanes[index]!, input));
  const bits = [1n, 7n, 12n, 18n];
  let hash = values.reduce((sum, value, index) => sum + rotate(value, bits[index]!), 0n) & MASK;
  for (const value of values) hash = ((hash ^ round(0n, value)) * PRIMES[0] + PRIMES[3]) & MASK;
  hash = (hash + 32n) & MASK;
  hash = ((hash ^ (hash >> 33n)) * PRIMES[1]) & MASK;
  hash = ((hash ^ (hash >> 29n)) * PRIMES[2]) & MASK;
  return hash ^ (hash >> 32n);
}

test('32-bit halves and BigInt arithmetic agree', () => {
  const body = fc.uint8Array({ minLength: 40, maxLength: 40 });
  fc.assert(
    fc.property(body, fc.bigInt({ min: 0n, max: MASK }), (bytes, seed) => {
      bytes.set([0x45, 0, 0, 40]);
      bytes.set([0, 0, 64, 6], 6);
      bytes[32] = 0x50;
      expect(hashPacket(bytes, seed)).toBe(bigHash(bytes, seed));
    }),
    { numRuns: 3000 },
  );
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
