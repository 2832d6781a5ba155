import { afterEach, describe, expect, test } from 'vitest';
import { Assembler } from '../../src/bpf/assembler.ts';
import { R1, R6 } from '../../src/bpf/instruction.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import { compileBpf } from '../../src/filter/emit-bpf.ts';
import { BpfMap } from '../../src/linux/bpf/map.ts';
import { loadProgram, type Program, verifyProgram } from '../../src/linux/bpf/program.ts';
import { RECORD_HEADER_BYTES, RingBuffer, recordBytes } from '../../src/linux/bpf/ringbuf.ts';
import { TestRunner } from '../../src/linux/bpf/test-run.ts';
import {
  emitRecord,
  packetOffset,
  RECORD,
  type RecordOptions,
  SNIFF_COUNTER,
} from '../../src/linux/sniff-record.ts';
import { libc } from '../../src/linux/sys/libc.ts';
import { withoutCapabilities } from '../helpers/without-capabilities.ts';

const RING_BYTES = 1 << 16;
/** As long as a test run takes. */
const LONGEST = 3500;
const CONSTANTS = { interfaceIndex: 7, flags: 0x21, generation: 5 };

const runner = new TestRunner();
const target = new Uint8Array(1 << 18);
const words = new Uint32Array(target.buffer);

class Writer {
  readonly ring: RingBuffer = new RingBuffer('netdivert_test', RING_BYTES);
  readonly counters: BpfMap = new BpfMap({
    name: 'netdivert_test',
    type: 'ARRAY',
    keyBytes: 4,
    valueBytes: SNIFF_COUNTER.BYTES,
    maxEntries: 1,
  });
  readonly #program: Program;

  constructor(snapLength = 65_575, speculation = false) {
    const assembler = new Assembler();
    assembler.move(R6, R1);
    emitRecord(assembler, this.options(snapLength, speculation));
    const { instructions } = assembler.assemble();
    const load = () => loadProgram(instructions, { name: 'netdivert_test' });
    this.#program = speculation
      ? withoutCapabilities(['CAP_PERFMON', 'CAP_SYS_ADMIN'], load)
      : load();
  }

  options(snapLength: number, speculation = false): RecordOptions {
    const { ring, counters } = this;
    return { ringFd: ring.fd, countersFd: counters.fd, snapLength, speculation, ...CONSTANTS };
  }

  write(length: number): void {
    expect(runner.run(this.#program.fd, packet(length), 'other').result).toBe(0);
  }

  counts(): { matched: number; ringFull: number } {
    const value = this.counters.lookup(new Uint8Array(4)) ?? new Uint8Array(16);
    const view = new DataView(value.buffer, value.byteOffset);
    const [matched = 0, ringFull = 0] = [SNIFF_COUNTER.MATCHED, SNIFF_COUNTER.RING_FULL].map((at) =>
      Number(view.getBigUint64(at, true)),
    );
    return { matched, ringFull };
  }

  isReadable(): boolean {
    const descriptor = new Uint8Array(8);
    const view = new DataView(descriptor.buffer);
    view.setInt32(0, this.ring.fd, true);
    view.setInt16(4, 1, true);
    return libc.poll(descriptor, 1, 0) === 1;
  }

  close(): void {
    this.#program.close();
    this.ring.close();
    this.counters.close();
  }
}

const packet = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (length + index * 7) & 255);

interface Copied {
  length: number;
  originalLength: number;
  bytes: Uint8Array;
}

/** What `take` put into the target. */
function records(bytes: number, offset = 0): Copied[] {
  const found: Copied[] = [];
  for (let at = offset; at < offset + bytes; at += recordBytes(words[at >> 2] ?? 0)) {
    const record = at + RECORD_HEADER_BYTES;
    const word = (field: number): number => words[(record + field) >> 2] ?? 0;
    expect(word(RECORD.INTERFACE_INDEX)).toBe(7);
    expect(word(RECORD.CONSTANTS)).toBe(0x521);
    const length = word(RECORD.LENGTH);
    const start = record + packetOffset(false);
    const originalLength = word(RECORD.ORIGINAL_LENGTH);
    found.push({ length, originalLength, bytes: target.slice(start, start + length) });
  }
  return found;
}

const everything = { records: 10_000, offset: 0 };

let writer: Writer;
afterEach(() => writer.close());

test.each([
  { name: 'with CAP_PERFMON', speculation: false },
  { name: 'without', speculation: true },
])('packets of every length, whole and in order, many times around the ring, $name', (made) => {
  writer = new Writer(65_575, made.speculation);
  for (let length = 1; length <= LONGEST; length++) {
    writer.write(length);
    if (length % 7 !== 0 && length !== LONGEST) continue;
    const taken = records(writer.ring.take(target, everything, length % 14 === 0));
    expect(taken).toHaveLength(length % 7 || 7);
    for (const [index, { originalLength, bytes }] of taken.entries()) {
      expect(originalLength).toBe(length - taken.length + 1 + index);
      expect(Buffer.compare(bytes, packet(originalLength))).toBe(0);
    }
  }
  expect(writer.ring.isEmpty).toBe(true);
  expect(writer.counts()).toEqual({ matched: LONGEST, ringFull: 0 });
});

test.each(
  [1, 64, 65, 96, 100, 1504, 1505, 2000].flatMap((snapLength) => [
    { snapLength, speculation: false },
    { snapLength, speculation: true },
  ]),
)('snap length $snapLength, speculation: $speculation', ({ snapLength, speculation }) => {
  writer = new Writer(snapLength, speculation);
  const lengths = [1, snapLength - 1, snapLength, snapLength + 1, LONGEST].filter(Boolean);
  for (const length of lengths) writer.write(length);
  const taken = records(writer.ring.take(target, everything, false));
  expect(taken.map(({ originalLength }) => originalLength)).toEqual(lengths);
  for (const { length, originalLength, bytes } of taken) {
    expect(length).toBe(Math.min(originalLength, snapLength));
    expect(bytes).toEqual(packet(originalLength).subarray(0, length));
  }
});

test('a full ring counts what it has no room for, and takes more once it was read', () => {
  writer = new Writer();
  for (let count = 0; count < 100; count++) writer.write(1400);
  const { matched, ringFull } = writer.counts();
  expect(matched).toBe(100);
  expect(ringFull).toBeGreaterThan(50);
  expect(records(writer.ring.take(target, everything, false))).toHaveLength(100 - ringFull);
  writer.write(1400);
  expect(records(writer.ring.take(target, everything, false))).toHaveLength(1);
  expect(writer.counts()).toEqual({ matched: 101, ringFull });
});

describe('take', () => {
  test('stops at its limits and goes on from there', () => {
    writer = new Writer();
    for (let length = 100; length < 120; length++) writer.write(length);
    const lengths: number[] = [];
    for (let round = 0; lengths.length < 20; round++) {
      const limits = { records: 3, offset: round * 1024 };
      lengths.push(
        ...records(writer.ring.take(target, limits, false), round * 1024).map((r) => r.length),
      );
    }
    expect(lengths).toEqual(Array.from({ length: 20 }, (_, index) => 100 + index));
    writer.write(1000);
    const tooLate = { records: 3, offset: target.length - 1000 };
    expect(writer.ring.take(target, tooLate, false)).toBe(0);
    expect(records(writer.ring.take(target, everything, false))).toHaveLength(1);
  });

  test('quiet: readable until rearmed, and what comes meanwhile is not lost', () => {
    writer = new Writer();
    expect(writer.isReadable()).toBe(false);
    writer.write(100);
    expect(writer.isReadable()).toBe(true);
    writer.ring.take(target, everything, true);
    expect([writer.ring.isEmpty, writer.isReadable()]).toEqual([true, true]);
    writer.write(200);
    expect(records(writer.ring.take(target, everything, true))).toMatchObject([{ length: 200 }]);
    writer.ring.rearm();
    expect(writer.isReadable()).toBe(false);
    writer.write(300);
    expect(writer.isReadable()).toBe(true);
    expect(records(writer.ring.take(target, everything, false))).toMatchObject([{ length: 300 }]);
    expect(writer.isReadable()).toBe(false);
  });

  test('gives nothing after close, which may be called again', () => {
    writer = new Writer();
    writer.write(100);
    writer.ring.close();
    writer.ring.close();
    expect(writer.ring.take(target, everything, false)).toBe(0);
    expect(writer.ring.isEmpty).toBe(true);
  });
});

test('the largest filter costs the verifier little more for its records', () => {
  writer = new Writer();
  const ports = Array.from({ length: 125 }, (_, index) => `tcp.DstPort == ${index * 3}`);
  const { tests } = compileFilter(`${ports.join(' or ')} or udp.Payload[-1] == 7`);
  const cost = (emitMatch?: (assembler: Assembler) => void): number => {
    const options = { layer: 'network', superPackets: 'whole', checksums: 'final' } as const;
    const program = compileBpf(tests, emitMatch ? { ...options, emitMatch } : options);
    return verifyProgram(program.instructions, { name: 'netdivert_test' }).processedInstructions;
  };
  const record = (assembler: Assembler): void => emitRecord(assembler, writer.options(65_575));
  expect(cost(record) - cost()).toBeLessThan(5000);
});
