/**
 * Swaps of a handle's filter, in the order in which they were asked for.
 *
 * @module
 */
import type { Filter } from '../filter/index.ts';

/** What has a filter that can be swapped. */
export interface FilterChannel {
  /** As `Backend.prepare`. */
  prepare?(filter: Filter): Promise<Disposable> | undefined;
  setFilter(filter: Filter): void;
}

export class FilterSwaps {
  readonly #channel: FilterChannel;
  readonly #checkOpen: () => void;
  #last: Promise<void> = Promise.resolve();
  #pending = 0;

  /** @param checkOpen throws when the handle was closed */
  constructor(channel: FilterChannel, checkOpen: () => void) {
    this.#channel = channel;
    this.#checkOpen = checkOpen;
  }

  /** At once, unless something has to be prepared for this filter or for one before it. */
  async swap(filter: Filter): Promise<void> {
    const preparing = this.#channel.prepare?.(filter);
    if (!preparing && this.#pending === 0) {
      this.#channel.setFilter(filter);
      return;
    }
    // Its failure is told when it is this one's turn.
    preparing?.catch(() => {});
    this.#pending++;
    const swapped = this.#last.then(() => this.#swap(filter, preparing));
    // The next one does not care how this one ended.
    this.#last = swapped.catch(() => {});
    return swapped;
  }

  async #swap(filter: Filter, preparing: Promise<Disposable> | undefined): Promise<void> {
    try {
      using _prepared = await preparing;
      this.#checkOpen();
      this.#channel.setFilter(filter);
    } finally {
      this.#pending--;
    }
  }
}
