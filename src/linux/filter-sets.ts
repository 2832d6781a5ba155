/**
 * Filter sets in the kernel, for as long as channels need them.
 *
 * @module
 */

import type { SetMaps } from '../filter/emit-bpf.ts';
import type { FilterSet } from '../filter/extended/filter-set.ts';
import type { Filter } from '../filter/index.ts';
import { SetMirror } from './sets/set-mirror.ts';

/** As `bpftool map` shows them, 15 letters at most: whose they are. */
const KERNEL_NAME = `ndivert_${process.pid}`;

/**
 * The maps of a filter's sets, which all that use a set share. Programs that were loaded with them keep them, but when
 * nobody has them any more they no longer change.
 */
export class FilterSetMaps implements Disposable {
  /** As the compiler takes it: `BpfOptions.sets`. */
  readonly maps: ReadonlyMap<FilterSet, SetMaps>;
  readonly #mirrors: SetMirror[];

  /**
   * Creates and fills what is not there yet, and follows the sets from now on.
   *
   * @param sets `Filter.kernelSets`
   * @param name of the maps, at most 15 letters, digits, `_` or `.`
   * @throws {@link UnsupportedError} when a capability is missing
   * @throws {@link SystemError} when the kernel has no room for them
   */
  constructor(sets: Iterable<FilterSet>, name: string) {
    const maps = new Map<FilterSet, SetMaps>();
    this.maps = maps;
    this.#mirrors = [];
    try {
      for (const set of sets) {
        const mirror = SetMirror.acquire(set, name);
        this.#mirrors.push(mirror);
        mirror.fill();
        maps.set(set, mirror.maps);
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Lets the maps go. */
  close(): void {
    for (const mirror of this.#mirrors.splice(0)) mirror.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Puts the sets of a filter into the kernel a slice at a time, so that the program is not held up: a channel
 * that is given the filter then finds them there.
 *
 * @returns undefined when the filter has none; to be disposed of when the channel has the filter
 * @throws as {@link FilterSetMaps}
 */
export function prepareSets({ kernelSets }: Filter): Promise<Disposable> | undefined {
  return kernelSets.length > 0 ? fillInSlices(kernelSets) : undefined;
}

async function fillInSlices(sets: readonly FilterSet[]): Promise<Disposable> {
  const mirrors: SetMirror[] = [];
  const release = (): void => {
    for (const mirror of mirrors.splice(0)) mirror.release();
  };
  try {
    for (const set of sets) {
      const mirror = SetMirror.acquire(set, KERNEL_NAME);
      mirrors.push(mirror);
      await mirror.fillInSlices();
    }
  } catch (error) {
    release();
    throw error;
  }
  return { [Symbol.dispose]: release };
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
