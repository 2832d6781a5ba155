import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CaptureInterface } from '../../src/pcap/index.ts';
import { chunked, hex, readAll } from './helpers.ts';

/** Two sections; the first little-endian with three interfaces, the second big-endian. */
const BLOCKS = [
  hex(`0a0d0d0a 28000000 4d3c2b1a 0100 0000 ffffffffffffffff // section header
       0400 0400 74657374 00000000 28000000`),
  hex(`01000000 30000000 0100 0000 60000000                  // Ethernet, 96 bytes, eth0, default resolution
       0200 0500 6574683000 000000                           // if_name with a zero byte
       0300 0500 6669727374 000000                           // if_description
       00000000 30000000`),
  hex(`01000000 2c000000 6500 0000 00000000                  // raw IP, nanoseconds, offset 100 s
       0900 0100 09 000000
       0e00 0800 6400000000000000
       00000000 2c000000`),
  hex(`01000000 20000000 7100 0000 00000000                  // cooked, 2^-10 s
       0900 0100 8a 000000
       00000000 20000000`),
  hex('0a0b0c0d 10000000 12345678 10000000'), // unknown block
  hex(`06000000 4c000000 00000000 e9030000 efcdab89          // enhanced, interface 0
       05000000 64000000 0102030405 000000
       0100 0500 68656c6c6f 000000                           // comment
       0200 0400 02000000                                    // outbound
       0800 0800 d2040000 00000000                           // process 1234
       00000000 4c000000`),
  hex(`06000000 24000000 01000000 00000000 00ca9a3b          // interface 1: 1 s + 100 s
       03000000 03000000 aabbcc 00 24000000`),
  hex(`06000000 30000000 02000000 00000000 00040000          // interface 2: 1024/1024 s
       01000000 01000000 ff 000000
       0200 0400 01000000 00000000 30000000`),
  hex(`02000000 24000000 0100 0500 00000000 01000000         // obsolete packet block, interface 1
       02000000 02000000 beef 0000 24000000`),
  hex(`03000000 18000000 05000000 1112131415 000000 18000000 // simple packet`),
  hex(`0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c`),
  hex(`00000001 00000014 0065 0000 00000003 00000014         // raw IP, 3 bytes`),
  hex(`00000006 00000024 00000000 00000001 00000002 00000003 00000063 a1a2a3 00 00000024`),
  hex(`00000003 00000014 00000009 b1b2b3 00 00000014         // simple: cut at 3 bytes`),
];
const FILE = join(BLOCKS);
/** Blocks with a packet. */
const PACKET_BLOCKS = [5, 6, 7, 8, 9, 12, 13];

const ETH0 = { index: 0, name: 'eth0', description: 'first', linkType: 1, snapLength: 96 };
const RAW = { index: 1, name: null, description: null, linkType: 101, snapLength: 0 };
const COOKED = { index: 2, name: null, description: null, linkType: 113, snapLength: 0 };
const SECOND = { index: 0, name: null, description: null, linkType: 101, snapLength: 3 };
const PLAIN = {
  direction: null,
  comments: [],
  processId: null,
  verdict: null,
  lostBefore: null,
};

const RECORDS = [
  {
    timestampNs: ((0x3e9n << 32n) | 0x89abcdefn) * 1000n,
    linkType: 1,
    bytes: hex('0102030405'),
    originalLength: 100,
    interface: ETH0,
    direction: 'outbound',
    comments: ['hello'],
    processId: 1234,
    verdict: null,
    lostBefore: null,
  },
  record(101_000_000_000n, RAW, 'aabbcc', 3),
  { ...record(1_000_000_000n, COOKED, 'ff', 1), direction: 'inbound' },
  { ...record(100_000_000_001n, RAW, 'beef', 2), lostBefore: 5 },
  record(0n, ETH0, '1112131415', 5),
  record(((1n << 32n) | 2n) * 1000n, SECOND, 'a1a2a3', 99),
  record(0n, SECOND, 'b1b2b3', 9),
];

function record(
  timestampNs: bigint,
  from: CaptureInterface,
  bytes: string,
  originalLength: number,
): object {
  return {
    timestampNs,
    linkType: from.linkType,
    bytes: hex(bytes),
    originalLength,
    interface: from,
    ...PLAIN,
  };
}

function join(blocks: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(blocks.flatMap((block) => [...block]));
}

/** The file with some of its bytes replaced. */
function patched(block: number, at: number, bytes: string): Uint8Array {
  const file = FILE.slice();
  file.set(hex(bytes), startOf(block) + at);
  return file;
}

function startOf(block: number): number {
  return join(BLOCKS.slice(0, block)).length;
}

test('pcapng: sections, interfaces, resolutions and every kind of packet block', async () => {
  expect(await readAll(FILE)).toEqual({ records: RECORDS, error: null });
});

test.each([1, 3, 8, 13, 64])('the same in chunks of %i bytes', async (size) => {
  expect(await readAll(chunked(FILE, size))).toEqual({ records: RECORDS, error: null });
});

test('every truncation gives the complete packets, then the offset of the incomplete block', async () => {
  for (let length = 4; length < FILE.length; length++) {
    const { records, error } = await readAll(FILE.subarray(0, length));
    const complete = BLOCKS.findIndex((_block, index) => startOf(index + 1) > length);
    expect(records).toEqual(
      RECORDS.slice(0, PACKET_BLOCKS.filter((block) => block < complete).length),
    );
    if (length === startOf(complete)) expect(error).toBeNull();
    else expect(error, `length ${length}`).toMatchObject({ offset: startOf(complete) });
  }
});

test.each([
  ['a length that is no multiple of four', 5, 4, '4d000000', /a block of 77 bytes/],
  ['a length below that of an empty block', 5, 4, '08000000', /a block of 8 bytes/],
  ['a length beyond reason', 5, 4, '00000070', /a block of 1879048192 bytes/],
  ['lengths that differ', 5, 0x48, '50000000', /block lengths 76 and 80 differ/],
  ['an interface that was not described', 5, 8, '03000000', /interface 3, of which there are 3/],
  ['more packet than block', 5, 20, '40000000', /a packet of 64 bytes in a block of 64/],
  ['an option longer than its block', 5, 38, 'ff00', /an option of 255 bytes/],
  ['a section without byte order', 10, 8, '00000000', /without its byte-order magic/],
  ['another version', 10, 12, '0002', /pcapng version 2 is not supported/],
])('corrupt: %s', async (_name, block, at, bytes, message) => {
  const { records, error } = await readAll(patched(block, at, bytes));
  expect(records).toEqual(RECORDS.slice(0, PACKET_BLOCKS.indexOf(block) === -1 ? 5 : 0));
  expect(error).toMatchObject({
    code: 'bad-capture',
    offset: startOf(block),
    message: expect.stringMatching(message),
  });
});

test('an unknown block of any size is passed over', async () => {
  const size = 40 * 1024 * 1024;
  const large = new Uint8Array(size);
  const view = new DataView(large.buffer);
  view.setUint32(0, 0x0bad, true);
  view.setUint32(4, size, true);
  view.setUint32(size - 4, size, true);
  async function* file(): AsyncGenerator<Uint8Array, void> {
    yield join(BLOCKS.slice(0, 4));
    yield* chunked(large, 1 << 20);
    yield join(BLOCKS.slice(5));
  }
  expect(await readAll(file())).toEqual({ records: RECORDS, error: null });
});

test('random damage ends in records or a capture error, never in anything else', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(FILE.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 64 }),
      async (changes, size) => {
        const file = FILE.slice();
        for (const [at, byte] of changes) file[at] = byte;
        const whole = await readAll(file);
        if (whole.error !== null) expect(whole.error).toMatchObject({ code: 'bad-capture' });
        expect(await readAll(chunked(file, size))).toEqual(whole);
      },
    ),
  );
});
