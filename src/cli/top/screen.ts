/**
 * A terminal as a picture: lines that change are written, the rest stays. What was on the terminal before
 * comes back.
 *
 * @module
 */

import { emitKeypressEvents } from 'node:readline';
import type { Key } from './top-state.ts';
import type { Size } from './top-view.ts';

const ESCAPE = '\x1b';
const ENTER = `${ESCAPE}[?1049h${ESCAPE}[?25l${ESCAPE}[2J`;
const LEAVE = `${ESCAPE}[?25h${ESCAPE}[?1049l`;
const CLEAR_TO_END = `${ESCAPE}[K`;
const DEFAULT_SIZE: Size = { columns: 80, rows: 24 };

export interface ScreenEvents {
  onKey(key: Key): void;
  onResize(): void;
}

export class Screen {
  readonly #events: ScreenEvents;
  #shown: readonly string[] = [];
  #isOpen = false;

  constructor(events: ScreenEvents) {
    this.#events = events;
  }

  get size(): Size {
    const { columns, rows } = process.stdout;
    return columns > 0 && rows > 0 ? { columns, rows } : DEFAULT_SIZE;
  }

  open(): void {
    this.#isOpen = true;
    process.stdout.write(ENTER);
    process.stdout.on('resize', this.#onResize);
    emitKeypressEvents(process.stdin);
    process.stdin.on('keypress', this.#onKey);
    process.stdin.setRawMode?.(true);
    process.stdin.resume();
    // Whatever ends the process: the terminal is as it was.
    process.once('exit', this.close);
  }

  /** Shows lines; those that are the same as before are not written. */
  draw(lines: readonly string[]): void {
    let text = '';
    for (const [index, line] of lines.entries()) {
      if (this.#shown[index] === line) continue;
      text += `${ESCAPE}[${index + 1};1H${line}${CLEAR_TO_END}`;
    }
    this.#shown = lines;
    if (text !== '') process.stdout.write(text);
  }

  /** Gives the terminal back. Idempotent. */
  readonly close = (): void => {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    process.off('exit', this.close);
    process.stdout.off('resize', this.#onResize);
    process.stdin.off('keypress', this.#onKey);
    process.stdin.setRawMode?.(false);
    process.stdin.pause();
    process.stdout.write(LEAVE);
  };

  readonly #onKey = (_text: string | undefined, key: Key): void => this.#events.onKey(key);

  readonly #onResize = (): void => {
    this.#shown = [];
    process.stdout.write(`${ESCAPE}[2J`);
    this.#events.onResize();
  };
}
