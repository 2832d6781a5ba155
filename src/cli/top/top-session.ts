/**
 * The running view: packets into the table, keys into actions, pictures onto the screen.
 *
 * @module
 */

import type { NetworkHandle } from '../../divert/network-handle.ts';
import { compileFilter } from '../../filter/index.ts';
import { styleFor } from '../output.ts';
import { restrictToProcess } from '../process-spec.ts';
import type { TrafficOptions } from '../traffic.ts';
import type { Blocks } from './blocks.ts';
import type { FlowTable } from './flow-table.ts';
import type { Screen, ScreenEvents } from './screen.ts';
import { rowsOf, type TopRow } from './top-rows.ts';
import { type Key, pressKey, type TopState } from './top-state.ts';
import { drawTop } from './top-view.ts';

export interface TopParts {
  readonly handle: NetworkHandle;
  readonly table: FlowTable;
  readonly blocks: Blocks;
  readonly state: TopState;
  readonly options: TrafficOptions & { readonly interval: number };
}

export class TopSession implements ScreenEvents {
  readonly #parts: TopParts;
  #screen: Screen | undefined;
  #rows: TopRow[] = [];
  /** The row that was chosen: the cursor stays on it when the order changes. */
  #chosen: string | null = null;
  #beforeMs: number = performance.now();

  constructor(parts: TopParts) {
    this.#parts = parts;
  }

  /** Works until the handle is shut down. */
  async run(screen: Screen): Promise<void> {
    const { handle, options, table } = this.#parts;
    this.#screen = screen;
    screen.open();
    this.#draw();
    const timer = setInterval(() => this.#tick(), options.interval);
    try {
      for await (const batch of handle.batches()) {
        const nowMs = performance.now();
        for (const packet of batch) {
          const { address, originalLength, process } = packet;
          const known = { isOutbound: address.outbound, lengthBytes: originalLength, process };
          table.add(packet.bytes, known, nowMs);
        }
      }
    } finally {
      clearInterval(timer);
    }
  }

  onKey(key: Key): void {
    const { handle, state } = this.#parts;
    state.message = '';
    const { selected, sort, view } = state;
    const action = pressKey(state, key, this.#rows.length);
    if (state.view !== view || state.sort !== sort) this.#chosen = null;
    else if (state.selected !== selected || action === 'block') {
      this.#chosen = this.#rows[state.selected]?.key ?? null;
    }
    if (action === 'quit') handle.shutdown('receive');
    else if (action === 'filter') this.#report(this.#setFilter(state.typed ?? ''));
    else if (action === 'block') this.#report(this.#toggleBlock());
    this.#draw();
  }

  onResize(): void {
    this.#draw();
  }

  #tick(): void {
    const { state, table } = this.#parts;
    const nowMs = performance.now();
    table.tick(nowMs - this.#beforeMs, nowMs);
    this.#beforeMs = nowMs;
    if (!state.isPaused) this.#draw();
  }

  #draw(): void {
    const { blocks, handle, state, table } = this.#parts;
    const screen = this.#screen;
    if (screen === undefined) return;
    if (!state.isPaused || this.#rows.length === 0) this.#rows = rowsOf(table.flows, state);
    const place = this.#rows.findIndex(({ key }) => key === this.#chosen);
    const wanted = place < 0 ? state.selected : place;
    state.selected = Math.max(0, Math.min(wanted, this.#rows.length - 1));
    const picture = { rows: this.#rows, blocked: blocks.keys, lost: handle.stats().lost.total };
    screen.draw(drawTop(state, picture, screen.size, styleFor(process.stdout)));
  }

  async #setFilter(typed: string): Promise<string> {
    const { handle, options, state, table } = this.#parts;
    const text = typed.trim() === '' ? 'true' : typed;
    const { dialect, process: spec } = options;
    const filter =
      spec === undefined
        ? compileFilter(text, options.layer ?? 'network', { dialect })
        : compileFilter(restrictToProcess(text, spec), 'network', { dialect: 'extended' });
    await handle.setFilter(filter);
    table.clear();
    state.typed = null;
    state.filter = text;
    return '';
  }

  async #toggleBlock(): Promise<string> {
    const { blocks, state } = this.#parts;
    const row = this.#rows[state.selected];
    if (row === undefined) return '';
    if (row.filter === null) return 'there is no filter for this row: choose a flow of TCP or UDP';
    const isBlocked = await blocks.toggle(row.key, row.filter);
    return `${row.process} ${row.what}: ${isBlocked ? 'blocked' : 'let go'}`;
  }

  /** Shows what came of an action, also of one that failed. */
  #report(work: Promise<string>): void {
    const { state } = this.#parts;
    work
      .catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
      .then((message) => {
        state.message = message.split('\n')[0] ?? '';
        this.#draw();
      });
  }
}
