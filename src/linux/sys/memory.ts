/**
 * Memory the kernel reads and writes.
 *
 * It is ordinary `ArrayBuffer` memory, not mmap: V8 never moves a backing store, large ones
 * cost no page until touched, and a view that outlives its handle keeps the memory alive
 * instead of crashing the process.
 *
 * @module
 */
import koffi from 'koffi';

/** One block, seen as bytes, words and by address. Hold it for as long as the kernel may use it. */
export interface Memory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly words: Uint32Array;
  readonly halves: Uint16Array;
  readonly address: bigint;
}

/**
 * Address of a view's first byte, valid as long as the view is referenced.
 * Views of up to 64 bytes made without a buffer of their own may move: use `allocate`.
 */
export function addressOf(bytes: Uint8Array): bigint {
  return koffi.address(bytes);
}

/**
 * Zeroed memory at a fixed address.
 *
 * @param lengthBytes rounded up to a multiple of 8
 */
export function allocate(lengthBytes: number): Memory {
  const buffer = new ArrayBuffer((lengthBytes + 7) & ~7);
  const bytes = new Uint8Array(buffer);
  return {
    bytes,
    view: new DataView(buffer),
    words: new Uint32Array(buffer),
    halves: new Uint16Array(buffer),
    address: koffi.address(bytes),
  };
}

/** A NUL-terminated string as the kernel takes it. */
export function cString(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}
