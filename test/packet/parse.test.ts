import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PacketScan, scanPacket, versionOfPacket } from '../../src/packet/layout.ts';
import { type PacketLayout, parsePacket } from '../../src/packet/parse.ts';
import { fromHex, loadVectors } from './vectors.ts';

type Vector = { packet: string; ok: boolean } & Omit<PacketLayout, 'dataLength' | 'nextLength'> & {
    dataLen: number;
    nextLen: number;
  };

const vectors = loadVectors<Vector>('parse');

describe('parse.json', () => {
  test.each(vectors)('$packet', ({ packet, ok, ...expected }) => {
    const { dataLen, nextLen, ...offsets } = expected;
    const layout = ok ? { ...offsets, dataLength: dataLen, nextLength: nextLen } : null;
    expect(parsePacket(fromHex(packet))).toEqual(layout);
  });
});

test('a packet anywhere in a larger memory is found the same way, and nothing beside it is read', () => {
  const alone = new PacketScan();
  const inside = new PacketScan();
  for (const { packet } of vectors) {
    const bytes = fromHex(packet);
    for (const filler of [0x00, 0xff]) {
      const memory = new Uint8Array(bytes.length + 64).fill(filler);
      memory.set(bytes, 17);
      const found = scanPacket(memory, 17, bytes.length, inside);
      expect(found).toBe(scanPacket(bytes, 0, bytes.length, alone));
      if (found) expect(inside).toEqual(alone);
    }
  }
});

test('a truncated packet has the headers that are there', () => {
  const bytes = fromHex('4500007b123440004011000001020304050607080035003500670000aabbcc');
  const scan = new PacketScan();
  expect(parsePacket(bytes)).toBeNull();
  expect(scanPacket(bytes, 0, bytes.length, scan)).toBe(true);
  expect(scan).toMatchObject({
    ipLength: 123,
    dataEnd: 31,
    udp: 20,
    payloadOffset: 28,
    payloadLength: 3,
  });
});

test('random bytes: every offset lies inside', () => {
  const scan = new PacketScan();
  const bytes = fc.tuple(
    fc.constantFrom(0x45, 0x4f, 0x46, 0x60),
    fc.uint8Array({ maxLength: 200 }),
  );
  fc.assert(
    fc.property(bytes, ([first, rest]) => {
      const packet = Uint8Array.of(first, ...rest);
      if (!scanPacket(packet, 0, packet.length, scan)) return;
      expect(scan.dataEnd).toBeLessThanOrEqual(packet.length);
      expect(scan.headersEnd).toBeLessThanOrEqual(scan.dataEnd);
      expect(scan.payloadOffset + scan.payloadLength).toBe(scan.dataEnd);
      expect(scan.payloadLength).toBeGreaterThanOrEqual(0);
    }),
    { numRuns: 5000 },
  );
});

test('the version alone is that of the scan', () => {
  const scan = new PacketScan();
  const lengths = fc.integer({ min: 0, max: 60 });
  const starts = fc.constantFrom(0x00, 0x40, 0x44, 0x45, 0x46, 0x4f, 0x55, 0x60, 0x6f, 0xf5);
  fc.assert(
    fc.property(lengths, starts, fc.integer({ min: 0, max: 80 }), (length, first, total) => {
      const bytes = new Uint8Array(60);
      bytes.set([first, 0, 0, total]);
      const version = scanPacket(bytes, 0, length, scan) ? scan.version : 0;
      expect(versionOfPacket(bytes, 0, length)).toBe(version);
    }),
    { numRuns: 2000 },
  );
});
