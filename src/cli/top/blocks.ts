import type { NetworkHandle } from '../../divert/network-handle.ts';
import { compileFilter } from '../../filter/index.ts';
import type { TrafficOptions } from '../traffic.ts';
import { openPackets } from '../traffic.ts';

/** What is blocked at the moment, each by a handle that drops. */
export class Blocks {
  readonly #options: TrafficOptions;
  readonly #handles = new Map<string, NetworkHandle>();

  constructor(options: TrafficOptions) {
    this.#options = options;
  }

  get keys(): ReadonlySet<string> {
    return new Set(this.#handles.keys());
  }

  /**
   * Blocks what a filter matches, or lets it go again.
   *
   * @param key - names it
   * @returns whether it is blocked now
   */
  async toggle(key: string, text: string): Promise<boolean> {
    const handle = this.#handles.get(key);
    if (handle !== undefined) {
      this.#handles.delete(key);
      await handle.close();
      return false;
    }
    const filter = compileFilter(text, 'network', { dialect: 'extended' });
    const { namespace } = this.#options;
    const options = { dialect: 'extended', ...(namespace !== undefined && { namespace }) } as const;
    this.#handles.set(key, await openPackets(filter, options, { mode: 'drop' }));
    return true;
  }

  /** Lets everything go. */
  async close(): Promise<void> {
    await Promise.all([...this.#handles.values()].map((handle) => handle.close()));
    this.#handles.clear();
  }
}
