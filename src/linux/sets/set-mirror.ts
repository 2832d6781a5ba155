/**
 * A filter set in the kernel: a hash of its single values and a trie of its prefixes, which follow every change. All
 * handles of a thread that look into a set share them.
 *
 * @module
 */

import type { SetMaps } from '../../filter/emit-bpf.ts';
import type { FilterSet, SetListener } from '../../filter/extended/filter-set.ts';
import type { SetEntry } from '../../filter/extended/set-entry.ts';
import { isPrefixEntry } from '../../filter/extended/set-map-layout.ts';
import { BATCH_KEYS, type MemberMap, SetMap, type SetMapKind } from './set-map.ts';

/** Members that are written at a time: one to two milliseconds. */
const SLICE_MEMBERS = BATCH_KEYS;

const KINDS = ['values', 'prefixes'] as const satisfies readonly SetMapKind[];

interface Change {
  /** Added, not deleted. */
  readonly isNew: boolean;
  readonly entry: SetEntry;
}

/** Maps that are being filled, to be used together. */
type NextMaps = Record<SetMapKind, MemberMap | null>;

const mirrors = new Map<FilterSet, SetMirror>();

export class SetMirror implements SetListener {
  readonly #set: FilterSet;
  readonly #maps: Readonly<Record<SetMapKind, SetMap>>;
  readonly #stop: () => void;
  #users = 0;
  #isFilled = false;
  /** Of the fill that is under way: each step writes a slice of the members. */
  #steps: Generator<void, void> | null = null;
  /** Since that one began. */
  #changes: Change[] = [];

  private constructor(set: FilterSet, name: string) {
    this.#set = set;
    const values = new SetMap('values', name);
    try {
      this.#maps = { values, prefixes: new SetMap('prefixes', name) };
    } catch (error) {
      values[Symbol.dispose]();
      throw error;
    }
    this.#stop = set.onChange(this);
  }

  /**
   * The maps of a set, which may not have all members yet: see {@link fill}. Each call needs one of {@link release}.
   *
   * @param name of the maps, when they are new
   */
  static acquire(set: FilterSet, name: string): SetMirror {
    const known = mirrors.get(set);
    const mirror = known ?? new SetMirror(set, name);
    if (!known) mirrors.set(set, mirror);
    mirror.#users++;
    return mirror;
  }

  /** When nobody uses them any more, the maps are let go and follow the set no longer. */
  release(): void {
    if (--this.#users > 0) return;
    mirrors.delete(this.#set);
    this.#stop();
    this.#cancel();
    for (const kind of KINDS) this.#maps[kind][Symbol.dispose]();
  }

  get maps(): SetMaps {
    const { values, prefixes } = this.#maps;
    return { values: values.outer.fd, prefixes: prefixes.outer.fd };
  }

  /** Writes what is missing, now. */
  fill(): void {
    while (!this.#isFilled) this.#step();
  }

  /** Writes what is missing, and lets the program do other things in between. */
  async fillInSlices(): Promise<void> {
    for (;;) {
      if (!this.#isFilled) this.#step();
      if (this.#isFilled) return;
      await nextTurn();
    }
  }

  added(entry: SetEntry): void {
    if (this.#isFilled) this.#add(entry);
    if (this.#steps !== null) this.#changes.push({ isNew: true, entry });
  }

  deleted(entry: SetEntry): void {
    if (this.#isFilled) this.#maps[kindOf(entry)].members?.delete(entry);
    if (this.#steps !== null) this.#changes.push({ isNew: false, entry });
  }

  replaced(): void {
    this.#cancel();
    if (this.#isFilled) this.#fillAnew();
  }

  #add(entry: SetEntry): void {
    const map = this.#maps[kindOf(entry)];
    const { members } = map;
    if (members === null) {
      const first = map.create(1);
      try {
        first.add(entry);
        map.use(first);
      } catch (error) {
        first.map.close();
        throw error;
      }
      return;
    }
    if (members.isFull) {
      this.#cancel();
      this.#fillAnew();
      return;
    }
    members.add(entry);
    if (members.isNearlyFull && this.#steps === null) void this.#grow();
  }

  #fillAnew(): void {
    this.#steps = this.#fill();
    while (this.#steps !== null) this.#step();
  }

  /** Makes room before it is needed. When the kernel refuses, who adds more than there is room for hears of it. */
  async #grow(): Promise<void> {
    const steps = this.#fill();
    this.#steps = steps;
    try {
      while (this.#steps === steps) {
        this.#step();
        await nextTurn();
      }
    } catch {
      this.#changes = [];
    }
  }

  #step(): void {
    this.#steps ??= this.#fill();
    try {
      if (!this.#steps.next().done) return;
    } catch (error) {
      this.#steps = null;
      throw error;
    }
    this.#steps = null;
    this.#isFilled = true;
  }

  #cancel(): void {
    this.#steps?.return();
    this.#steps = null;
  }

  *#fill(): Generator<void, void> {
    let isUsed = false;
    while (!isUsed) {
      this.#changes = [];
      const next = this.#createMaps();
      try {
        let written = 0;
        for (const entry of this.#set.entries()) {
          next[kindOf(entry)]?.put(entry);
          if (++written % SLICE_MEMBERS === 0) yield;
        }
        if (this.#catchUp(next)) {
          this.#use(next);
          isUsed = true;
        }
      } finally {
        // When one of two could not be put in place, the other one stays where it is.
        for (const kind of KINDS) {
          if (next[kind] !== this.#maps[kind].members) next[kind]?.map.close();
        }
      }
    }
  }

  #createMaps(): NextMaps {
    const counts = this.#set.counts();
    const next: NextMaps = { values: null, prefixes: null };
    try {
      for (const kind of KINDS) {
        if (counts[kind] > 0) next[kind] = this.#maps[kind].create(counts[kind]);
      }
      return next;
    } catch (error) {
      close(next);
      throw error;
    }
  }

  /**
   * Brings maps up to date that were filled while the set changed.
   *
   * @returns false when there is no room for all that came
   */
  #catchUp(next: NextMaps): boolean {
    for (const kind of KINDS) next[kind]?.settle();
    for (const { isNew, entry } of this.#changes) {
      const kind = kindOf(entry);
      if (isNew) {
        next[kind] ??= this.#maps[kind].create(1);
        if (next[kind].isFull) return false;
        next[kind].add(entry);
      } else next[kind]?.delete(entry);
    }
    return true;
  }

  #use(next: NextMaps): void {
    for (const kind of KINDS) this.#maps[kind].use(next[kind]);
  }
}

function kindOf(entry: SetEntry): SetMapKind {
  return isPrefixEntry(entry) ? 'prefixes' : 'values';
}

function close(maps: NextMaps): void {
  for (const kind of KINDS) maps[kind]?.map.close();
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
