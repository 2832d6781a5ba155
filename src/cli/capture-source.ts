import { createReadStream, type ReadStream } from 'node:fs';
import { open } from 'node:fs/promises';

const READ_BYTES = 1 << 20;

/**
 * Opens a capture file to read.
 *
 * @param path - `-` is standard input
 * @throws Error with Node's `code` and the path when it cannot be read
 */
export async function openCaptureSource(path: string): Promise<ReadStream | NodeJS.ReadStream> {
  if (path === '-') return process.stdin;
  // Errors come here, not with the first packet.
  const file = await open(path, 'r');
  if ((await file.stat()).isDirectory()) {
    await file.close();
    throw Object.assign(new Error(`${path} is a directory`), { code: 'EISDIR', path });
  }
  return createReadStream(path, { fd: file, highWaterMark: READ_BYTES });
}
