import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { open } from '../../src/index.ts';
import {
  type CapturePacket,
  type CaptureRecord,
  networkLayer,
  pcapBackend,
  readCapture,
} from '../../src/pcap/index.ts';
import { build } from '../packet/build.ts';
import { captureOf, chunked, hex, memory, readAll } from './helpers.ts';

const MEGABYTE = 1024 * 1024;

const packetArbitrary: fc.Arbitrary<CapturePacket> = fc.record({
  bytes: fc.oneof(
    fc.uint8Array({ maxLength: 90 }),
    fc.nat(60).map((length) => build(length % 2 === 0 ? 4 : 6, 'udp', length)),
  ),
  timestampNs: fc.bigInt(0n, 2n ** 64n - 1n),
  linkType: fc.constantFrom(0, 1, 9, 12, 101, 113, 147, 276),
  originalLength: fc.nat(0xffff),
  interface: fc.record({ name: fc.constantFrom('lo', 'eth0') }),
  direction: fc.constantFrom('inbound' as const, 'outbound' as const, null),
  comments: fc.array(fc.string({ maxLength: 9 }), { maxLength: 2 }),
});

/** The same packets as a classic file: random byte order and resolution. */
function classic(packets: readonly CapturePacket[], little: boolean, nano: boolean): Uint8Array {
  const total = packets.reduce((sum, { bytes }) => sum + 16 + bytes.length, 24);
  const file = new Uint8Array(total);
  const view = new DataView(file.buffer);
  view.setUint32(0, nano ? 0xa1b23c4d : 0xa1b2c3d4, little);
  view.setUint16(4, 2, little);
  view.setUint16(6, 4, little);
  view.setUint32(20, 101, little);
  let at = 24;
  for (const { bytes, timestampNs } of packets) {
    view.setUint32(at, Number((timestampNs / 1_000_000_000n) & 0xffffffffn), little);
    view.setUint32(at + 4, Number(timestampNs % 1_000_000_000n) / (nano ? 1 : 1000), little);
    view.setUint32(at + 8, bytes.length, little);
    view.setUint32(at + 12, bytes.length, little);
    file.set(bytes, at + 16);
    at += 16 + bytes.length;
  }
  return file;
}

const fileArbitrary: fc.Arbitrary<Promise<Uint8Array>> = fc
  .tuple(fc.array(packetArbitrary, { minLength: 1, maxLength: 5 }), fc.nat(4))
  .chain(([packets, kind]) =>
    fc.constant(
      kind === 4
        ? captureOf(packets)
        : Promise.resolve(classic(packets, (kind & 1) === 1, (kind & 2) === 2)),
    ),
  );

describe('random files', () => {
  test('cut anywhere: every packet before, then an error there or none at a boundary', async () => {
    await fc.assert(
      fc.asyncProperty(
        fileArbitrary,
        fc.nat(),
        fc.integer({ min: 1, max: 99 }),
        async (made, cut, size) => {
          const file = await made;
          const whole = await readAll(file);
          expect(whole.error).toBeNull();
          const length = cut % file.length;
          const { records, error } = await readAll(chunked(file.slice(0, length), size));
          expect(records).toEqual(whole.records.slice(0, records.length));
          if (error === null) return;
          expect(error).toMatchObject({ code: 'bad-capture' });
          const { offset } = error as { offset: number };
          expect(offset).toBeLessThanOrEqual(length);
          // What stands before the place that is named is all that there was to read.
          const before = await readAll(file.slice(0, offset));
          if (offset > 0) expect(before).toEqual({ records, error: null });
        },
      ),
    );
  });

  test('damaged anywhere: records or a capture error, the same in any chunks', async () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(
        fileArbitrary,
        changes,
        fc.integer({ min: 1, max: 64 }),
        async (made, damage, size) => {
          const file = (await made).slice();
          for (const [at, byte] of damage) file[at % file.length] = byte;
          const whole = await readAll(file);
          if (whole.error !== null) expect(whole.error).toMatchObject({ code: 'bad-capture' });
          expect(await readAll(chunked(file, size))).toEqual(whole);
          for (const record of whole.records) expect(isInside(record, file)).toBe(true);
        },
      ),
    );
  });

  test('damaged anywhere, through a handle: it ends, and its books are right', async () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(fileArbitrary, changes, async (made, damage) => {
        const file = (await made).slice();
        for (const [at, byte] of damage) file[at % file.length] = byte;
        const backend = pcapBackend({ read: file, write: memory() });
        const handle = await open('udp or ip.Protocol > 3', { layer: 'network', backend });
        let decided = 0;
        try {
          for await (const packet of handle) if (decided++ % 2 === 0) handle.send(packet);
        } catch (error) {
          // A damaged interface may put a packet's time out of what can be written.
          if (!(error instanceof RangeError)) expect(error).toMatchObject({ code: 'bad-capture' });
        }
        await handle.close().catch((error: unknown) => expect(error).toBeInstanceOf(RangeError));
        const { received, sent, dropped, lost, queued, held } = handle.stats();
        expect(received).toBe(sent + dropped + lost.total + queued + held);
      }),
    );
  });

  test('bytes that are no file at all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (file) => {
        expect((await readAll(file)).error).toMatchObject({ code: 'bad-capture' });
      }),
    );
  });
});

/** The record's bytes, and its packet, are part of the file. */
function isInside(record: CaptureRecord, file: Uint8Array): boolean {
  const packet = networkLayer(record) ?? record.bytes;
  const isPart = record.bytes.buffer === file.buffer && packet.buffer === file.buffer;
  return (
    isPart && packet.byteOffset + packet.length <= record.bytes.byteOffset + record.bytes.length
  );
}

/** Bytes that are in use after what is not is gone. */
function usedBytes(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** A section header and an interface, then the same block over and over. */
async function* endless(block: Uint8Array, totalBytes: number): AsyncGenerator<Uint8Array, void> {
  yield hex(`0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000
             01000000 14000000 6500 0000 00000000 14000000`);
  const chunk = new Uint8Array(block.length * Math.ceil(65_000 / block.length));
  for (let at = 0; at < chunk.length; at += block.length) chunk.set(block, at);
  // Chunks of their own, as a file has; blocks lie across their borders.
  for (let sent = 0; sent < totalBytes; sent += chunk.length) {
    const copy = chunk.slice();
    yield copy.subarray(0, 31_001);
    yield copy.subarray(31_001);
  }
}

const PACKET_BLOCK = hex(`06000000 44000000 00000000 e9030000 efcdab89 21000000 21000000
  45000021 00000000 40110000 0a000001 0a000002 00350035 000d0000 0102030405 000000 44000000`);

describe('large files', () => {
  test('300 MB are read in constant memory', async () => {
    let records = 0;
    let mostBytes = 0;
    const before = usedBytes();
    for await (const record of readCapture(endless(PACKET_BLOCK, 300 * MEGABYTE))) {
      if (record.bytes.length !== 33) throw new Error('not the packet that was written');
      if (records++ % 500_000 === 0) mostBytes = Math.max(mostBytes, usedBytes() - before);
    }
    expect(records).toBeGreaterThan((300 * MEGABYTE) / PACKET_BLOCK.length - 1);
    expect(mostBytes).toBeLessThan(64 * MEGABYTE);
  });

  test('a block of a length that is not there is not made room for', async () => {
    const start = hex('06000000 fcffff00');
    const before = usedBytes();
    const { records, error } = await readAll(endless(start, 1));
    expect(records).toEqual([]);
    expect(error).toMatchObject({ code: 'bad-capture' });
    expect(usedBytes() - before).toBeLessThan(4 * MEGABYTE);
  });

  test('interfaces without end are an error', async () => {
    const description = hex('01000000 14000000 6500 0000 00000000 14000000');
    const { error } = await readAll(endless(description, 10 * MEGABYTE));
    expect(error).toMatchObject({ message: expect.stringContaining('more than 65536 interfaces') });
  });

  test('a record of most bytes in the smallest chunks takes no longer than it has to', async () => {
    const length = 2 * MEGABYTE;
    const file = await captureOf([{ bytes: new Uint8Array(length), timestampNs: 1n }]);
    const { records, error } = await readAll(chunked(file, 16));
    expect([records.length, records[0]?.bytes.length, error]).toEqual([1, length, null]);
  });
});
