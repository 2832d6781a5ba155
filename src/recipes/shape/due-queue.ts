/**
 * Items in the order of their times: a binary heap.
 *
 * @module
 */

/** Something that is due at a time. */
export interface Due {
  readonly dueMs: number;
  /** Set by the queue: what is due at the same time leaves as it came. */
  serial: number;
}

export class DueQueue<Item extends Due> {
  readonly #heap: Item[] = [];
  #serial = 0;

  get length(): number {
    return this.#heap.length;
  }

  /** The item that is due first. */
  first(): Item | undefined {
    return this.#heap[0];
  }

  push(item: Item): void {
    item.serial = this.#serial++;
    const heap = this.#heap;
    let at = heap.length;
    heap.push(item);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || isBefore(parent, item)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = item;
  }

  /** Takes the first item out. */
  shift(): Item | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last !== undefined && last !== first) this.#sink(last);
    return first;
  }

  /** Puts an item in the place of the first one, then down to where it belongs. */
  #sink(item: Item): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const [one, other] = [heap[left], heap[left + 1]];
      if (one === undefined) break;
      const isOther = other !== undefined && isBefore(other, one);
      const child = isOther ? other : one;
      if (isBefore(item, child)) break;
      heap[at] = child;
      at = isOther ? left + 1 : left;
    }
    heap[at] = item;
  }
}

function isBefore(one: Due, other: Due): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.serial < other.serial);
}
