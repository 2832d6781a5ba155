/**
 * Packets into capture files.
 *
 * @module
 */

import { createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { arch, release, type as systemName } from 'node:os';
import { type CaptureWriter, writeCapture } from '../pcap/index.ts';
import { fileNameAt, type RingOptions } from './capture-names.ts';
import { UsageError } from './exit-code.ts';
import type { PacketContext } from './packet-line.ts';
import type { PacketOutput } from './packet-output.ts';

/** When the next file begins, as tcpdump's -C, -G and -W say it. */
export interface CaptureFileOptions extends RingOptions {
  /** Bytes: the next file begins when a file has so many. */
  readonly fileSize?: number | undefined;
  /** Milliseconds: the next file begins when a file is so old. */
  readonly rotate?: number | undefined;
}

/**
 * Opens a capture file, or the first one of several.
 *
 * @param path - `-` is standard output
 * @throws UsageError when the options do not go together
 */
export async function openCaptureOutput(
  path: string,
  options: CaptureFileOptions,
): Promise<PacketOutput> {
  if (path !== '-') return new CaptureFiles(path, options, await createWriter(path, options));
  if (options.fileSize ?? options.rotate ?? options.fileCount) {
    throw new UsageError('-C, -G and -W need a file, not standard output');
  }
  if (process.stdout.isTTY) {
    throw new UsageError('a capture file is not for a terminal: name a file, or use a pipe');
  }
  return new CaptureStream(writeCapture(process.stdout, fileOptions()));
}

async function createWriter(path: string, options: CaptureFileOptions): Promise<CaptureWriter> {
  const name = fileNameAt(path, 0, new Date(), options);
  // Errors come here, not with the first packet.
  const file = await open(name, 'w');
  return writeCapture(createWriteStream(name, { fd: file }), fileOptions());
}

function fileOptions(): { hardware: string; operatingSystem: string; application: string } {
  return {
    hardware: arch(),
    operatingSystem: `${systemName()} ${release()}`,
    application: 'netdivert',
  };
}

class CaptureStream implements PacketOutput {
  readonly #writer: CaptureWriter;

  constructor(writer: CaptureWriter) {
    this.#writer = writer;
  }

  write(bytes: Uint8Array, context: PacketContext): Promise<void> {
    return this.#writer.write(capturePacket(bytes, context));
  }

  close(): Promise<void> {
    return this.#writer.close();
  }
}

class CaptureFiles implements PacketOutput {
  readonly #path: string;
  readonly #options: CaptureFileOptions;
  #writer: CaptureWriter;
  #index = 0;
  #startedAtMs: number = performance.now();

  constructor(path: string, options: CaptureFileOptions, writer: CaptureWriter) {
    this.#path = path;
    this.#options = options;
    this.#writer = writer;
  }

  async write(bytes: Uint8Array, context: PacketContext): Promise<void> {
    if (this.#isFull()) await this.#startNext();
    await this.#writer.write(capturePacket(bytes, context));
  }

  close(): Promise<void> {
    return this.#writer.close();
  }

  #isFull(): boolean {
    const { fileSize = Number.POSITIVE_INFINITY, rotate = Number.POSITIVE_INFINITY } =
      this.#options;
    return this.#writer.length >= fileSize || performance.now() - this.#startedAtMs >= rotate;
  }

  async #startNext(): Promise<void> {
    await this.#writer.close();
    this.#index++;
    this.#startedAtMs = performance.now();
    const name = fileNameAt(this.#path, this.#index, new Date(), this.#options);
    this.#writer = writeCapture(createWriteStream(name), fileOptions());
  }
}

function capturePacket(
  bytes: Uint8Array,
  context: PacketContext,
): Parameters<CaptureWriter['write']>[0] {
  const { direction, originalLength, process, timestampNs } = context;
  return {
    bytes,
    timestampNs,
    direction: direction === 'forward' ? null : direction,
    ...(originalLength !== undefined && { originalLength }),
    ...(process && { processId: process.pid, processName: process.name }),
  };
}
