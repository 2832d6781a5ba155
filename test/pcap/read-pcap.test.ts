import { expect, test } from 'vitest';
import { chunked, hex, readAll, toHex } from './helpers.ts';

const BIG_MICROSECONDS = hex(`
  a1b2c3d4 0002 0004 00000000 00000000 00040000 00000065
  65000001 0000000a 00000003 0000003c  aabbcc
  65000002 000f423f 00000000 00000001`);

const LITTLE_MICROSECONDS = hex(`
  d4c3b2a1 0200 0400 00000000 00000000 00000400 65000000
  01000065 0a000000 03000000 3c000000  aabbcc
  02000065 3f420f00 00000000 01000000`);

const BIG_NANOSECONDS = hex(`
  a1b23c4d 0002 0004 00000000 00000000 00040000 00000065
  65000001 00002710 00000003 0000003c  aabbcc
  65000002 3b9ac618 00000000 00000001`);

const LITTLE_NANOSECONDS = hex(`
  4d3cb2a1 0200 0400 00000000 00000000 00000400 65000000
  01000065 10270000 03000000 3c000000  aabbcc
  02000065 18c69a3b 00000000 01000000`);

const CAPTURE_INTERFACE = {
  index: 0,
  name: null,
  description: null,
  linkType: 101,
  snapLength: 0x40000,
};
const COMMON = {
  linkType: 101,
  interface: CAPTURE_INTERFACE,
  direction: null,
  comments: [],
  processId: null,
  verdict: null,
  lostBefore: null,
};
const RECORDS = [
  {
    ...COMMON,
    timestampNs: 0x65000001n * 1_000_000_000n + 10_000n,
    bytes: hex('aabbcc'),
    originalLength: 60,
  },
  {
    ...COMMON,
    timestampNs: 0x65000002n * 1_000_000_000n + 999_999_000n,
    bytes: hex(''),
    originalLength: 1,
  },
];

test.each([
  ['big-endian, microseconds', BIG_MICROSECONDS],
  ['little-endian, microseconds', LITTLE_MICROSECONDS],
  ['big-endian, nanoseconds', BIG_NANOSECONDS],
  ['little-endian, nanoseconds', LITTLE_NANOSECONDS],
])('pcap: %s', async (_name, file) => {
  expect(await readAll(file)).toEqual({ records: RECORDS, error: null });
});

test.each([1, 2, 7, 24, 25, 4096])('the same in chunks of %i bytes', async (size) => {
  expect(await readAll(chunked(LITTLE_MICROSECONDS, size))).toEqual({
    records: RECORDS,
    error: null,
  });
});

test('the bits above the link type are about frame check sequences', async () => {
  const file = LITTLE_MICROSECONDS.slice();
  file.set(hex('01000024'), 20);
  const { records } = await readAll(file);
  expect(records.map((record) => record.linkType)).toEqual([1, 1]);
});

test('every truncation gives the complete records, then the offset of the incomplete one', async () => {
  const starts = [24, 43];
  for (let length = 0; length < BIG_MICROSECONDS.length; length++) {
    const { records, error } = await readAll(BIG_MICROSECONDS.subarray(0, length));
    const complete = length < 43 ? 0 : 1;
    expect(records).toEqual(RECORDS.slice(0, complete));
    if (starts.includes(length)) expect(error).toBeNull();
    else {
      const offset = length < 24 ? 0 : starts[complete];
      expect(error, `length ${length}`).toMatchObject({ code: 'bad-capture', offset });
    }
  }
});

test.each([
  ['an impossible length', 24 + 8, 'ffffffff', 24, /a record of 4294967295 bytes/],
  ['another version', 4, '0300', 4, /pcap version 3 is not supported/],
])('%s is an error', async (_name, at, bytes, offset, message) => {
  const file = LITTLE_MICROSECONDS.slice();
  file.set(hex(bytes), at);
  const { records, error } = await readAll(file);
  expect(records).toEqual([]);
  expect(error).toMatchObject({
    code: 'bad-capture',
    offset,
    message: expect.stringMatching(message),
  });
});

test.each([
  ['nothing', '', /it has 0 bytes/],
  ['three bytes', 'a1b2c3', /it has 3 bytes/],
  ['text', toHex(new TextEncoder().encode('GET / HTTP/1.1')), /starts with 0x47455420/],
  ['gzip', '1f8b080000000000', /gunzip/],
  ['Zstandard', '28b52ffd00000000', /unzstd/],
  ['bzip2', '425a683931415926', /bunzip2/],
  ['ZIP', '504b030414000000', /unzip/],
  ['xz', 'fd377a585a000004', /unxz/],
  ['LZ4', '04224d1864407000', /unlz4/],
  ['modified pcap, little-endian', '34cdb2a102000400', /"modified" pcap.*\n?.*editcap/],
  ['modified pcap, big-endian', 'a1b2cd3400020004', /editcap/],
  ['snoop', '736e6f6f70000000', /snoop file/],
])('not a capture: %s', async (_name, file, message) => {
  const { error } = await readAll(hex(file));
  expect(error).toMatchObject({
    name: 'CaptureError',
    code: 'bad-capture',
    offset: 0,
    message: expect.stringMatching(message),
  });
});

test('a web stream is read and cancelled, also when the loop ends early', async () => {
  const { readCapture } = await import('../../src/pcap/index.ts');
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(BIG_MICROSECONDS);
    },
    cancel() {
      cancelled = true;
    },
  });
  for await (const record of readCapture(stream)) {
    expect(record.originalLength).toBe(60);
    break;
  }
  expect(cancelled).toBe(true);
});

test('a stream with a reader but no iterator, as some browsers have', async () => {
  const chunks = [BIG_MICROSECONDS.subarray(0, 30), BIG_MICROSECONDS.subarray(30)];
  let cancelled = 0;
  const stream = {
    locked: false,
    getReader: () => ({
      read: async () => ({ done: chunks.length === 0, value: chunks.shift() }),
      cancel: async () => {
        cancelled++;
      },
    }),
  };
  expect(await readAll(stream)).toEqual({ records: RECORDS, error: null });
  expect(cancelled).toBe(1);
});

test('chunks that are not bytes are refused', async () => {
  async function* strings(): AsyncGenerator<Uint8Array, void> {
    yield 'text' as unknown as Uint8Array;
  }
  expect((await readAll(strings())).error).toBeInstanceOf(TypeError);
});
