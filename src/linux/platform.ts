/**
 * What machines the Linux part runs on.
 *
 * @module
 */
import { endianness } from 'node:os';
import { UnsupportedError } from '../errors.ts';

/**
 * By `process.arch`. Structures of the kernel are laid out for 64-bit pointers and read as little-endian
 * words, and each machine has its own numbers of system calls.
 */
const ARCHITECTURES: ReadonlySet<string> = new Set(['x64', 'arm64', 'riscv64', 'loong64']);

/**
 * Refuses machines whose memory would be misread.
 *
 * @throws {@link UnsupportedError} naming the architecture or the byte order
 */
export function checkPlatform(
  architecture: string = process.arch,
  byteOrder: string = endianness(),
): void {
  if (byteOrder !== 'LE') {
    throw new UnsupportedError(
      'little-endian machine',
      `Handles need a little-endian machine; this one (${architecture}) is big-endian.`,
      { hint: WORKS_EVERYWHERE },
    );
  }
  if (ARCHITECTURES.has(architecture)) return;
  throw new UnsupportedError(
    `architecture ${architecture}`,
    `Handles need ${[...ARCHITECTURES].join(', ')}; this machine is ${architecture}.`,
    { hint: WORKS_EVERYWHERE },
  );
}

const WORKS_EVERYWHERE =
  'Use a machine of the kind named. Filters and capture files need no handle.';
