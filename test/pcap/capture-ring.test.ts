import { expect, test } from 'vitest';
import {
  type CaptureFile,
  type CaptureRingOptions,
  writeCaptureRing,
} from '../../src/pcap/index.ts';
import { hex, type MemorySink, memory, readAll } from './helpers.ts';

interface Written {
  readonly file: CaptureFile;
  readonly sink: MemorySink;
}

/** Writes `count` packets of `size` bytes, one a second. */
async function writeRing(
  options: CaptureRingOptions,
  count: number,
  size = 100,
): Promise<Written[]> {
  const files: Written[] = [];
  const writer = writeCaptureRing((file) => {
    const sink = memory();
    files.push({ file, sink });
    return Promise.resolve(sink);
  }, options);
  const bytes = new Uint8Array(size);
  for (let second = 0; second < count; second++) {
    void writer.write({ bytes: bytes.fill(second), timestampNs: BigInt(second) * 1_000_000_000n });
  }
  await writer.close();
  return files;
}

/** The seconds of the packets in each file. */
async function seconds(files: readonly Written[]): Promise<number[][]> {
  return Promise.all(
    files.map(async ({ sink }) => {
      const { records, error } = await readAll(sink.bytes());
      expect(error).toBeNull();
      for (const record of records)
        expect(record.bytes[0]).toBe(Number(record.timestampNs / 1_000_000_000n));
      return records.map(({ timestampNs }) => Number(timestampNs / 1_000_000_000n));
    }),
  );
}

test.each([
  ['packets', { maxPackets: 2 }, [[0, 1], [2, 3], [4]]],
  [
    'time',
    { maxTimeMs: 3000 },
    [
      [0, 1, 2],
      [3, 4],
    ],
  ],
  ['no limit', {}, [[0, 1, 2, 3, 4]]],
  ['whichever comes first', { maxPackets: 3, maxTimeMs: 2000 }, [[0, 1], [2, 3], [4]]],
] as const)('the next file begins by %s', async (_name, options, expected) => {
  expect(await seconds(await writeRing(options, 5))).toEqual(expected);
});

test('by size: no file is larger, and each has at least one packet', async () => {
  const files = await writeRing({ maxBytes: 2000 }, 40);
  expect(files.length).toBeGreaterThan(2);
  expect(files.every(({ sink }) => sink.bytes().length <= 2000)).toBe(true);
  expect((await seconds(files)).flat()).toEqual(Array.from({ length: 40 }, (_, n) => n));
  const tiny = await writeRing({ maxBytes: 1 }, 3);
  expect(await seconds(tiny)).toEqual([[0], [1], [2]]);
});

test('places are used again', async () => {
  const files = await writeRing({ maxPackets: 1, files: 3 }, 5);
  expect(files.map(({ file }) => [file.number, file.place])).toEqual([
    [0, 0],
    [1, 1],
    [2, 2],
    [3, 0],
    [4, 1],
  ]);
});

test('an empty capture is one complete file', async () => {
  expect(await seconds(await writeRing({ maxPackets: 1 }, 0))).toEqual([[]]);
});

test('statistics are in the last file', async () => {
  const sinks: MemorySink[] = [];
  const writer = writeCaptureRing(
    () => {
      const sink = memory();
      sinks.push(sink);
      return sink;
    },
    { maxPackets: 1 },
  );
  await writer.write({ bytes: hex('45'), timestampNs: 0n });
  await writer.write({ bytes: hex('45'), timestampNs: 1n });
  writer.statistics({ received: 9, lost: 7 });
  await writer.close();
  const ends = sinks.map((sink) => {
    const bytes = sink.bytes();
    const view = new DataView(bytes.buffer, bytes.length - 0x34);
    return [view.getUint32(24, true), view.getUint32(36, true)];
  });
  expect(ends).toEqual([
    [1, 0],
    [9, 7],
  ]);
});

test('a file that cannot be opened is reported by write and by close', async () => {
  const writer = writeCaptureRing(
    ({ number }) => {
      if (number === 1) throw new Error('no such folder');
      return memory();
    },
    { maxPackets: 1 },
  );
  await writer.write({ bytes: hex('45'), timestampNs: 0n });
  await expect(writer.write({ bytes: hex('45'), timestampNs: 1n })).rejects.toThrow(
    'no such folder',
  );
  await expect(writer.close()).rejects.toThrow('no such folder');
  await expect(writer.write({ bytes: hex('45'), timestampNs: 1n })).rejects.toMatchObject({
    code: 'closed',
  });
});

test.each([
  ['maxBytes', 0],
  ['maxTimeMs', -1],
  ['maxPackets', 1.5],
  ['files', Number.NaN],
])('a limit that is none is refused: %s %d', (name, value) => {
  expect(() => writeCaptureRing(() => memory(), { [name]: value })).toThrow(
    expect.objectContaining({ code: 'invalid-parameter' }),
  );
});
