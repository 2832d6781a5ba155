/**
 * Named sets: what `ip.SrcAddr in @blocked` looks into. They change while filters use them, and evaluation
 * sees the change at once.
 *
 * @module
 */

import { PrefixTables, type ValueWords } from './prefix-tables.ts';
import {
  type FilterSetEntry,
  IPV4_PREFIX_BITS,
  isIPv4,
  parseEntry,
  type SetEntry,
  showEntry,
  VALUE_BITS,
} from './set-entry.ts';

export type { FilterSetEntry } from './set-entry.ts';

/**
 * Follows the changes of a set, to keep a copy of it elsewhere. One that cannot throws, and has changed nothing then.
 *
 * @internal
 */
export interface SetListener {
  /** A member is new. */
  added(entry: SetEntry): void;
  /** A member is gone. */
  deleted(entry: SetEntry): void;
  /** Everything is different: read the set anew. */
  replaced(): void;
}

const IPV4_WORD = 0xffff;
const IPV4_BITS = 32;

/** The tables of a set. IPv4 and numbers have their own, since one word tells them apart. */
class Members {
  readonly ipv4: PrefixTables = new PrefixTables(32);
  readonly numbers: PrefixTables = new PrefixTables(32);
  readonly wide: PrefixTables = new PrefixTables(128);

  get size(): number {
    return this.ipv4.size + this.numbers.size + this.wide.size;
  }

  get values(): number {
    return this.ipv4.values + this.numbers.values + this.wide.values;
  }

  add(entry: SetEntry): boolean {
    const [table, length] = this.#placeOf(entry);
    return table.add(valueWords(entry), length);
  }

  delete(entry: SetEntry): boolean {
    const [table, length] = this.#placeOf(entry);
    return table.delete(valueWords(entry), length);
  }

  has(entry: SetEntry): boolean {
    const [table, length] = this.#placeOf(entry);
    return table.has(valueWords(entry), length);
  }

  *entries(): Generator<SetEntry> {
    for (const [{ w0 }, length] of this.ipv4.entries()) {
      yield { words: [w0, IPV4_WORD, 0, 0], length: length + IPV4_PREFIX_BITS };
    }
    for (const [{ w0 }] of this.numbers.entries()) {
      yield { words: [w0, 0, 0, 0], length: VALUE_BITS };
    }
    for (const [{ w0, w1, w2, w3 }, length] of this.wide.entries()) {
      yield { words: [w0, w1, w2, w3], length };
    }
  }

  #placeOf({ words, length }: SetEntry): readonly [PrefixTables, number] {
    if (isIPv4(words) && length >= IPV4_PREFIX_BITS) return [this.ipv4, length - IPV4_PREFIX_BITS];
    const [, w1, w2, w3] = words;
    const isNumber = length === VALUE_BITS && w1 === 0 && w2 === 0 && w3 === 0;
    return isNumber ? [this.numbers, IPV4_BITS] : [this.wide, length];
  }
}

function valueWords({ words: [w0, w1, w2, w3] }: SetEntry): ValueWords {
  return { w0, w1, w2, w3 };
}

/**
 * A set of addresses, prefixes and numbers for filters of the extended dialect. It may be shared by any number of
 * filters and handles, and be changed at any time without opening them again.
 *
 * Every member is a number of 128 bits, as in the filter language itself: an IPv4 address is `::ffff:a.b.c.d` (so it
 * is found by `ip.SrcAddr` and by `localAddr`), and 80 is the same member as `::50`.
 *
 * @example
 * const blocked = new FilterSet(['192.0.2.1', '198.51.100.0/24', '2001:db8::/32']);
 * const filter = compileFilter('ip.SrcAddr in @blocked', 'network', {
 *   dialect: 'extended', sets: { blocked },
 * });
 * blocked.add('203.0.113.7'); // the filter matches its packets from now on
 */
export class FilterSet implements Iterable<string | number> {
  readonly #listeners = new Set<SetListener>();
  #members: Members = new Members();

  /**
   * @param entries - addresses, prefixes such as `10.0.0.0/8`, and numbers from 0 to 2^128 - 1
   * @throws RangeError for anything else, and for a prefix with bits behind it (`10.0.0.1/8`)
   */
  constructor(entries: Iterable<FilterSetEntry> = []) {
    for (const entry of entries) this.#members.add(parseEntry(entry));
  }

  /** How many members there are; a prefix counts once. */
  get size(): number {
    return this.#members.size;
  }

  /**
   * Adds a member.
   *
   * @param entry - as for the constructor
   * @throws RangeError as the constructor
   * @throws {@link SystemError} when a handle uses the set and the kernel has no room; nothing changed then
   */
  add(entry: FilterSetEntry): this {
    this.change(parseEntry(entry), true);
    return this;
  }

  /**
   * Removes a member. Part of a prefix cannot be removed.
   *
   * @param entry - as it was added
   * @returns whether it was there
   * @throws as `add`
   */
  delete(entry: FilterSetEntry): boolean {
    return this.change(parseEntry(entry), false);
  }

  /**
   * Whether this very address, prefix or number was added.
   *
   * @param entry - as for the constructor
   * @throws RangeError as the constructor
   */
  has(entry: FilterSetEntry): boolean {
    return this.#members.has(parseEntry(entry));
  }

  /**
   * Whether a filter finds an address or number here: by itself or within a prefix.
   *
   * @param value - an address or number, not a prefix
   * @throws RangeError as the constructor
   */
  covers(value: FilterSetEntry): boolean {
    const { words, length } = parseEntry(value);
    if (length < VALUE_BITS)
      throw new RangeError('filter set: covers() takes a single address or number');
    return this.hasWords(words[0], words[1], words[2], words[3]);
  }

  /**
   * Removes every member.
   *
   * @throws as `replace`
   */
  clear(): void {
    this.replace([]);
  }

  /**
   * Puts other members in the place of all there are, at once. In the kernel single values change a moment before
   * prefixes do; no packet sees an emptied set.
   *
   * @param entries - as for the constructor; when one of them is refused, nothing changes
   * @throws as `add`
   */
  replace(entries: Iterable<FilterSetEntry>): void {
    const members = new Members();
    for (const entry of entries) members.add(parseEntry(entry));
    this.#become(members);
  }

  /**
   * Adds or deletes a member.
   *
   * @returns whether that made a difference
   * @internal
   */
  change(entry: SetEntry, isNew: boolean): boolean {
    const add = (): boolean => this.#members.add(entry);
    const drop = (): boolean => this.#members.delete(entry);
    if (!(isNew ? add() : drop())) return false;
    if (this.#listeners.size === 0) return true;
    const added = (listener: SetListener): void => listener.added(entry);
    const deleted = (listener: SetListener): void => listener.deleted(entry);
    if (isNew) this.#tell(added, deleted, drop);
    else this.#tell(deleted, added, add);
    return true;
  }

  /** Has the members of another set from now on, which is not to be used any more. @internal */
  assign(other: FilterSet): void {
    this.#become(other.#members);
  }

  #become(members: Members): void {
    const before = this.#members;
    this.#members = members;
    const reread = (listener: SetListener): void => listener.replaced();
    this.#tell(reread, reread, () => {
      this.#members = before;
    });
  }

  /** The members in no particular order, each as it can be added: numbers up to 2^53 as numbers, all others as text. */
  *[Symbol.iterator](): Generator<string | number> {
    for (const entry of this.#members.entries()) yield showEntry(entry);
  }

  /**
   * Whether a value is here, by itself or within a prefix. Allocates nothing.
   *
   * @param w0 - 32 bits, the least significant of the value; signed or not
   * @internal
   */
  hasWords(w0: number, w1: number, w2: number, w3: number): boolean {
    const { ipv4, numbers, wide } = this.#members;
    if (w3 === 0 && w2 === 0) {
      if (w1 === IPV4_WORD && ipv4.covers(w0, 0, 0, 0)) return true;
      if (w1 === 0 && numbers.covers(w0, 0, 0, 0)) return true;
    }
    return wide.covers(w0, w1, w2, w3);
  }

  /** The members as numbers. @internal */
  entries(): Iterable<SetEntry> {
    return this.#members.entries();
  }

  /** How many members are single values, and how many prefixes. @internal */
  counts(): { readonly values: number; readonly prefixes: number } {
    const { size, values } = this.#members;
    return { values, prefixes: size - values };
  }

  /**
   * Adds a listener.
   *
   * @returns removes it again
   * @internal
   */
  onChange(listener: SetListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  /** Tells all listeners of a change. When one of them cannot follow, the change is taken back everywhere. */
  #tell(
    change: (listener: SetListener) => void,
    undo: (listener: SetListener) => void,
    restore: () => void,
  ): void {
    const told: SetListener[] = [];
    try {
      for (const listener of this.#listeners) {
        change(listener);
        told.push(listener);
      }
    } catch (error) {
      restore();
      for (const listener of told) undo(listener);
      throw error;
    }
  }
}
