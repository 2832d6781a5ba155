/**
 * Where the words go: data to standard output, talk to standard error; colours only for terminals.
 *
 * @module
 */

import { styleText } from 'node:util';

/** Colours and weights in use. */
export type StyleName =
  | 'bold'
  | 'dim'
  | 'red'
  | 'green'
  | 'yellow'
  | 'cyan'
  | 'magenta'
  | 'inverse';
/** Puts text in a style, or leaves it as it is. */
export type Style = (name: StyleName, text: string) => string;

/** Lines are written together, at the end of a turn or when there are this many characters. */
const BUFFER_LENGTH = 32_768;

/** Styles for a stream: none without a terminal, with `NO_COLOR` or on a dumb terminal. */
export function styleFor(stream: NodeJS.WriteStream): Style {
  const forced = process.env.FORCE_COLOR ?? '0';
  const coloured = stream.isTTY ? stream.hasColors() : forced !== '0' && forced !== '';
  return coloured && !process.env.NO_COLOR
    ? (name, text) => styleText(name, text, { validateStream: false })
    : (_name, text) => text;
}

/** Standard output, with few writes for many lines. */
class LineBuffer {
  /** Every line is written at once. */
  isLineBuffered = false;
  #text = '';
  #timer: NodeJS.Immediate | undefined;

  add(line: string): void {
    if (this.#text === '' && this.#timer === undefined) process.once('exit', this.flush);
    this.#text += `${line}\n`;
    if (this.isLineBuffered || this.#text.length >= BUFFER_LENGTH) this.flush();
    else this.#timer ??= setImmediate(this.flush);
  }

  readonly flush = (): void => {
    if (this.#timer !== undefined) clearImmediate(this.#timer);
    this.#timer = undefined;
    process.off('exit', this.flush);
    const text = this.#text;
    this.#text = '';
    if (text !== '') process.stdout.write(text);
  };
}

const lines: LineBuffer = new LineBuffer();

/** Writes a line of data. */
export function print(line = ''): void {
  lines.add(line);
}

/** Writes each line when it is there, not at the end of a turn. */
export function setLineBuffered(): void {
  lines.isLineBuffered = true;
}

/** Writes a line of talk, after the data before it. */
export function tell(line = ''): void {
  lines.flush();
  process.stderr.write(`${line}\n`);
}

/** Hands all data over that was printed. */
export function flushOutput(): void {
  lines.flush();
}

/**
 * A line that is written over again and again on a terminal, and not at all elsewhere.
 */
export class StatusLine {
  #shown = false;

  show(text: string): void {
    if (!process.stderr.isTTY) return;
    process.stderr.write(`\r\x1b[K${text}`);
    this.#shown = true;
  }

  clear(): void {
    if (this.#shown) process.stderr.write('\r\x1b[K');
    this.#shown = false;
  }
}

/** Columns padded to the widest cell; the last column is not padded. */
export function formatTable(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** `1 packet`, `2 packets`. */
export function plural(count: number | bigint, noun: string): string {
  return `${count} ${noun}${Number(count) === 1 ? '' : 's'}`;
}
