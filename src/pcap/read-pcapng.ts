/**
 * pcapng (draft-ietf-opsawg-pcapng): sections of blocks, each section with its own byte order and
 * interfaces. Blocks that carry no packet are passed over.
 *
 * @module
 */

import { CaptureError } from '../errors.ts';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_TRAILER_BYTES,
  BLOCK_TYPE,
  BYTE_ORDER_MAGIC,
  ENHANCED_PACKET,
  INTERFACE_DESCRIPTION,
  OLD_PACKET_INTERFACE,
  OPTION,
  OPTION_HEADER_BYTES,
  PACKET_DIRECTION,
  padded,
  SECTION_HEADER,
  SIMPLE_PACKET,
} from './block.ts';
import { type ByteSource, truncated } from './byte-source.ts';
import { MAX_RECORD_BYTES, viewOf } from './read-pcap.ts';
import type { CaptureDirection, CaptureInterface, CaptureRecord } from './record.ts';

const VERSION_MAJOR = 1;
const NANOSECONDS_PER_SECOND = 1_000_000_000n;
const DEFAULT_RESOLUTION = 6;
/** Set: the exponent is one of 2, else of 10. */
const RESOLUTION_BASE_2 = 0x80;

/** An interface and how its timestamps become nanoseconds. */
interface SectionInterface {
  readonly description: CaptureInterface;
  readonly ticksPerSecond: bigint;
  readonly offsetNs: bigint;
}

interface Section {
  readonly littleEndian: boolean;
  readonly interfaces: SectionInterface[];
}

/** A block's body with what is needed to read it. */
interface Block {
  readonly start: number;
  readonly type: number;
  readonly body: Uint8Array;
  readonly view: DataView;
  readonly section: Section;
}

/** Reads a file that starts with a section header block. @internal */
export async function* readPcapng(source: ByteSource): AsyncGenerator<CaptureRecord, void> {
  let section: Section = { littleEndian: true, interfaces: [] };
  while (await source.has(1)) {
    const start = source.offset;
    if (!(await source.has(BLOCK_HEADER_BYTES))) throw truncated('a block header', start, source);
    if (viewOf(source.peek(4)).getUint32(0) === BLOCK_TYPE.SECTION_HEADER) {
      section = { littleEndian: await sectionByteOrder(source), interfaces: [] };
    }
    const block = await readBlock(source, section);
    if (block === null) continue;
    if (block.type === BLOCK_TYPE.SECTION_HEADER) checkVersion(block);
    else if (block.type === BLOCK_TYPE.INTERFACE_DESCRIPTION) addInterface(block);
    else yield readPacket(block);
  }
}

async function sectionByteOrder(source: ByteSource): Promise<boolean> {
  const at = BLOCK_HEADER_BYTES + SECTION_HEADER.BYTE_ORDER;
  if (!(await source.has(at + 4))) throw truncated('a section header', source.offset, source);
  const view = viewOf(source.peek(at + 4));
  if (view.getUint32(at, true) === BYTE_ORDER_MAGIC) return true;
  if (view.getUint32(at, false) === BYTE_ORDER_MAGIC) return false;
  throw corrupt(source.offset, 'a section header without its byte-order magic');
}

/** Reads a block that matters; null for one that was passed over. */
async function readBlock(source: ByteSource, section: Section): Promise<Block | null> {
  const { littleEndian } = section;
  const start = source.offset;
  const header = viewOf(source.peek(BLOCK_HEADER_BYTES));
  const type = header.getUint32(0, littleEndian);
  const length = header.getUint32(4, littleEndian);
  if (length % 4 !== 0 || length < BLOCK_HEADER_BYTES + BLOCK_TRAILER_BYTES) {
    throw corrupt(start, `a block of ${length} bytes`);
  }
  source.take(BLOCK_HEADER_BYTES);
  const bodyLength = length - BLOCK_HEADER_BYTES - BLOCK_TRAILER_BYTES;
  const known = (Object.values(BLOCK_TYPE) as number[]).includes(type);
  if (known && length > MAX_RECORD_BYTES) throw corrupt(start, `a block of ${length} bytes`);
  const complete = known ? await source.has(bodyLength) : await source.skip(bodyLength);
  if (!complete) throw truncated(`a block of ${length} bytes`, start, source);
  const body = known ? source.take(bodyLength) : null;
  if (!(await source.has(BLOCK_TRAILER_BYTES))) {
    throw truncated(`a block of ${length} bytes`, start, source);
  }
  const trailer = viewOf(source.take(BLOCK_TRAILER_BYTES)).getUint32(0, littleEndian);
  if (trailer !== length) throw corrupt(start, `block lengths ${length} and ${trailer} differ`);
  return body === null ? null : { start, type, body, view: viewOf(body), section };
}

function checkVersion({ start, view, section }: Block): void {
  requireBody(view, SECTION_HEADER.OPTIONS, start);
  const version = view.getUint16(SECTION_HEADER.VERSION_MAJOR, section.littleEndian);
  if (version === VERSION_MAJOR) return;
  throw new CaptureError(start, `pcapng version ${version} is not supported`);
}

function addInterface(block: Block): void {
  const { start, view, section } = block;
  const { interfaces, littleEndian } = section;
  requireBody(view, INTERFACE_DESCRIPTION.OPTIONS, start);
  let name: string | null = null;
  let description: string | null = null;
  let resolution = DEFAULT_RESOLUTION;
  let offsetSeconds = 0n;
  for (const { code, value } of options(block, INTERFACE_DESCRIPTION.OPTIONS)) {
    if (code === OPTION.IF_NAME) name = text(value);
    else if (code === OPTION.IF_DESCRIPTION) description = text(value);
    else if (code === OPTION.IF_TIMESTAMP_RESOLUTION && value.length >= 1) {
      resolution = viewOf(value).getUint8(0);
    } else if (code === OPTION.IF_TIMESTAMP_OFFSET && value.length >= 8) {
      offsetSeconds = viewOf(value).getBigInt64(0, littleEndian);
    }
  }
  interfaces.push({
    description: {
      index: interfaces.length,
      name,
      description,
      linkType: view.getUint16(INTERFACE_DESCRIPTION.LINK_TYPE, littleEndian),
      snapLength: view.getUint32(INTERFACE_DESCRIPTION.SNAP_LENGTH, littleEndian),
    },
    ticksPerSecond: ticksPerSecond(resolution),
    offsetNs: offsetSeconds * NANOSECONDS_PER_SECOND,
  });
}

function ticksPerSecond(resolution: number): bigint {
  const exponent = BigInt(resolution & ~RESOLUTION_BASE_2);
  return (resolution & RESOLUTION_BASE_2) === 0 ? 10n ** exponent : 2n ** exponent;
}

function readPacket(block: Block): CaptureRecord {
  const { body, view, start, section } = block;
  const { littleEndian } = section;
  if (block.type === BLOCK_TYPE.SIMPLE_PACKET) return readSimplePacket(block);
  requireBody(view, ENHANCED_PACKET.DATA, start);
  const { description, ticksPerSecond, offsetNs } = interfaceOf(
    block,
    block.type === BLOCK_TYPE.PACKET
      ? view.getUint16(OLD_PACKET_INTERFACE, littleEndian)
      : view.getUint32(ENHANCED_PACKET.INTERFACE, littleEndian),
  );
  const length = view.getUint32(ENHANCED_PACKET.CAPTURED, littleEndian);
  if (length > body.length - ENHANCED_PACKET.DATA) {
    throw corrupt(start, `a packet of ${length} bytes in a block of ${body.length}`);
  }
  const ticks =
    (BigInt(view.getUint32(ENHANCED_PACKET.TIMESTAMP_HIGH, littleEndian)) << 32n) |
    BigInt(view.getUint32(ENHANCED_PACKET.TIMESTAMP_LOW, littleEndian));
  return {
    timestampNs: (ticks * NANOSECONDS_PER_SECOND) / ticksPerSecond + offsetNs,
    linkType: description.linkType,
    bytes: body.subarray(ENHANCED_PACKET.DATA, ENHANCED_PACKET.DATA + length),
    originalLength: view.getUint32(ENHANCED_PACKET.ORIGINAL, littleEndian),
    interface: description,
    ...readPacketOptions(block, ENHANCED_PACKET.DATA + padded(length)),
  };
}

function readSimplePacket(block: Block): CaptureRecord {
  const { body, view, start, section } = block;
  requireBody(view, SIMPLE_PACKET.DATA, start);
  const { description } = interfaceOf(block, 0);
  const originalLength = view.getUint32(SIMPLE_PACKET.ORIGINAL, section.littleEndian);
  const limit = description.snapLength || Number.POSITIVE_INFINITY;
  const length = Math.min(originalLength, limit, body.length - SIMPLE_PACKET.DATA);
  return {
    timestampNs: 0n,
    linkType: description.linkType,
    bytes: body.subarray(SIMPLE_PACKET.DATA, SIMPLE_PACKET.DATA + length),
    originalLength,
    interface: description,
    direction: null,
    comments: [],
    processId: null,
  };
}

function interfaceOf({ start, section }: Block, index: number): SectionInterface {
  const found = section.interfaces[index];
  if (found !== undefined) return found;
  throw corrupt(
    start,
    `a packet of interface ${index}, of which there are ${section.interfaces.length}`,
  );
}

function readPacketOptions(
  block: Block,
  from: number,
): Pick<CaptureRecord, 'direction' | 'comments' | 'processId'> {
  const { littleEndian } = block.section;
  let direction: CaptureDirection | null = null;
  let processId: number | null = null;
  const comments: string[] = [];
  for (const { code, value } of options(block, from)) {
    if (code === OPTION.COMMENT) comments.push(text(value));
    else if (code === OPTION.EPB_FLAGS && value.length >= 4) {
      const bits = viewOf(value).getUint32(0, littleEndian) & PACKET_DIRECTION.MASK;
      if (bits === PACKET_DIRECTION.INBOUND) direction = 'inbound';
      else if (bits === PACKET_DIRECTION.OUTBOUND) direction = 'outbound';
    } else if (code === OPTION.EPB_PROCESS_THREAD && value.length >= 4) {
      processId = viewOf(value).getUint32(0, littleEndian);
    }
  }
  return { direction, comments, processId };
}

function* options(
  block: Block,
  from: number,
): Generator<{ readonly code: number; readonly value: Uint8Array }, void> {
  const { body, view, start, section } = block;
  let at = from;
  while (at + OPTION_HEADER_BYTES <= body.length) {
    const code = view.getUint16(at, section.littleEndian);
    const length = view.getUint16(at + 2, section.littleEndian);
    if (code === OPTION.END) return;
    at += OPTION_HEADER_BYTES;
    if (at + length > body.length) throw corrupt(start, `an option of ${length} bytes`);
    yield { code, value: body.subarray(at, at + length) };
    at += padded(length);
  }
}

/** Strings end at their length or, as some programs write them, at a zero byte. */
function text(value: Uint8Array): string {
  const end = value.indexOf(0);
  return new TextDecoder().decode(end === -1 ? value : value.subarray(0, end));
}

function requireBody(view: DataView, length: number, start: number): void {
  if (view.byteLength < length) throw corrupt(start, `a block body of ${view.byteLength} bytes`);
}

function corrupt(start: number, what: string): CaptureError {
  return new CaptureError(start, `The capture file is corrupt: ${what}`, {
    hint: 'Everything before it was read.',
  });
}
