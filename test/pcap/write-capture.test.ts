import { createWriteStream, existsSync } from 'node:fs';
import { Writable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dropReason, processName, writeCapture } from '../../src/pcap/index.ts';
import { captureOf, hex, memory, readAll, toHex } from './helpers.ts';

test('the bytes of a file with everything in it', async () => {
  const file = await captureOf([
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
           4c000000
           05000000 34000000 00000000 44332211 88776655
           0400 0800 0100000000000000 0500 0800 0000000000000000 00000000 34000000 // statistics`),
    ),
  );
});

test('an empty capture is a complete file', async () => {
  const file = await captureOf([]);
  expect(file.length).toBeGreaterThan(0);
  expect(await readAll(file)).toEqual({ records: [], error: null });
});

test('each interface and link type is described once', async () => {
  const packet = { bytes: hex('45'), timestampNs: 1n };
  const file = await captureOf([
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
      verdict: fc.constantFrom('drop' as const, 'pass' as const, null),
      lostBefore: fc.option(fc.integer({ min: 1, max: 2 ** 40 })),
      comments: fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 9 }), { maxLength: 2 }),
    }),
    { maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(packets, async (expected) => {
      const { records, error } = await readAll(await captureOf(expected));
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

test('a stream that breaks makes flush, later writes and close fail', async () => {
  const broken = new Writable({
    write: (_chunk, _encoding, done) => setImmediate(done, new Error('disk full')),
  });
  const writer = writeCapture(broken);
  await writer.write({ bytes: hex('45'), timestampNs: 0n });
  await writer.flush();
  await new Promise((resolve) => broken.once('close', resolve));
  await expect(writer.close()).rejects.toThrow('disk full');
  await expect(writer.close()).rejects.toThrow('disk full');
});

test.skipIf(!existsSync('/dev/full'))(
  'a full disk ends a loop that writes, and is reported by close',
  async () => {
    const writer = writeCapture(createWriteStream('/dev/full'));
    const bytes = new Uint8Array(60_000);
    const writing = (async () => {
      for (;;) await writer.write({ bytes, timestampNs: 0n });
    })();
    await expect(writing).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(writer.close()).rejects.toMatchObject({ code: 'ENOSPC' });
  },
);

test('a file that cannot be made is reported, not thrown out of nowhere', async () => {
  const writer = writeCapture(createWriteStream('/nonexistent/file.pcapng'));
  await writer.write({ bytes: hex('45'), timestampNs: 0n });
  await expect(writer.close()).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a stream that is closed by somebody else fails instead of waiting for ever', async () => {
  const silent = new Writable({ highWaterMark: 1, write: () => {} });
  const writer = writeCapture(silent);
  const flushed = writer.flush();
  setImmediate(() => silent.destroy());
  await expect(flushed).rejects.toThrow('closed before');
});

test('process, fate and losses are noted in options and comments', async () => {
  const packet = { bytes: hex('45'), timestampNs: 5n };
  const file = await captureOf([
    { ...packet, processId: 42, processName: 'a (b)', comments: ['mine'] },
    { ...packet, dropReason: 'blocked by policy', lostBefore: 3 },
    { ...packet, verdict: 'pass' },
  ]);
  const { records } = await readAll(file);
  expect(records.map(processName)).toEqual(['a (b)', null, null]);
  expect(records.map(dropReason)).toEqual([null, 'blocked by policy', null]);
  expect(records).toMatchObject([
    { processId: 42, comments: ['mine', 'process: a (b) (42)'], verdict: null, lostBefore: null },
    { comments: ['dropped: blocked by policy'], verdict: 'drop', lostBefore: 3 },
    { comments: [], verdict: 'pass' },
  ]);
  const again = await readAll(
    await captureOf(records.map((r) => ({ ...r, processName: processName(r) }))),
  );
  expect(again.records).toEqual(records);
});

test('writes keep their order when nobody waits for them, and the bytes may be reused', async () => {
  const sink = memory();
  const writer = writeCapture(sink);
  const bytes = new Uint8Array(30_000);
  for (let count = 0; count < 20; count++) {
    void writer.write({ bytes: bytes.fill(count), timestampNs: BigInt(count) });
  }
  const { length } = writer;
  await writer.close();
  const { records, error } = await readAll(sink.bytes());
  expect(error).toBeNull();
  expect(records.map((record) => [record.timestampNs, record.bytes[29_999]])).toEqual(
    Array.from({ length: 20 }, (_, count) => [BigInt(count), count]),
  );
  expect(sink.bytes().length - length).toBe(0x34);
});

test('what was written reaches the sink after the turn, without flush', async () => {
  const sink = memory();
  const writer = writeCapture(sink);
  await writer.write({ bytes: hex('45'), timestampNs: 1n });
  while (sink.bytes().length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  expect((await readAll(sink.bytes())).records).toHaveLength(1);
  await writer.close();
});

test.each([-1n, 2n ** 64n])('a timestamp out of range is refused: %s', async (timestampNs) => {
  const writer = writeCapture(memory());
  await expect(writer.write({ bytes: hex('45'), timestampNs })).rejects.toThrow(RangeError);
});

test('a closed file takes no more', async () => {
  const writer = writeCapture(memory());
  await writer.close();
  await expect(writer.write({ bytes: hex('45'), timestampNs: 1n })).rejects.toMatchObject({
    code: 'closed',
  });
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
