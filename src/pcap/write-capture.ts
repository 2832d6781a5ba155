/**
 * Writing capture files: pcapng with one section, nanoseconds, and the interface, direction, process
 * and comments of each packet in standard options (draft-ietf-opsawg-pcapng).
 *
 * @module
 */

import {
  BLOCK_HEADER_BYTES,
  BLOCK_TRAILER_BYTES,
  BLOCK_TYPE,
  BYTE_ORDER_MAGIC,
  ENHANCED_PACKET,
  INTERFACE_DESCRIPTION,
  OPTION,
  OPTION_HEADER_BYTES,
  PACKET_DIRECTION,
  padded,
  SECTION_HEADER,
} from './block.ts';
import { type CaptureDirection, LINK_TYPE } from './record.ts';

const VERSION = { MAJOR: 1, MINOR: 0 } as const;
/** 10^-9 seconds. */
const NANOSECOND_RESOLUTION = 9;

/** Where the file goes: a web stream, or anything with `write` and `end` as Node's streams have them. */
export type CaptureSink =
  | { getWriter(): { write(bytes: Uint8Array): Promise<void>; close(): Promise<void> } }
  | {
      write(bytes: Uint8Array): unknown;
      end?(callback: () => void): unknown;
      once?(event: 'drain' | 'error', listener: (error?: unknown) => void): unknown;
      off?(event: 'drain' | 'error', listener: (error?: unknown) => void): unknown;
    };

export interface CaptureWriterOptions {
  /** Written into the file as the program that made it. Default `netdivert`. */
  readonly application?: string;
}

/** A packet to write. */
export interface CapturePacket {
  readonly bytes: Uint8Array;
  /** Since 1970, in nanoseconds. */
  readonly timestampNs: bigint;
  /** What `bytes` starts with. Default: raw IP. */
  readonly linkType?: number;
  /** Length on the wire when `bytes` has less of it. */
  readonly originalLength?: number;
  /** Interfaces are told apart by name and link type. Default: one without a name. */
  readonly interface?: { readonly name?: string | null; readonly description?: string | null };
  readonly direction?: CaptureDirection | null;
  readonly processId?: number | null;
  readonly comments?: readonly string[];
}

export interface CaptureWriter {
  /** Adds a packet. Resolves when the sink takes more. The bytes may be reused afterwards. */
  write(packet: CapturePacket): Promise<void>;
  /** Ends the file and the sink. May be called again. */
  close(): Promise<void>;
}

interface Option {
  readonly code: number;
  readonly value: Uint8Array;
}

/**
 * Starts a capture file in pcapng format.
 *
 * @param sink - is ended by `close()`
 * @returns the writer; an empty file is complete once `close()` resolved
 */
export function writeCapture(sink: CaptureSink, options: CaptureWriterOptions = {}): CaptureWriter {
  const output = openSink(sink);
  const interfaces = new Map<string, number>();
  let closing: Promise<void> | null = null;
  let header: Promise<void> | null = null;
  const writeHeader = (): Promise<void> => {
    header ??= output.write(sectionHeader(options.application ?? 'netdivert'));
    return header;
  };

  const indexOf = async (packet: CapturePacket): Promise<number> => {
    const linkType = packet.linkType ?? LINK_TYPE.RAW;
    const key = `${linkType} ${packet.interface?.name ?? ''}`;
    const known = interfaces.get(key);
    if (known !== undefined) return known;
    const index = interfaces.size;
    interfaces.set(key, index);
    await output.write(interfaceDescription(linkType, packet.interface ?? {}));
    return index;
  };
  return {
    async write(packet) {
      await writeHeader();
      await output.write(enhancedPacket(packet, await indexOf(packet)));
    },
    close() {
      closing ??= writeHeader().then(() => output.close());
      return closing;
    },
  };
}

function openSink(sink: CaptureSink): {
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
} {
  if ('getWriter' in sink) return sink.getWriter();
  return {
    async write(bytes) {
      // Node's streams answer false when their buffer is full; others may answer a promise.
      const result = await sink.write(bytes);
      if (result === false && sink.once !== undefined) await drained(sink);
    },
    close: () =>
      new Promise((resolve, reject) => {
        if (sink.end === undefined) return resolve();
        sink.once?.('error', reject);
        sink.end(resolve);
      }),
  };
}

function drained(sink: Exclude<CaptureSink, { getWriter: unknown }>): Promise<void> {
  return new Promise((resolve, reject) => {
    const onDrain = (): void => {
      sink.off?.('error', onError);
      resolve();
    };
    const onError = (error?: unknown): void => {
      sink.off?.('drain', onDrain);
      reject(error);
    };
    sink.once?.('drain', onDrain);
    sink.once?.('error', onError);
  });
}

function sectionHeader(application: string): Uint8Array {
  const options = [{ code: OPTION.SHB_USER_APPLICATION, value: utf8(application) }];
  const { block, view, body } = createBlock(
    BLOCK_TYPE.SECTION_HEADER,
    SECTION_HEADER.OPTIONS,
    options,
  );
  view.setUint32(body + SECTION_HEADER.BYTE_ORDER, BYTE_ORDER_MAGIC, true);
  view.setUint16(body + SECTION_HEADER.VERSION_MAJOR, VERSION.MAJOR, true);
  view.setUint16(body + SECTION_HEADER.VERSION_MINOR, VERSION.MINOR, true);
  // -1: the length of the section is not known.
  view.setBigInt64(body + SECTION_HEADER.SECTION_LENGTH, -1n, true);
  return block;
}

function interfaceDescription(
  linkType: number,
  described: { readonly name?: string | null; readonly description?: string | null },
): Uint8Array {
  const options: Option[] = [
    { code: OPTION.IF_TIMESTAMP_RESOLUTION, value: Uint8Array.of(NANOSECOND_RESOLUTION) },
  ];
  if (described.name) options.push({ code: OPTION.IF_NAME, value: utf8(described.name) });
  if (described.description) {
    options.push({ code: OPTION.IF_DESCRIPTION, value: utf8(described.description) });
  }
  const { block, view, body } = createBlock(
    BLOCK_TYPE.INTERFACE_DESCRIPTION,
    INTERFACE_DESCRIPTION.OPTIONS,
    options,
  );
  view.setUint16(body + INTERFACE_DESCRIPTION.LINK_TYPE, linkType, true);
  return block;
}

function enhancedPacket(packet: CapturePacket, interfaceIndex: number): Uint8Array {
  const { bytes, timestampNs } = packet;
  const { block, view, body } = createBlock(
    BLOCK_TYPE.ENHANCED_PACKET,
    ENHANCED_PACKET.DATA + padded(bytes.length),
    packetOptions(packet),
  );
  view.setUint32(body + ENHANCED_PACKET.INTERFACE, interfaceIndex, true);
  view.setUint32(
    body + ENHANCED_PACKET.TIMESTAMP_HIGH,
    Number((timestampNs >> 32n) & 0xffffffffn),
    true,
  );
  view.setUint32(body + ENHANCED_PACKET.TIMESTAMP_LOW, Number(timestampNs & 0xffffffffn), true);
  view.setUint32(body + ENHANCED_PACKET.CAPTURED, bytes.length, true);
  view.setUint32(body + ENHANCED_PACKET.ORIGINAL, packet.originalLength ?? bytes.length, true);
  block.set(bytes, body + ENHANCED_PACKET.DATA);
  return block;
}

function packetOptions(packet: CapturePacket): Option[] {
  const options: Option[] = [];
  if (packet.direction) {
    const bits =
      packet.direction === 'inbound' ? PACKET_DIRECTION.INBOUND : PACKET_DIRECTION.OUTBOUND;
    options.push({ code: OPTION.EPB_FLAGS, value: words(bits) });
  }
  if (packet.processId !== undefined && packet.processId !== null) {
    options.push({ code: OPTION.EPB_PROCESS_THREAD, value: words(packet.processId, 0) });
  }
  for (const comment of packet.comments ?? []) {
    options.push({ code: OPTION.COMMENT, value: utf8(comment) });
  }
  return options;
}

/** An empty block with its lengths and options in place. */
function createBlock(
  type: number,
  fixedLength: number,
  options: readonly Option[],
): { block: Uint8Array; view: DataView; body: number } {
  let optionsLength = options.length === 0 ? 0 : OPTION_HEADER_BYTES;
  for (const { value } of options) optionsLength += OPTION_HEADER_BYTES + padded(value.length);
  const length = BLOCK_HEADER_BYTES + fixedLength + optionsLength + BLOCK_TRAILER_BYTES;
  const block = new Uint8Array(length);
  const view = new DataView(block.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, length, true);
  view.setUint32(length - BLOCK_TRAILER_BYTES, length, true);
  let at = BLOCK_HEADER_BYTES + fixedLength;
  for (const { code, value } of options) {
    view.setUint16(at, code, true);
    view.setUint16(at + 2, value.length, true);
    block.set(value, at + OPTION_HEADER_BYTES);
    at += OPTION_HEADER_BYTES + padded(value.length);
  }
  return { block, view, body: BLOCK_HEADER_BYTES };
}

function words(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) view.setUint32(index * 4, value, true);
  return bytes;
}

/** Option lengths are 16 bits: longer text is cut. */
function utf8(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  return bytes.length <= 0xffff ? bytes : bytes.subarray(0, 0xffff);
}
