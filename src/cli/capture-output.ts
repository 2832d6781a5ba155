/**
 * Packets into capture files.
 *
 * @module
 */

import { createWriteStream, type WriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { arch, release, type as systemName } from 'node:os';
import {
  type CapturePacket,
  type CaptureWriter,
  writeCapture,
  writeCaptureRing,
} from '../pcap/index.ts';
import { fileNameAt } from './capture-names.ts';
import { UsageError } from './exit-code.ts';
import type { PacketContext } from './packet-line.ts';
import type { PacketCounts, PacketOutput } from './packet-output.ts';

/** When the next file begins, as tcpdump's -C, -G and -W say it. */
export interface CaptureFileOptions {
  /** Bytes: most of a file. */
  readonly fileSize?: number | undefined;
  /** Milliseconds: most time between the first and the last packet of a file. */
  readonly rotate?: number | undefined;
  /** So many files are kept, the oldest one is written over. */
  readonly fileCount?: number | undefined;
}

const FILE_OPTIONS = {
  hardware: arch(),
  operatingSystem: `${systemName()} ${release()}`,
  application: 'netdivert',
} as const;

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
  const { fileCount, fileSize, rotate } = options;
  const isSeveral = fileSize !== undefined || rotate !== undefined;
  if (fileCount !== undefined && !isSeveral) {
    throw new UsageError('-W needs a size (-C) or a time (-G) after which a file ends');
  }
  if (path === '-') {
    checkOutput(isSeveral);
    return new CaptureOutput(writeCapture(process.stdout, FILE_OPTIONS));
  }
  // Errors come here, not with the first packet.
  let first: WriteStream | null = await openFile(fileNameAt(path, 0, new Date(), options));
  const writer = writeCaptureRing(
    async ({ number }) => {
      const file = first ?? (await openFile(fileNameAt(path, number, new Date(), options)));
      first = null;
      return file;
    },
    {
      ...FILE_OPTIONS,
      ...(fileSize !== undefined && { maxBytes: fileSize }),
      ...(rotate !== undefined && { maxTimeMs: Math.ceil(rotate) }),
      ...(fileCount !== undefined && { files: fileCount }),
    },
  );
  return new CaptureOutput(writer);
}

function checkOutput(isSeveral: boolean): void {
  if (isSeveral) throw new UsageError('-C, -G and -W need a file, not standard output');
  if (process.stdout.isTTY) {
    throw new UsageError('a capture file is not for a terminal: name a file, or use a pipe');
  }
}

async function openFile(name: string): Promise<WriteStream> {
  return createWriteStream(name, { fd: await open(name, 'w') });
}

class CaptureOutput implements PacketOutput {
  readonly #writer: CaptureWriter;

  constructor(writer: CaptureWriter) {
    this.#writer = writer;
  }

  write(bytes: Uint8Array, context: PacketContext): Promise<void> {
    return this.#writer.write(capturePacket(bytes, context));
  }

  async close(counts?: PacketCounts): Promise<void> {
    if (counts) this.#writer.statistics(counts);
    await this.#writer.close();
  }
}

function capturePacket(bytes: Uint8Array, context: PacketContext): CapturePacket {
  const { direction, originalLength, process, timestampNs } = context;
  return {
    bytes,
    timestampNs,
    direction: direction === 'forward' ? null : direction,
    ...(originalLength !== undefined && { originalLength }),
    ...(process && { processId: process.pid, processName: process.name }),
  };
}
