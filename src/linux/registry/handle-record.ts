/**
 * What is registered of a handle: a record of the reflect layer, with the texts of its filter behind it.
 *
 * @module
 */
import type { Access, Mode } from '../../divert/options.ts';
import type { Filter } from '../../filter/index.ts';
import { OBJECT_PREFIX } from '../../filter/object.ts';
import { LAYERS, type Layer } from '../../packet/address.ts';
import { EVENT_RECORD, REFLECT_EVENT } from '../../packet/event-layout.ts';
import { allocate, type Memory } from '../sys/memory.ts';

/** Longest record; of longer filters the end of the text is missing. */
export const MAX_RECORD_BYTES = 65_536;

/** `WINDIVERT_EVENT` of the reflect layer. */
export const REFLECT_EVENT_NUMBER = { OPEN: 8, CLOSE: 9 } as const;

/** `WINDIVERT_FLAG_*` (windivert.h 2.2). */
const HANDLE_FLAG = {
  SNIFF: 0x01,
  DROP: 0x02,
  RECV_ONLY: 0x04,
  SEND_ONLY: 0x08,
  NO_INSTALL: 0x10,
  FRAGMENTS: 0x20,
} as const;

/** What others learn about how a handle works. */
export interface HandleTraits {
  readonly layer: Layer;
  readonly priority: number;
  readonly mode: Mode;
  /** Absent on the event layers, which only receive. */
  readonly access?: Access;
  readonly fragments?: boolean;
  readonly install?: boolean;
}

/** Whose handle it is, and since when. */
export interface HandleIdentity {
  /** In the initial pid namespace. */
  readonly processId: number;
  /** Nanoseconds on the monotonic clock. */
  readonly openedAt: bigint;
  /** Names the handle on this machine. */
  readonly handleId: number;
}

/** A record in memory that the kernel may read. */
export interface HandleRecord {
  readonly memory: Memory;
  readonly lengthBytes: number;
}

const encoder = new TextEncoder();
const CONTINUATION_MASK = 0xc0;
const CONTINUATION = 0x80;

/** Writes the record of a handle; its event is 'open'. */
export function encodeHandleRecord(
  traits: HandleTraits,
  filter: Filter,
  { processId, openedAt, handleId }: HandleIdentity,
): HandleRecord {
  const { STRINGS } = REFLECT_EVENT;
  const object = encoder.encode(filter.object);
  const text = clipped(encoder.encode(textOf(filter)), MAX_RECORD_BYTES - STRINGS - object.length);
  const lengthBytes = STRINGS + object.length + text.length;
  const memory = allocate(lengthBytes);
  const { view, bytes } = memory;
  view.setUint8(REFLECT_EVENT.LAYER, LAYERS.indexOf('reflect'));
  view.setUint8(REFLECT_EVENT.EVENT, REFLECT_EVENT_NUMBER.OPEN);
  view.setBigInt64(REFLECT_EVENT.OPEN_TIMESTAMP, openedAt, true);
  view.setUint32(REFLECT_EVENT.PROCESS_ID, processId, true);
  view.setUint32(REFLECT_EVENT.HANDLE_LAYER, LAYERS.indexOf(traits.layer), true);
  view.setUint32(REFLECT_EVENT.HANDLE_FLAGS, flagsOf(traits), true);
  view.setInt16(REFLECT_EVENT.PRIORITY, traits.priority, true);
  view.setUint32(REFLECT_EVENT.OBJECT_LENGTH, object.length, true);
  view.setUint32(REFLECT_EVENT.TEXT_LENGTH, text.length, true);
  view.setBigUint64(REFLECT_EVENT.HANDLE_ID, BigInt(handleId), true);
  bytes.set(object, STRINGS);
  bytes.set(text, STRINGS + object.length);
  return { memory, lengthBytes };
}

/** @param handleId number of the handle's map, above 0 */
export function setHandleId({ memory }: HandleRecord, handleId: number): void {
  memory.view.setBigUint64(REFLECT_EVENT.HANDLE_ID, BigInt(handleId), true);
}

/**
 * Makes it the record of what happens.
 *
 * @param timestampNs when: now, unless given
 */
export function stampRecord(
  view: DataView,
  event: number,
  timestampNs: bigint = process.hrtime.bigint(),
): void {
  view.setUint8(EVENT_RECORD.EVENT, event);
  view.setBigUint64(EVENT_RECORD.TIMESTAMP, timestampNs, true);
}

/** Whether a map's value is a finished record: others were created, but not filled yet. */
export function isHandleRecord(value: Uint8Array): boolean {
  if (value.length < REFLECT_EVENT.STRINGS) return false;
  const view = viewOf(value);
  const length =
    view.getUint32(REFLECT_EVENT.OBJECT_LENGTH, true) +
    view.getUint32(REFLECT_EVENT.TEXT_LENGTH, true);
  return handleIdOf(view) !== 0 && REFLECT_EVENT.STRINGS + length <= value.length;
}

export function viewOf(record: Uint8Array): DataView {
  return new DataView(record.buffer, record.byteOffset, record.length);
}

/** Numbers of maps have 32 bits. */
export function handleIdOf(record: DataView): number {
  return Number(record.getBigUint64(REFLECT_EVENT.HANDLE_ID, true));
}

export function processIdOf(record: DataView): number {
  return record.getUint32(REFLECT_EVENT.PROCESS_ID, true);
}

function flagsOf({ layer, mode, access, fragments, install }: HandleTraits): number {
  const isPacketLayer = layer === 'network' || layer === 'forward';
  const receives = isPacketLayer ? access === 'receive' : true;
  return (
    (mode === 'sniff' ? HANDLE_FLAG.SNIFF : 0) |
    (mode === 'drop' ? HANDLE_FLAG.DROP : 0) |
    (receives ? HANDLE_FLAG.RECV_ONLY : 0) |
    (access === 'send' ? HANDLE_FLAG.SEND_ONLY : 0) |
    (install === false ? HANDLE_FLAG.NO_INSTALL : 0) |
    (fragments ? HANDLE_FLAG.FRAGMENTS : 0)
  );
}

/** A filter given as an object string is shown as text all the same. */
function textOf(filter: Filter): string {
  if (!filter.source.startsWith(OBJECT_PREFIX)) return filter.source;
  try {
    return filter.format();
  } catch {
    // Its text would have more than 1 MB; the object says it all.
    return '';
  }
}

/** At most `length` bytes, whole characters. */
function clipped(text: Uint8Array, length: number): Uint8Array {
  if (text.length <= length) return text;
  let end = length;
  while (end > 0 && ((text[end] ?? 0) & CONTINUATION_MASK) === CONTINUATION) end--;
  return text.subarray(0, end);
}
