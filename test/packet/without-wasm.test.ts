import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type * as Checksum from '../../src/packet/checksum.ts';
import type * as Hash from '../../src/packet/hash.ts';
import { fromHex, loadVectors } from './vectors.ts';

// What a Content-Security-Policy without 'wasm-unsafe-eval' does, and `node --jitless`.
const FORBIDDEN = {
  Module: class {
    constructor() {
      throw new Error('Wasm code generation disallowed by embedder');
    }
  },
};

beforeEach(() => {
  vi.resetModules();
});
afterEach(() => {
  vi.unstubAllGlobals();
});

const importHash = (): Promise<typeof Hash> => import('../../src/packet/hash.ts');
const importChecksum = (): Promise<typeof Checksum> => import('../../src/packet/checksum.ts');

for (const [name, api] of Object.entries({ absent: undefined, forbidden: FORBIDDEN })) {
  test(`hashes where WebAssembly is ${name}`, async () => {
    vi.stubGlobal('WebAssembly', api);
    const { hashPacket } = await importHash();
    for (const { packet, seed, hash } of loadVectors<Record<string, string>>('hash')) {
      expect(hashPacket(fromHex(packet ?? ''), BigInt(seed ?? ''))).toBe(BigInt(hash ?? ''));
    }
  });

  test(`sums where WebAssembly is ${name}`, async () => {
    const bytes = Uint8Array.from({ length: 2001 }, (_, index) => (index * 89) & 0xff);
    const { sumBytes, foldSum } = await importChecksum();
    const expected = foldSum(sumBytes(bytes, 3, 1995));
    vi.resetModules();
    vi.stubGlobal('WebAssembly', api);
    const plain = await importChecksum();
    expect(plain.foldSum(plain.sumBytes(bytes, 3, 1995))).toBe(expected);
  });
}

test('what an earlier packet left behind does not count', async () => {
  const { sumBytes, foldSum } = await importChecksum();
  sumBytes(new Uint8Array(3000).fill(0xff), 0, 3000);
  expect(foldSum(sumBytes(new Uint8Array(1001).fill(0), 0, 1001))).toBe(0);
});

test('the longest sum of all ones does not overflow', async () => {
  const { sumBytes, foldSum } = await importChecksum();
  expect(foldSum(sumBytes(new Uint8Array(65_575).fill(0xff), 0, 65_574))).toBe(0xffff);
});
