/**
 * Memory of the kernel mapped into this process.
 *
 * Reading a mapping after `unmap`, or writing to one that is for reading, ends the process. So
 * views of it never leave the class that owns the mapping: what others get is copied.
 *
 * @module
 */
import koffi from 'koffi';
import { SystemError } from '../../errors.ts';
import { errnoText, lastErrno, libc } from './libc.ts';

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

/** Bytes of a page of this machine. */
export const PAGE_BYTES: number = libc.getpagesize();

/** A mapping. */
export interface Mapping {
  readonly buffer: ArrayBuffer;
  /** Ends it. Nothing may look at `buffer` afterwards. */
  unmap(): void;
}

/**
 * Maps a part of what a descriptor stands for, shared with the kernel.
 *
 * @param fd e.g. a BPF ring buffer
 * @param offset a multiple of {@link PAGE_BYTES}
 * @param lengthBytes more than 0
 * @throws {@link SystemError} when the kernel refuses
 */
export function mapShared(
  fd: number,
  offset: number,
  lengthBytes: number,
  access: 'read' | 'write',
): Mapping {
  const protection = access === 'write' ? PROT_READ | PROT_WRITE : PROT_READ;
  const address = libc.mmap(null, lengthBytes, protection, MAP_SHARED, fd, offset);
  if (address === MAP_FAILED) {
    const errno = lastErrno();
    throw new SystemError('mmap', errno, `Cannot map kernel memory: ${errnoText(errno)}`);
  }
  return {
    buffer: koffi.view(address, lengthBytes),
    unmap: () => libc.munmap(address, lengthBytes),
  };
}
