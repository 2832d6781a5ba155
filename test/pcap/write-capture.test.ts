import { Writable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CapturePacket, writeCapture } from '../../src/pcap/index.ts';
import { hex, readAll, toHex } from './helpers.ts';

/** A sink in memory. */
function memory(): { write(bytes: Uint8Array): void; bytes(): Uint8Array } {
  const chunks: Uint8Array[] = [];
  return {
    write: (bytes) => void chunks.push(bytes.slice()),
    bytes: () => Uint8Array.from(chunks.flatMap((chunk) => [...chunk])),
  };
}

async function written(packets: readonly CapturePacket[]): Promise<Uint8Array> {
  const sink = memory();
  const writer = writeCapture(sink, { application: 'test' });
  for (const packet of packets) await writer.write(packet);
  await writer.close();
  return sink.bytes();
}

test('the bytes of a file with everything in it', async () => {
  const file = await written([
    {
      bytes: hex('0102030405'),
      timestampNs: 0x1122334455667788n,
      linkType: 1,
      originalLength: 100,
      interface: { name: 'eth0', description: 'first' },
      direction: 'outbound',
      processId: 1234,
      comments: ['hello'],
    },
  ]);
  expect(toHex(file)).toBe(
    toHex(
      hex(`0a0d0d0a 28000000 4d3c2b1a 0100 0000 ffffffffffffffff
           0400 0400 74657374 00000000 28000000
           01000000 34000000 0100 0000 00000000
           0900 0100 09 000000 0200 0400 65746830 0300 0500 6669727374 000000 00000000 34000000
           06000000 4c000000 00000000 44332211 88776655 05000000 64000000 0102030405 000000
           0200 0400 02000000 0800 0800 d2040000 00000000 0100 0500 68656c6c6f 000000 00000000
           4c000000`),
    ),
  );
});

test('an empty capture is a complete file', async () => {
  const file = await written([]);
  expect(file.length).toBeGreaterThan(0);
  expect(await readAll(file)).toEqual({ records: [], error: null });
});

test('each interface and link type is described once', async () => {
  const packet = { bytes: hex('45'), timestampNs: 1n };
  const file = await written([
    packet,
    { ...packet, interface: { name: 'eth0' } },
    packet,
    { ...packet, interface: { name: 'eth0' }, linkType: 1 },
    { ...packet, interface: { name: 'eth0' } },
  ]);
  const { records } = await readAll(file);
  expect(
    records.map(({ interface: { index, name }, linkType }) => [index, name, linkType]),
  ).toEqual([
    [0, null, 101],
    [1, 'eth0', 101],
    [0, null, 101],
    [2, 'eth0', 1],
    [1, 'eth0', 101],
  ]);
});

test('what is written is read back', async () => {
  const packets = fc.array(
    fc.record({
      bytes: fc.uint8Array({ maxLength: 70 }),
      timestampNs: fc.bigInt(0n, 2n ** 64n - 1n),
      linkType: fc.constantFrom(0, 1, 101, 113, 276),
      originalLength: fc.nat(0xffff),
      interface: fc.record({ name: fc.constantFrom('lo', 'eth0', 'wlan0 ü') }),
      direction: fc.constantFrom('inbound' as const, 'outbound' as const, null),
      processId: fc.option(fc.nat(0xffffffff)),
      comments: fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 9 }), { maxLength: 2 }),
    }),
    { maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(packets, async (expected) => {
      const { records, error } = await readAll(await written(expected));
      expect(error).toBeNull();
      expect(records).toEqual(
        expected.map((packet) => ({
          ...packet,
          interface: expect.objectContaining(packet.interface),
        })),
      );
    }),
  );
});

test('a slow Node stream holds the writer back and is ended by close', async () => {
  const chunks: Buffer[] = [];
  let pending = 0;
  let mostPending = 0;
  const slow = new Writable({
    highWaterMark: 1,
    write(chunk, _encoding, done) {
      chunks.push(chunk);
      setImmediate(done);
    },
  });
  const write = slow.write.bind(slow);
  slow.write = ((chunk: Uint8Array) => {
    pending++;
    mostPending = Math.max(mostPending, pending);
    return write(chunk, () => pending--);
  }) as typeof slow.write;
  const writer = writeCapture(slow);
  for (let count = 0; count < 20; count++) {
    await writer.write({ bytes: hex('45'), timestampNs: BigInt(count) });
  }
  await writer.close();
  await writer.close();
  expect(slow.writableFinished).toBe(true);
  expect(mostPending).toBe(1);
  expect((await readAll(Buffer.concat(chunks))).records).toHaveLength(20);
});

test('a stream that breaks makes write or close fail', async () => {
  const broken = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done) => setImmediate(done, new Error('disk full')),
  });
  const writer = writeCapture(broken);
  await expect(writer.write({ bytes: hex('45'), timestampNs: 0n })).rejects.toThrow('disk full');
});

test('a web stream is written and closed', async () => {
  const chunks: Uint8Array[] = [];
  let closed = false;
  const stream = new WritableStream<Uint8Array>({
    write: (chunk) => void chunks.push(chunk),
    close: () => {
      closed = true;
    },
  });
  const writer = writeCapture(stream);
  await writer.write({ bytes: hex('45'), timestampNs: 7n });
  await writer.close();
  expect(closed).toBe(true);
  expect((await readAll(Buffer.concat(chunks))).records).toMatchObject([{ timestampNs: 7n }]);
});
