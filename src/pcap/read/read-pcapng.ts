/**
 * pcapng (draft-ietf-opsawg-pcapng): sections of blocks, each section with its own byte order and
 * interfaces. Blocks that carry no packet are passed over.
 *
 * @module
 */

import { CaptureError } from '../../errors.ts';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_TRAILER_BYTES,
  BLOCK_TYPE,
  BYTE_ORDER_MAGIC,
  ENHANCED_PACKET,
  OLD_PACKET,
  padded,
  SECTION_HEADER,
  SIMPLE_PACKET,
} from '../block.ts';
import { type CaptureRecord, NO_COMMENTS, type RecordSteps } from '../record.ts';
import { type ByteSource, corrupt, truncated } from './byte-source.ts';
import {
  type OptionBlock,
  readInterface,
  readPacketOptions,
  type SectionInterface,
  toNanoseconds,
} from './read-options.ts';
import { MAX_RECORD_BYTES } from './read-pcap.ts';

const VERSION_MAJOR = 1;
/** More are no capture but an attempt to fill the memory. */
const MAX_INTERFACES = 65_536;
/** Block type, length and byte-order magic. */
const SECTION_START_BYTES = BLOCK_HEADER_BYTES + 4;
const BODY = BLOCK_HEADER_BYTES;

/** A block that is read. */
interface Block extends OptionBlock {
  readonly type: number;
  readonly interfaces: SectionInterface[];
}

/** Reads a file that starts with a section header block. @internal */
export function* readPcapng(source: ByteSource): RecordSteps {
  let littleEndian = true;
  let interfaces: SectionInterface[] = [];
  while (source.has(1) || (yield 1)) {
    const start = source.offset;
    if (!source.has(BODY) && !(yield BODY)) throw truncated('a block header', start, source);
    if (source.uint32(0, false) === BLOCK_TYPE.SECTION_HEADER) {
      littleEndian = yield* sectionByteOrder(source);
      interfaces = [];
    }
    const type = source.uint32(0, littleEndian);
    const length = source.uint32(4, littleEndian);
    checkLength(start, type, length);
    if (!isRead(type)) {
      yield* passOver(source, length, littleEndian);
      continue;
    }
    if (!source.has(length) && !(yield length)) throw truncatedBlock(start, length, source);
    const end = length - BLOCK_TRAILER_BYTES;
    checkTrailer(start, length, source.uint32(end, littleEndian));
    const record = readBlock({ source, start, type, end, littleEndian, interfaces });
    source.skip(length);
    if (record !== null) yield record;
  }
}

function isRead(type: number): boolean {
  return (
    type === BLOCK_TYPE.ENHANCED_PACKET ||
    type === BLOCK_TYPE.SIMPLE_PACKET ||
    type === BLOCK_TYPE.PACKET ||
    type === BLOCK_TYPE.INTERFACE_DESCRIPTION ||
    type === BLOCK_TYPE.SECTION_HEADER
  );
}

function* sectionByteOrder(source: ByteSource): Generator<number, boolean, boolean> {
  const needed = SECTION_START_BYTES;
  if (!source.has(needed) && !(yield needed)) {
    throw truncated('a section header', source.offset, source);
  }
  const at = BODY + SECTION_HEADER.BYTE_ORDER;
  if (source.uint32(at, true) === BYTE_ORDER_MAGIC) return true;
  if (source.uint32(at, false) === BYTE_ORDER_MAGIC) return false;
  throw corrupt(source.offset, 'a section header without its byte-order magic');
}

function checkLength(start: number, type: number, length: number): void {
  const isSane = length % 4 === 0 && length >= BLOCK_HEADER_BYTES + BLOCK_TRAILER_BYTES;
  if (isSane && (length <= MAX_RECORD_BYTES || !isRead(type))) return;
  throw corrupt(start, `a block of ${length} bytes`);
}

function truncatedBlock(start: number, length: number, source: ByteSource): CaptureError {
  return truncated(`a block of ${length} bytes`, start, source);
}

function checkTrailer(start: number, length: number, trailer: number): void {
  if (trailer === length) return;
  throw corrupt(start, `block lengths ${length} and ${trailer} differ`);
}

/** Holds nothing of the block, however long it is. */
function* passOver(source: ByteSource, length: number, littleEndian: boolean): RecordSteps {
  const start = source.offset;
  for (let left = length - BLOCK_TRAILER_BYTES; left > 0; ) {
    if (source.remaining === 0 && !(yield 1)) throw truncatedBlock(start, length, source);
    const step = Math.min(left, source.remaining);
    source.skip(step);
    left -= step;
  }
  const needed = BLOCK_TRAILER_BYTES;
  if (!source.has(needed) && !(yield needed)) throw truncatedBlock(start, length, source);
  checkTrailer(start, length, source.uint32(0, littleEndian));
  source.skip(needed);
}

/** The packet of a block, or null for one without. */
function readBlock(block: Block): CaptureRecord | null {
  switch (block.type) {
    case BLOCK_TYPE.ENHANCED_PACKET:
    case BLOCK_TYPE.PACKET:
      return readPacket(block);
    case BLOCK_TYPE.SIMPLE_PACKET:
      return readSimplePacket(block);
    case BLOCK_TYPE.INTERFACE_DESCRIPTION:
      if (block.interfaces.length === MAX_INTERFACES) {
        throw corrupt(block.start, `more than ${MAX_INTERFACES} interfaces`);
      }
      block.interfaces.push(readInterface(block));
      return null;
    default:
      checkVersion(block);
      return null;
  }
}

function checkVersion(block: Block): void {
  requireBody(block, SECTION_HEADER.OPTIONS);
  const version = block.source.uint16(BODY + SECTION_HEADER.VERSION_MAJOR, block.littleEndian);
  if (version === VERSION_MAJOR) return;
  throw new CaptureError(block.start, `pcapng version ${version} is not supported`);
}

function readPacket(block: Block): CaptureRecord {
  const { source, start, end, littleEndian } = block;
  requireBody(block, ENHANCED_PACKET.DATA);
  const isOld = block.type === BLOCK_TYPE.PACKET;
  const from = interfaceOf(
    block,
    isOld
      ? source.uint16(BODY + OLD_PACKET.INTERFACE, littleEndian)
      : source.uint32(BODY + ENHANCED_PACKET.INTERFACE, littleEndian),
  );
  const length = source.uint32(BODY + ENHANCED_PACKET.CAPTURED, littleEndian);
  const data = BODY + ENHANCED_PACKET.DATA;
  if (length > end - data) {
    throw corrupt(start, `a packet of ${length} bytes in a block of ${end - BODY}`);
  }
  const options = readPacketOptions(block, data + padded(length));
  return {
    timestampNs: toNanoseconds(
      from,
      source.uint32(BODY + ENHANCED_PACKET.TIMESTAMP_HIGH, littleEndian),
      source.uint32(BODY + ENHANCED_PACKET.TIMESTAMP_LOW, littleEndian),
    ),
    linkType: from.description.linkType,
    bytes: source.peek(data, data + length),
    originalLength: source.uint32(BODY + ENHANCED_PACKET.ORIGINAL, littleEndian),
    interface: from.description,
    direction: options.direction,
    comments: options.comments,
    processId: options.processId,
    verdict: options.verdict,
    lostBefore: isOld ? oldDropCount(block) : options.lostBefore,
  };
}

function oldDropCount({ source, littleEndian }: Block): number | null {
  const count = source.uint16(BODY + OLD_PACKET.DROPS, littleEndian);
  return count === OLD_PACKET.DROPS_UNKNOWN ? null : count;
}

function readSimplePacket(block: Block): CaptureRecord {
  const { source, end, littleEndian } = block;
  requireBody(block, SIMPLE_PACKET.DATA);
  const { description } = interfaceOf(block, 0);
  const originalLength = source.uint32(BODY + SIMPLE_PACKET.ORIGINAL, littleEndian);
  const limit = description.snapLength || Number.POSITIVE_INFINITY;
  const data = BODY + SIMPLE_PACKET.DATA;
  const length = Math.min(originalLength, limit, end - data);
  return {
    timestampNs: 0n,
    linkType: description.linkType,
    bytes: source.peek(data, data + length),
    originalLength,
    interface: description,
    direction: null,
    comments: NO_COMMENTS,
    processId: null,
    verdict: null,
    lostBefore: null,
  };
}

function interfaceOf({ start, interfaces }: Block, index: number): SectionInterface {
  const found = interfaces[index];
  if (found !== undefined) return found;
  throw corrupt(start, `a packet of interface ${index}, of which there are ${interfaces.length}`);
}

function requireBody({ start, end }: Block, length: number): void {
  if (end - BODY < length) throw corrupt(start, `a block body of ${end - BODY} bytes`);
}
