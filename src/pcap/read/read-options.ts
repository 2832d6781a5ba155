/**
 * Options of pcapng blocks, and what interfaces say about timestamps.
 *
 * @module
 */

import {
  BLOCK_HEADER_BYTES,
  INTERFACE_DESCRIPTION,
  OPTION,
  OPTION_HEADER_BYTES,
  PACKET_DIRECTION,
  padded,
  TC_ACTION,
  VERDICT_BYTES,
  VERDICT_KIND,
  XDP_ACTION,
} from '../block.ts';
import {
  type CaptureDirection,
  type CaptureInterface,
  type CaptureRecord,
  type CaptureVerdict,
  NO_COMMENTS,
} from '../record.ts';
import { type ByteSource, corrupt, viewOf } from './byte-source.ts';

const NANOSECONDS_PER_SECOND = 1_000_000_000n;
const DEFAULT_RESOLUTION = 6;
const NANOSECOND_RESOLUTION = 9;
/** Set: the exponent is one of 2, else of 10. */
const RESOLUTION_BASE_2 = 0x80;
const BODY = BLOCK_HEADER_BYTES;

const decoder = new TextDecoder();
/** For making one 64-bit number of two halves. */
const halves = new DataView(new ArrayBuffer(8));

/** A block that lies in the source, from its header on. @internal */
export interface OptionBlock {
  readonly source: ByteSource;
  /** In the file. */
  readonly start: number;
  /** Offset of the byte behind its body. */
  readonly end: number;
  readonly littleEndian: boolean;
  readonly interfaces: readonly SectionInterface[];
}

/** An interface and how its timestamps become nanoseconds. @internal */
export interface SectionInterface {
  readonly description: CaptureInterface;
  /** Nanoseconds in a tick; 0n where that is no whole number. */
  readonly nanosecondsPerTick: bigint;
  readonly ticksPerSecond: bigint;
  readonly offsetNs: bigint;
}

/** What the options of a packet say. */
type PacketNotes = Pick<
  CaptureRecord,
  'direction' | 'comments' | 'processId' | 'verdict' | 'lostBefore'
>;

const NO_NOTES: PacketNotes = {
  direction: null,
  comments: NO_COMMENTS,
  processId: null,
  verdict: null,
  lostBefore: null,
};

/** Reads an interface description block. @internal */
export function readInterface(block: OptionBlock): SectionInterface {
  const { source, start, end, littleEndian, interfaces } = block;
  if (end - BODY < INTERFACE_DESCRIPTION.OPTIONS) {
    throw corrupt(start, `a block body of ${end - BODY} bytes`);
  }
  let name: string | null = null;
  let description: string | null = null;
  let resolution = DEFAULT_RESOLUTION;
  let offsetSeconds = 0n;
  for (const { code, value } of options(block, BODY + INTERFACE_DESCRIPTION.OPTIONS)) {
    if (code === OPTION.IF_NAME) name = text(value);
    else if (code === OPTION.IF_DESCRIPTION) description = text(value);
    else if (code === OPTION.IF_TIMESTAMP_RESOLUTION) resolution = value[0] ?? DEFAULT_RESOLUTION;
    else if (code === OPTION.IF_TIMESTAMP_OFFSET && value.length >= 8) {
      offsetSeconds = viewOf(value).getBigInt64(0, littleEndian);
    }
  }
  return {
    description: {
      index: interfaces.length,
      name,
      description,
      linkType: source.uint16(BODY + INTERFACE_DESCRIPTION.LINK_TYPE, littleEndian),
      snapLength: source.uint32(BODY + INTERFACE_DESCRIPTION.SNAP_LENGTH, littleEndian),
    },
    nanosecondsPerTick:
      resolution <= NANOSECOND_RESOLUTION ? 10n ** BigInt(NANOSECOND_RESOLUTION - resolution) : 0n,
    ticksPerSecond: ticksPerSecond(resolution),
    offsetNs: offsetSeconds * NANOSECONDS_PER_SECOND,
  };
}

/** The time of a packet since 1970. @internal */
export function toNanoseconds(from: SectionInterface, high: number, low: number): bigint {
  halves.setUint32(0, high);
  halves.setUint32(4, low);
  const ticks = halves.getBigUint64(0);
  const { nanosecondsPerTick, offsetNs } = from;
  if (nanosecondsPerTick === 0n) {
    return (ticks * NANOSECONDS_PER_SECOND) / from.ticksPerSecond + offsetNs;
  }
  const time = nanosecondsPerTick === 1n ? ticks : ticks * nanosecondsPerTick;
  return offsetNs === 0n ? time : time + offsetNs;
}

function ticksPerSecond(resolution: number): bigint {
  const exponent = BigInt(resolution & ~RESOLUTION_BASE_2);
  return (resolution & RESOLUTION_BASE_2) === 0 ? 10n ** exponent : 2n ** exponent;
}

/** Reads the options of a packet block from offset `from` on. @internal */
export function readPacketOptions(block: OptionBlock, from: number): PacketNotes {
  if (from + OPTION_HEADER_BYTES > block.end) return NO_NOTES;
  const { littleEndian } = block;
  const comments: string[] = [];
  let { direction, processId, verdict, lostBefore } = NO_NOTES;
  for (const { code, value } of options(block, from)) {
    if (code === OPTION.COMMENT) comments.push(text(value));
    else if (value.length < 4) continue;
    else if (code === OPTION.EPB_FLAGS) direction = directionOf(word(value, littleEndian));
    else if (code === OPTION.EPB_PROCESS_THREAD) processId = word(value, littleEndian);
    else if (code === OPTION.EPB_VERDICT) verdict = verdictOf(value, littleEndian);
    else if (code === OPTION.EPB_DROP_COUNT && value.length >= 8) {
      lostBefore = Number(viewOf(value).getBigUint64(0, littleEndian));
    }
  }
  return { direction, comments, processId, verdict, lostBefore };
}

function word(value: Uint8Array, littleEndian: boolean): number {
  return viewOf(value).getUint32(0, littleEndian);
}

function directionOf(flags: number): CaptureDirection | null {
  const bits = flags & PACKET_DIRECTION.MASK;
  if (bits === PACKET_DIRECTION.INBOUND) return 'inbound';
  return bits === PACKET_DIRECTION.OUTBOUND ? 'outbound' : null;
}

function verdictOf(value: Uint8Array, littleEndian: boolean): CaptureVerdict | null {
  if (value.length < VERDICT_BYTES) return null;
  const action = Number(viewOf(value).getBigInt64(1, littleEndian));
  if (value[0] === VERDICT_KIND.EBPF_TC) {
    if (action === TC_ACTION.SHOT) return 'drop';
    return action === TC_ACTION.OK ? 'pass' : null;
  }
  if (value[0] !== VERDICT_KIND.EBPF_XDP) return null;
  if (action === XDP_ACTION.DROP) return 'drop';
  return action === XDP_ACTION.PASS ? 'pass' : null;
}

function* options(
  { source, start, end, littleEndian }: OptionBlock,
  from: number,
): Generator<{ readonly code: number; readonly value: Uint8Array }, void> {
  let at = from;
  while (at + OPTION_HEADER_BYTES <= end) {
    const code = source.uint16(at, littleEndian);
    const length = source.uint16(at + 2, littleEndian);
    if (code === OPTION.END) return;
    at += OPTION_HEADER_BYTES;
    if (at + length > end) throw corrupt(start, `an option of ${length} bytes`);
    yield { code, value: source.peek(at, at + length) };
    at += padded(length);
  }
}

/** Strings end at their length or, as some programs write them, at a zero byte. */
function text(value: Uint8Array): string {
  const end = value.indexOf(0);
  return decoder.decode(end === -1 ? value : value.subarray(0, end));
}
