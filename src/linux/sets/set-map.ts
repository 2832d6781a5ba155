/**
 * The values of a filter set, or its prefixes, as a map of the kernel. It stands in an array of one map, so that it can
 * be replaced as a whole, and grow, under programs that run.
 *
 * @module
 */

import type { SetEntry } from '../../filter/extended/set-entry.ts';
import { SET_MAP, writeSetKey } from '../../filter/extended/set-map-layout.ts';
import { BPF_MAP_FLAG } from '../bpf/constants.ts';
import { BpfMap, type MapOptions } from '../bpf/map.ts';
import { allocate, type Memory } from '../sys/memory.ts';

export type SetMapKind = 'values' | 'prefixes';

/** Entries that a new map has room for, at least. */
const MIN_CAPACITY = 1024;
/** A map is to be replaced by a larger one from this share on. */
const NEARLY_FULL = 0.75;
/** Keys that are written in one call: about a millisecond of the kernel's time. */
export const BATCH_KEYS = 1024;
const FD_BYTES = 4;
const INDEX_BYTES = 4;

const KINDS = {
  values: { type: 'HASH', keyBytes: SET_MAP.HASH_KEY },
  prefixes: { type: 'LPM_TRIE', keyBytes: SET_MAP.TRIE_KEY },
} as const satisfies Record<SetMapKind, Pick<MapOptions, 'type' | 'keyBytes'>>;

function optionsOf(kind: SetMapKind, name: string, maxEntries: number): MapOptions {
  const flags = BPF_MAP_FLAG.BPF_F_NO_PREALLOC;
  return { ...KINDS[kind], name, valueBytes: SET_MAP.VALUE, maxEntries, flags };
}

/** A map with a part of the members, which programs see when {@link SetMap.use} has put it in place. */
export class MemberMap {
  readonly map: BpfMap;
  readonly #capacity: number;
  readonly #keyBytes: number;
  readonly #key: Memory = allocate(SET_MAP.TRIE_KEY);
  readonly #zero: Uint8Array = new Uint8Array(SET_MAP.VALUE);
  #batch: Memory | null = null;
  #batched = 0;
  #size = 0;

  /** @param count of the members it is for; it has room for as many again */
  constructor(kind: SetMapKind, name: string, count: number) {
    this.#capacity = Math.max(MIN_CAPACITY, count * 2);
    this.#keyBytes = KINDS[kind].keyBytes;
    this.map = new BpfMap(optionsOf(kind, name, this.#capacity));
  }

  get isFull(): boolean {
    return this.#size >= this.#capacity;
  }

  get isNearlyFull(): boolean {
    return this.#size > this.#capacity * NEARLY_FULL;
  }

  /** Adds a member with others, at the latest when {@link flush} is called. */
  put(entry: SetEntry): void {
    this.#batch ??= allocate(this.#keyBytes * BATCH_KEYS);
    writeSetKey(this.#batch.view, entry, this.#batched * this.#keyBytes);
    if (++this.#batched === BATCH_KEYS) this.flush();
  }

  flush(): void {
    if (this.#batch === null) return;
    this.map.insertAll(this.#batch, this.#batched);
    this.#size += this.#batched;
    this.#batched = 0;
  }

  /** Adds a member, which may be there. */
  add(entry: SetEntry): void {
    if (this.map.add(this.#keyOf(entry), this.#zero)) this.#size++;
  }

  delete(entry: SetEntry): void {
    if (this.map.delete(this.#keyOf(entry))) this.#size--;
  }

  /** No more batches: what they need is let go. */
  settle(): void {
    this.flush();
    this.#batch = null;
  }

  #keyOf(entry: SetEntry): Uint8Array {
    return this.#key.bytes.subarray(0, writeSetKey(this.#key.view, entry));
  }
}

export class SetMap implements Disposable {
  /** The array that programs know. */
  readonly outer: BpfMap;
  readonly #kind: SetMapKind;
  readonly #name: string;
  readonly #first: Uint8Array = new Uint8Array(INDEX_BYTES);
  readonly #fd: Memory = allocate(FD_BYTES);
  #members: MemberMap | null = null;

  constructor(kind: SetMapKind, name: string) {
    this.#kind = kind;
    this.#name = name;
    using like = new BpfMap(optionsOf(kind, name, 1));
    this.outer = new BpfMap({
      name,
      type: 'ARRAY_OF_MAPS',
      keyBytes: INDEX_BYTES,
      valueBytes: FD_BYTES,
      maxEntries: 1,
      innerMapFd: like.fd,
    });
  }

  /** What programs look into; none while there are no members. */
  get members(): MemberMap | null {
    return this.#members;
  }

  /** A map that can be put in the place of the one there is. */
  create(count: number): MemberMap {
    return new MemberMap(this.#kind, this.#name, count);
  }

  /** From now on programs look into this one, or into none. */
  use(members: MemberMap | null): void {
    if (members !== null) {
      this.#fd.view.setUint32(0, members.map.fd, true);
      this.outer.update(this.#first, this.#fd.bytes.subarray(0, FD_BYTES));
    } else if (this.#members !== null) this.outer.delete(this.#first);
    this.#members?.map.close();
    this.#members = members;
  }

  [Symbol.dispose](): void {
    this.#members?.map.close();
    this.outer.close();
  }
}
