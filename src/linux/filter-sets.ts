/**
 * Filter sets in the kernel: each as a hash of its single values and a trie of its prefixes, which follow every
 * change. Both stand in arrays of one map, so that a set can be replaced as a whole, and grow, under programs that run.
 *
 * @module
 */

import type { SetMaps } from '../filter/emit-bpf.ts';
import type { FilterSet, SetListener } from '../filter/extended/filter-set.ts';
import type { SetEntry } from '../filter/extended/set-entry.ts';
import { isPrefixEntry, SET_MAP, writeSetKey } from '../filter/extended/set-map-layout.ts';
import type { Filter } from '../filter/index.ts';
import { BPF_MAP_FLAG } from './bpf/constants.ts';
import { BpfMap, type MapOptions } from './bpf/map.ts';
import { allocate, type Memory } from './sys/memory.ts';

/** Entries that a new map has room for, at least. */
const MIN_CAPACITY = 1024;
/** Keys that are written in one call. */
const BATCH_KEYS = 4096;
const FD_BYTES = 4;
const INDEX_BYTES = 4;

const KINDS = {
  values: { type: 'HASH', keyBytes: SET_MAP.HASH_KEY },
  prefixes: { type: 'LPM_TRIE', keyBytes: SET_MAP.TRIE_KEY },
} as const;

type Kind = keyof typeof KINDS;

/** The values of a set, or its prefixes. */
class Half implements Disposable {
  /** The array that programs know. */
  readonly outer: BpfMap;
  readonly #kind: Kind;
  readonly #name: string;
  readonly #key: Memory = allocate(SET_MAP.TRIE_KEY);
  readonly #zero: Uint8Array = new Uint8Array(SET_MAP.VALUE);
  readonly #first: Memory = allocate(INDEX_BYTES);
  readonly #fd: Memory = allocate(FD_BYTES);
  /** None while there are no entries. */
  #inner: BpfMap | null = null;
  #capacity = 0;
  #size = 0;

  constructor(kind: Kind, name: string) {
    this.#kind = kind;
    this.#name = name;
    using like = new BpfMap(this.#innerOptions(1));
    this.outer = new BpfMap({
      name,
      type: 'ARRAY_OF_MAPS',
      keyBytes: INDEX_BYTES,
      valueBytes: FD_BYTES,
      maxEntries: 1,
      innerMapFd: like.fd,
    });
  }

  /** @param all of the set, when there is no room */
  add(entry: SetEntry, all: () => Iterable<SetEntry>): void {
    if (this.#inner === null || this.#size >= this.#capacity) {
      this.fill(all());
      return;
    }
    this.#inner.update(this.#keyOf(entry), this.#zero);
    this.#size++;
  }

  delete(entry: SetEntry): void {
    if (this.#inner?.delete(this.#keyOf(entry))) this.#size--;
  }

  /** Puts a new map in the place of the old one. */
  fill(entries: Iterable<SetEntry>): void {
    const own = this.#ownOf(entries);
    const old = this.#inner;
    this.#size = own.length;
    if (own.length === 0) {
      this.#inner = null;
      if (old !== null) this.outer.delete(this.#first.bytes.subarray(0, INDEX_BYTES));
      old?.close();
      return;
    }
    this.#capacity = Math.max(MIN_CAPACITY, own.length * 2);
    const inner = new BpfMap(this.#innerOptions(this.#capacity));
    try {
      this.#insert(inner, own);
      this.#fd.view.setUint32(0, inner.fd, true);
      this.outer.update(
        this.#first.bytes.subarray(0, INDEX_BYTES),
        this.#fd.bytes.subarray(0, FD_BYTES),
      );
    } catch (error) {
      inner.close();
      throw error;
    }
    this.#inner = inner;
    old?.close();
  }

  [Symbol.dispose](): void {
    this.#inner?.close();
    this.outer.close();
  }

  #innerOptions(maxEntries: number): MapOptions {
    return {
      ...KINDS[this.#kind],
      name: this.#name,
      valueBytes: SET_MAP.VALUE,
      maxEntries,
      flags: BPF_MAP_FLAG.BPF_F_NO_PREALLOC,
    };
  }

  #ownOf(entries: Iterable<SetEntry>): readonly SetEntry[] {
    const isPrefixes = this.#kind === 'prefixes';
    const own: SetEntry[] = [];
    for (const entry of entries) if (isPrefixEntry(entry) === isPrefixes) own.push(entry);
    return own;
  }

  #keyOf(entry: SetEntry): Uint8Array {
    return this.#key.bytes.subarray(0, writeSetKey(this.#key.view, entry));
  }

  #insert(inner: BpfMap, entries: readonly SetEntry[]): void {
    const { keyBytes } = KINDS[this.#kind];
    const keys = allocate(keyBytes * Math.min(BATCH_KEYS, entries.length));
    for (let from = 0; from < entries.length; from += BATCH_KEYS) {
      const batch = entries.slice(from, from + BATCH_KEYS);
      batch.forEach((entry, index) => {
        writeSetKey(keys.view, entry, index * keyBytes);
      });
      inner.insertAll(keys, batch.length);
    }
  }
}

/** One set in the kernel. */
class SetMirror implements SetListener, Disposable {
  readonly #set: FilterSet;
  readonly #values: Half;
  readonly #prefixes: Half;
  readonly #stop: () => void;

  constructor(set: FilterSet, name: string) {
    this.#set = set;
    this.#values = new Half('values', name);
    try {
      this.#prefixes = new Half('prefixes', name);
    } catch (error) {
      this.#values[Symbol.dispose]();
      throw error;
    }
    try {
      this.replaced();
    } catch (error) {
      this.#closeMaps();
      throw error;
    }
    this.#stop = set.onChange(this);
  }

  get maps(): SetMaps {
    return { values: this.#values.outer.fd, prefixes: this.#prefixes.outer.fd };
  }

  added(entry: SetEntry): void {
    this.#halfOf(entry).add(entry, () => this.#set.entries());
  }

  deleted(entry: SetEntry): void {
    this.#halfOf(entry).delete(entry);
  }

  replaced(): void {
    this.#values.fill(this.#set.entries());
    this.#prefixes.fill(this.#set.entries());
  }

  [Symbol.dispose](): void {
    this.#stop();
    this.#closeMaps();
  }

  #halfOf(entry: SetEntry): Half {
    return isPrefixEntry(entry) ? this.#prefixes : this.#values;
  }

  #closeMaps(): void {
    this.#values[Symbol.dispose]();
    this.#prefixes[Symbol.dispose]();
  }
}

/** The maps of a filter's sets. Programs that were loaded with them keep them, but they no longer change. */
export class FilterSetMaps implements Disposable {
  /** As the compiler takes it: `BpfOptions.sets`. */
  readonly maps: ReadonlyMap<FilterSet, SetMaps>;
  readonly #mirrors: SetMirror[] = [];

  /**
   * Creates and fills the maps, and follows the sets from now on.
   *
   * @param sets `Filter.kernelSets`
   * @param name of the maps, at most 15 letters, digits, `_` or `.`
   * @throws {@link UnsupportedError} when a capability is missing
   * @throws {@link SystemError} when the kernel has no room for them
   */
  constructor(sets: Iterable<FilterSet>, name: string) {
    const maps = new Map<FilterSet, SetMaps>();
    try {
      for (const set of sets) {
        const mirror = new SetMirror(set, name);
        this.#mirrors.push(mirror);
        maps.set(set, mirror.maps);
      }
    } catch (error) {
      this.close();
      throw error;
    }
    this.maps = maps;
  }

  /** Follows the sets no longer, and lets the maps go. */
  close(): void {
    for (const mirror of this.#mirrors.splice(0)) mirror[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The sets of a channel's filter in the kernel, swapped together with it. */
export class ChannelSets {
  readonly #name: string;
  #current: FilterSetMaps | undefined;

  /** @param name of the maps, as for {@link FilterSetMaps} */
  constructor(name: string) {
    this.#name = name;
  }

  /**
   * Makes the maps of a filter, and lets those of the filter before it go when `use` has put the
   * programs in place.
   *
   * @param use gets the maps; when it throws, everything stays as it was
   */
  swap<T>(filter: Filter, use: (maps: FilterSetMaps['maps']) => T): T {
    const next = new FilterSetMaps(filter.kernelSets, this.#name);
    try {
      const result = use(next.maps);
      this.#current?.close();
      this.#current = next;
      return result;
    } catch (error) {
      next.close();
      throw error;
    }
  }

  /** Idempotent. */
  close(): void {
    this.#current?.close();
  }
}
