import { describe, expect, test } from 'vitest';
import { decodeReflectEvent } from '../../src/divert/event-record.ts';
import { compileFilter, Filter } from '../../src/filter/index.ts';
import {
  encodeHandleRecord,
  type HandleTraits,
  isHandleRecord,
  MAX_RECORD_BYTES,
  setHandleId,
  stampRecord,
  viewOf,
} from '../../src/linux/registry/handle-record.ts';
import { KnownHandles } from '../../src/linux/registry/known-handles.ts';

const IDENTITY = { processId: 4_000_000_000, openedAt: 123_456_789_012n, handleId: 77 };
const TRAITS: HandleTraits = { layer: 'network', priority: 0, mode: 'divert', access: 'both' };

/** The bytes of a record, without the memory's padding. */
function encode(traits: Partial<HandleTraits>, text: string, handleId = 77): Uint8Array {
  const all = { ...TRAITS, ...traits };
  const filter = compileFilter(text, all.layer);
  const record = encodeHandleRecord(all, filter, { ...IDENTITY, handleId });
  return record.memory.bytes.subarray(0, record.lengthBytes);
}

const decode = (record: Uint8Array) => decodeReflectEvent(viewOf(record));

describe('records of handles', () => {
  test.each<[string, Partial<HandleTraits>, bigint]>([
    ['nothing', {}, 0n],
    ['sniffing', { mode: 'sniff' }, 0x01n],
    ['dropping', { mode: 'drop' }, 0x02n],
    ['receiving only', { access: 'receive' }, 0x04n],
    ['sending only', { access: 'send' }, 0x08n],
    ['not installing', { install: false }, 0x10n],
    ['fragments', { fragments: true }, 0x20n],
    ['all that go together', { mode: 'sniff', access: 'receive', fragments: true }, 0x25n],
    ['socket, which only receives', { layer: 'socket' }, 0x04n],
    ['flow, which sniffs', { layer: 'flow', mode: 'sniff' }, 0x05n],
  ])('flags: %s', (_, traits, flags) => {
    const { access: _access, ...rest } = TRAITS;
    const base = traits.layer === undefined ? TRAITS : rest;
    const filter = compileFilter('true', traits.layer ?? 'network');
    const { memory } = encodeHandleRecord({ ...base, ...traits }, filter, IDENTITY);
    expect(decode(memory.bytes).flags).toBe(flags);
  });

  test.each([-30_000, -1, 0, 30_000])('priority %i', (priority) => {
    expect(decode(encode({ priority }, 'true')).priority).toBe(priority);
  });

  test('say what they were made of', () => {
    const text = 'tcp.DstPort == 80';
    expect(decode(encode({ layer: 'forward' }, text))).toEqual({
      ...IDENTITY,
      event: 'open',
      timestamp: 0n,
      handleId: 77n,
      layer: 'forward',
      flags: 0n,
      priority: 0,
      filter: text,
      object: compileFilter(text, 'forward').object,
    });
  });

  test('of object strings have the text as well', () => {
    const { object } = compileFilter('outbound and udp');
    expect(decode(encode({}, object))).toMatchObject({ object, filter: 'outbound and udp' });
  });

  test('that would be too long lose the end of the text, at a whole character', () => {
    for (const padding of ['', ' ', '  ', '   ']) {
      const { tests } = compileFilter('tcp');
      const source = `${padding}${'\u{1f600}'.repeat(20_000)}`;
      const long = new Filter({ layer: 'network', source, tests });
      const { memory, lengthBytes } = encodeHandleRecord(TRAITS, long, IDENTITY);
      expect(lengthBytes).toBeLessThanOrEqual(MAX_RECORD_BYTES);
      expect(lengthBytes).toBeGreaterThan(MAX_RECORD_BYTES - 4);
      expect(source.startsWith(decode(memory.bytes).filter)).toBe(true);
    }
  });

  test('are told from maps that are not filled yet', () => {
    expect(isHandleRecord(new Uint8Array(200))).toBe(false);
    expect(isHandleRecord(new Uint8Array(20))).toBe(false);
    const record = encode({}, 'tcp');
    expect(isHandleRecord(record)).toBe(true);
    expect(isHandleRecord(record.subarray(0, record.length - 1))).toBe(false);
  });

  test('get their number and their event later', () => {
    const record = encodeHandleRecord(TRAITS, compileFilter('tcp'), { ...IDENTITY, handleId: 0 });
    const before = process.hrtime.bigint();
    setHandleId(record, 5);
    stampRecord(record.memory.view, 9);
    const event = decode(record.memory.bytes);
    expect(event).toMatchObject({ event: 'close', handleId: 5n, openedAt: IDENTITY.openedAt });
    expect(event.timestamp).toBeGreaterThanOrEqual(before);
  });
});

describe('known handles', () => {
  const record = (handleId: number): Uint8Array => encode({}, 'tcp', handleId);

  test('are news once', () => {
    const known = new KnownHandles();
    expect([known.open(1, record(1)), known.open(1, record(1))]).toEqual([true, false]);
    expect([known.close(1)?.handleId, known.close(1)]).toEqual([1, undefined]);
  });

  test('that were closed do not come back until their maps must be gone', () => {
    const known = new KnownHandles();
    known.open(1, record(1));
    known.close(1);
    expect(known.open(1, record(1))).toBe(false);
    known.forgetEnded();
    expect(known.open(1, record(1))).toBe(true);
  });

  test('can move to another map', () => {
    const known = new KnownHandles();
    known.open(1, record(1));
    const before = known.next(1);
    expect(known.stillKnown(before)).toEqual(before);
    expect(known.open(2, record(1))).toBe(false);
    expect(known.stillKnown(before)).toEqual([]);
    expect(known.next(1).map(({ mapId }) => mapId)).toEqual([2]);
  });

  test('are looked at in turn', () => {
    const known = new KnownHandles();
    for (const id of [1, 2, 3, 4, 5]) known.open(id, record(id));
    const seen = Array.from({ length: 5 }, () => known.next(2).map(({ mapId }) => mapId)).flat();
    expect(seen).toEqual([1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
    expect(known.next(99)).toHaveLength(5);
    for (const id of [1, 2, 3, 4, 5]) known.close(id);
    expect(known.next(2)).toEqual([]);
  });

  test('belong to processes', () => {
    const known = new KnownHandles();
    known.open(1, record(1));
    expect(known.ofProcess(IDENTITY.processId)).toHaveLength(1);
    expect([known.hasProcess(IDENTITY.processId), known.hasProcess(1)]).toEqual([true, false]);
  });
});
