/**
 * Process names as numbers: the 16 bytes of the kernel's `comm` as four little-endian 32-bit words, so that
 * comparing them allocates nothing.
 *
 * @module
 */

import type { Words } from '../words.ts';

/** Bytes of a name, at most (`TASK_COMM_LEN` less the NUL). */
export const MAX_NAME_BYTES = 15;
const NAME_BYTES = 16;
const WORD_BYTES = 4;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * A name as the kernel keeps it.
 *
 * @returns the words of its first {@link MAX_NAME_BYTES} bytes, the rest being zero
 */
export function encodeProcessName(name: string): Words {
  const bytes = new Uint8Array(NAME_BYTES);
  bytes.set(encoder.encode(name).subarray(0, MAX_NAME_BYTES));
  const view = new DataView(bytes.buffer);
  const word = (index: number): number => view.getUint32(index * WORD_BYTES, true);
  return [word(0), word(1), word(2), word(3)];
}

/** The name that words stand for. */
export function decodeProcessName(words: Words): string {
  const bytes = new Uint8Array(NAME_BYTES);
  const view = new DataView(bytes.buffer);
  words.forEach((word, index) => {
    view.setUint32(index * WORD_BYTES, word, true);
  });
  const end = bytes.indexOf(0);
  return decoder.decode(bytes.subarray(0, end < 0 ? NAME_BYTES : end));
}

/** How many bytes a name has. */
export function nameBytes(name: string): number {
  return encoder.encode(name).length;
}

/** The part of a name that the kernel keeps, never half a character. */
export function truncatedName(name: string): string {
  let kept = '';
  for (const character of name) {
    if (nameBytes(kept + character) > MAX_NAME_BYTES) break;
    kept += character;
  }
  return kept;
}
