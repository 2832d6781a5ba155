/**
 * The classic capture format (draft-ietf-opsawg-pcap): one header, then records.
 *
 * @module
 */

import { CaptureError } from '../errors.ts';
import { type ByteSource, truncated } from './byte-source.ts';
import type { CaptureInterface, CaptureRecord } from './record.ts';

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

/** A length above this means that the record header is not one. @internal */
export const MAX_RECORD_BYTES: number = 16 * 1024 * 1024;

interface PcapFormat {
  readonly littleEndian: boolean;
  readonly nanosecondsPerTick: bigint;
}

/** The format a first word in big-endian order announces, or null. @internal */
export function pcapFormat(magic: number): PcapFormat | null {
  const swapped = swap32(magic);
  if (magic === MAGIC.MICROSECONDS) return { littleEndian: false, nanosecondsPerTick: 1000n };
  if (magic === MAGIC.NANOSECONDS) return { littleEndian: false, nanosecondsPerTick: 1n };
  if (swapped === MAGIC.MICROSECONDS) return { littleEndian: true, nanosecondsPerTick: 1000n };
  if (swapped === MAGIC.NANOSECONDS) return { littleEndian: true, nanosecondsPerTick: 1n };
  return null;
}

/** Reads a file whose magic number was recognised but not taken. @internal */
export async function* readPcap(
  source: ByteSource,
  format: PcapFormat,
): AsyncGenerator<CaptureRecord, void> {
  const { littleEndian } = format;
  const captureInterface = await readFileHeader(source, littleEndian);
  while (await source.has(1)) {
    const start = source.offset;
    if (!(await source.has(RECORD_HEADER.LENGTH)))
      throw truncated('a record header', start, source);
    const header = viewOf(source.take(RECORD_HEADER.LENGTH));
    const length = header.getUint32(RECORD_HEADER.CAPTURED, littleEndian);
    if (length > MAX_RECORD_BYTES) {
      throw new CaptureError(start, `The capture file is corrupt: a record of ${length} bytes`);
    }
    if (!(await source.has(length))) throw truncated(`a packet of ${length} bytes`, start, source);
    const seconds = header.getUint32(RECORD_HEADER.SECONDS, littleEndian);
    const fraction = header.getUint32(RECORD_HEADER.FRACTION, littleEndian);
    yield {
      timestampNs: BigInt(seconds) * 1_000_000_000n + BigInt(fraction) * format.nanosecondsPerTick,
      linkType: captureInterface.linkType,
      bytes: source.take(length),
      originalLength: header.getUint32(RECORD_HEADER.ORIGINAL, littleEndian),
      interface: captureInterface,
      direction: null,
      comments: [],
      processId: null,
    };
  }
}

async function readFileHeader(
  source: ByteSource,
  littleEndian: boolean,
): Promise<CaptureInterface> {
  if (!(await source.has(FILE_HEADER.LENGTH))) throw truncated('the file header', 0, source);
  const header = viewOf(source.take(FILE_HEADER.LENGTH));
  const version = header.getUint16(FILE_HEADER.VERSION_MAJOR, littleEndian);
  if (version !== VERSION_MAJOR) {
    throw new CaptureError(FILE_HEADER.VERSION_MAJOR, `pcap version ${version} is not supported`);
  }
  return {
    index: 0,
    name: null,
    description: null,
    linkType: header.getUint32(FILE_HEADER.LINK_TYPE, littleEndian) & LINK_TYPE_MASK,
    snapLength: header.getUint32(FILE_HEADER.SNAP_LENGTH, littleEndian),
  };
}

/** @internal */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function swap32(value: number): number {
  return (
    ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0
  );
}
