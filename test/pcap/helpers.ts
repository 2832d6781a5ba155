import {
  type CaptureInput,
  type CapturePacket,
  type CaptureRecord,
  readCapture,
  writeCapture,
} from '../../src/pcap/index.ts';

/** Bytes from hexadecimal digits; white space and what follows `//` on a line do not count. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/\/\/.*$/gm, '').replace(/\s+/g, '');
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The file in chunks of `size` bytes. */
export async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export interface ReadResult {
  readonly records: CaptureRecord[];
  /** What was thrown after the records, or null. */
  readonly error: unknown;
}

/** Everything that can be read, and the error that ended it. */
export async function readAll(input: CaptureInput): Promise<ReadResult> {
  const records: CaptureRecord[] = [];
  try {
    for await (const record of readCapture(input)) records.push(record);
  } catch (error) {
    return { records, error };
  }
  return { records, error: null };
}

/** A sink in memory. */
export interface MemorySink {
  write(bytes: Uint8Array): void;
  bytes(): Uint8Array;
}

export function memory(): MemorySink {
  const chunks: Uint8Array[] = [];
  return {
    write: (bytes) => void chunks.push(bytes.slice()),
    bytes: () => new Uint8Array(Buffer.concat(chunks)),
  };
}

/** A file with these packets. */
export async function captureOf(packets: readonly CapturePacket[]): Promise<Uint8Array> {
  const sink = memory();
  const writer = writeCapture(sink, { application: 'test' });
  for (const packet of packets) await writer.write(packet);
  await writer.close();
  return sink.bytes();
}
