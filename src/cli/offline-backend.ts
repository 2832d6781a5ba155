/**
 * Commands over capture files instead of this machine's kernel.
 *
 * @module
 */

import { createWriteStream, type WriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { PcapBackend } from '../pcap/index.ts';
import { openCaptureSource } from './capture-source.ts';
import { UsageError } from './exit-code.ts';

/** Which files, as commands are told. */
export interface OfflineFiles {
  /** Path, or `-` for standard input. */
  readonly read?: string;
  /** Path, or `-` for standard output. */
  readonly write?: string;
  readonly direction?: 'inbound' | 'outbound';
}

/**
 * Opens the files.
 *
 * @returns undefined when no file is to be read
 * @throws UsageError when there is a file to write and none to read
 */
export async function openOffline(files: OfflineFiles): Promise<PcapBackend | undefined> {
  const { direction, read, write } = files;
  if (read === undefined) {
    if (write === undefined) return undefined;
    throw new UsageError('--write needs a file to read (--read): dump writes live packets');
  }
  const { pcapBackend } = await import('../pcap/index.ts');
  const sink = write === undefined ? undefined : await openSink(write);
  return pcapBackend({
    read: await openCaptureSource(read),
    ...(sink && { write: sink }),
    ...(direction && { direction }),
  });
}

async function openSink(path: string): Promise<NodeJS.WriteStream | WriteStream> {
  if (path !== '-') return createWriteStream(path, { fd: await open(path, 'w') });
  if (process.stdout.isTTY) {
    throw new UsageError('a capture file is not for a terminal: name a file, or use a pipe');
  }
  return process.stdout;
}
