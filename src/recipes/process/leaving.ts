/**
 * In what order packets leave whose handlers ended in another.
 *
 * @module
 */
import type { Packet } from '../../packet/packet.ts';
import { flowKey } from './flow-key.ts';

/** 'flow': packets of one flow in theirs; 'all': every packet; 'none': as handlers end. */
export type Order = 'flow' | 'all' | 'none';

/** A packet in hand, and what its handler said. */
export interface Entry {
  readonly packet: Packet;
  /** Set when its handler has ended. */
  verdict: 'pass' | 'drop' | undefined;
}

/** Lines of packets that wait for those before them. */
export class Leaving {
  readonly #order: Order;
  readonly #leave: (entry: Entry) => void;
  readonly #lines = new Map<string, Entry[]>();

  /** @param leave gets each entry with a verdict when it is its turn */
  constructor(order: Order, leave: (entry: Entry) => void) {
    this.#order = order;
    this.#leave = leave;
  }

  /** A packet came; returns what to call when its verdict is there. */
  enter(entry: Entry): () => void {
    if (this.#order === 'none') return () => this.#leave(entry);
    const key = this.#order === 'all' ? '' : flowKey(entry.packet);
    const line = this.#lines.get(key) ?? [];
    if (line.length === 0) this.#lines.set(key, line);
    line.push(entry);
    return () => this.#advance(key, line);
  }

  #advance(key: string, line: Entry[]): void {
    let done = 0;
    for (const entry of line) {
      if (entry.verdict === undefined) break;
      done++;
    }
    const leaving = line.splice(0, done);
    if (line.length === 0 && leaving.length > 0) this.#lines.delete(key);
    for (const entry of leaving) this.#leave(entry);
  }
}
