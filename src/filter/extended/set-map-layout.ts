/**
 * Filter sets as maps of the kernel: a hash of single values and a trie of prefixes, each behind an array of one
 * map, so that a whole set can be put in the place of another and grow without a new program.
 *
 * Values are 16 bytes, the most significant first: IPv4 addresses as `::ffff:a.b.c.d`, numbers with zeros in front.
 *
 *     hash (BPF_MAP_TYPE_HASH)      value (128)
 *     trie (BPF_MAP_TYPE_LPM_TRIE)  length of the prefix (32, host order) | value (128)
 *
 * What is stored for a key does not matter.
 *
 * @module
 */

import { type SetEntry, VALUE_BITS } from './set-entry.ts';

/** Sizes in bytes. */
export const SET_MAP = { HASH_KEY: 16, TRIE_KEY: 20, VALUE: 4 } as const;

/** Offset of the value in a key of the trie (`struct bpf_lpm_trie_key`). */
export const TRIE_VALUE_OFFSET = 4;

const WORD_BYTES = 4;

/** Whether a member belongs in the trie. */
export function isPrefixEntry({ length }: SetEntry): boolean {
  return length < VALUE_BITS;
}

/**
 * Writes a member's key: of the trie for a prefix, of the hash for a single value.
 *
 * @param key - written to
 * @param offset - where the key begins
 * @returns how many bytes the key has
 */
export function writeSetKey(key: DataView, entry: SetEntry, offset = 0): number {
  const isPrefix = isPrefixEntry(entry);
  const at = offset + (isPrefix ? TRIE_VALUE_OFFSET : 0);
  if (isPrefix) key.setUint32(offset, entry.length, true);
  const [w0, w1, w2, w3] = entry.words;
  key.setUint32(at, w3);
  key.setUint32(at + WORD_BYTES, w2);
  key.setUint32(at + 2 * WORD_BYTES, w1);
  key.setUint32(at + 3 * WORD_BYTES, w0);
  return isPrefix ? SET_MAP.TRIE_KEY : SET_MAP.HASH_KEY;
}
