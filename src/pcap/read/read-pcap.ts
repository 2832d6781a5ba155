/**
 * The classic capture format (draft-ietf-opsawg-pcap): one header, then records.
 *
 * @module
 */

import { CaptureError } from '../../errors.ts';
import {
  type CaptureInterface,
  type CaptureRecord,
  NO_COMMENTS,
  type RecordSteps,
} from '../record.ts';
import { type ByteSource, corrupt, truncated } from './byte-source.ts';

const MAGIC = { MICROSECONDS: 0xa1b2c3d4, NANOSECONDS: 0xa1b23c4d } as const;

const FILE_HEADER = {
  LENGTH: 24,
  VERSION_MAJOR: 4,
  SNAP_LENGTH: 16,
  LINK_TYPE: 20,
} as const;
const VERSION_MAJOR = 2;
/** The other bits of the word are about frame check sequences. */
const LINK_TYPE_MASK = 0xffff;

const RECORD_HEADER = { LENGTH: 16, SECONDS: 0, FRACTION: 4, CAPTURED: 8, ORIGINAL: 12 } as const;
const NANOSECONDS_PER_SECOND = 1_000_000_000n;

/** A length above this means that the record header is not one. @internal */
export const MAX_RECORD_BYTES: number = 16 * 1024 * 1024;

interface PcapFormat {
  readonly littleEndian: boolean;
  readonly nanosecondsPerTick: number;
}

/** The format a first word in big-endian order announces, or null. @internal */
export function pcapFormat(magic: number): PcapFormat | null {
  const swapped = swap32(magic);
  if (magic === MAGIC.MICROSECONDS) return { littleEndian: false, nanosecondsPerTick: 1000 };
  if (magic === MAGIC.NANOSECONDS) return { littleEndian: false, nanosecondsPerTick: 1 };
  if (swapped === MAGIC.MICROSECONDS) return { littleEndian: true, nanosecondsPerTick: 1000 };
  if (swapped === MAGIC.NANOSECONDS) return { littleEndian: true, nanosecondsPerTick: 1 };
  return null;
}

/** Reads a file whose magic number was recognised but not taken. @internal */
export function* readPcap(
  source: ByteSource,
  { littleEndian, nanosecondsPerTick }: PcapFormat,
): RecordSteps {
  const { LENGTH } = FILE_HEADER;
  if (!source.has(LENGTH) && !(yield LENGTH)) throw truncated('the file header', 0, source);
  const captureInterface = readFileHeader(source, littleEndian);
  source.skip(LENGTH);
  while (source.has(1) || (yield 1)) {
    const start = source.offset;
    const header = RECORD_HEADER.LENGTH;
    if (!source.has(header) && !(yield header)) throw truncated('a record header', start, source);
    const length = source.uint32(RECORD_HEADER.CAPTURED, littleEndian);
    if (length > MAX_RECORD_BYTES) throw corrupt(start, `a record of ${length} bytes`);
    const total = header + length;
    if (!source.has(total) && !(yield total)) {
      throw truncated(`a packet of ${length} bytes`, start, source);
    }
    const seconds = source.uint32(RECORD_HEADER.SECONDS, littleEndian);
    const fraction = source.uint32(RECORD_HEADER.FRACTION, littleEndian);
    const record: CaptureRecord = {
      timestampNs: BigInt(seconds) * NANOSECONDS_PER_SECOND + BigInt(fraction * nanosecondsPerTick),
      linkType: captureInterface.linkType,
      bytes: source.peek(header, total),
      originalLength: source.uint32(RECORD_HEADER.ORIGINAL, littleEndian),
      interface: captureInterface,
      direction: null,
      comments: NO_COMMENTS,
      processId: null,
      verdict: null,
      lostBefore: null,
    };
    source.skip(total);
    yield record;
  }
}

function readFileHeader(source: ByteSource, littleEndian: boolean): CaptureInterface {
  const version = source.uint16(FILE_HEADER.VERSION_MAJOR, littleEndian);
  if (version !== VERSION_MAJOR) {
    throw new CaptureError(FILE_HEADER.VERSION_MAJOR, `pcap version ${version} is not supported`);
  }
  return {
    index: 0,
    name: null,
    description: null,
    linkType: source.uint32(FILE_HEADER.LINK_TYPE, littleEndian) & LINK_TYPE_MASK,
    snapLength: source.uint32(FILE_HEADER.SNAP_LENGTH, littleEndian),
  };
}

function swap32(value: number): number {
  return (
    ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0
  );
}
