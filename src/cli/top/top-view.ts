/**
 * The picture: lines of text for a terminal of a size.
 *
 * @module
 */

import type { Style } from '../output.ts';
import type { TopRow } from './top-rows.ts';
import { HELP, type TopState } from './top-state.ts';

export interface TopPicture {
  readonly rows: readonly TopRow[];
  /** Keys of rows that are blocked. */
  readonly blocked: ReadonlySet<string>;
  readonly lost: number;
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

const HEADER_LINES = 3;
const FOOTER_LINES = 1;
const WIDTH = { PROCESS: 22, RATE: 11, TOTAL: 9 } as const;
const UNITS = ['', 'k', 'M', 'G', 'T'] as const;
const STEP = 1000;

/** Draws the picture: as many lines as the terminal has, none longer than it is wide. */
export function drawTop(state: TopState, picture: TopPicture, size: Size, style: Style): string[] {
  const room = Math.max(1, size.rows - HEADER_LINES - FOOTER_LINES);
  const body = state.showsHelp ? HELP.slice(0, room) : drawRows(state, picture, room, size, style);
  const filled = [...body, ...Array<string>(Math.max(0, room - body.length)).fill('')];
  return [...drawHeader(state, picture, size, style), ...filled, drawFooter(state, size, style)];
}

function drawHeader(
  state: TopState,
  { lost, rows }: TopPicture,
  size: Size,
  style: Style,
): string[] {
  const sum = (of: (row: TopRow) => number): number =>
    rows.reduce((total, row) => total + of(row), 0);
  const rates = `out ${formatBits(sum((row) => row.outboundRate))}  in ${formatBits(sum((row) => row.inboundRate))}`;
  const notes = [
    ...(state.isPaused ? ['held'] : []),
    ...(lost > 0 ? [`${lost} packets not seen`] : []),
  ];
  const title = ['netdivert top', rates, `${rows.length} ${state.view}`, ...notes].join('  ');
  const filter = `filter: ${state.typed === null ? state.filter : `${state.typed}_`}`;
  const columns = [
    'PROCESS'.padEnd(WIDTH.PROCESS),
    'OUT'.padStart(WIDTH.RATE),
    'IN'.padStart(WIDTH.RATE),
    'TOTAL'.padStart(WIDTH.TOTAL),
    ` ${state.view === 'flows' ? 'FLOW' : 'FLOWS'}`,
  ].join(' ');
  return [
    style('bold', cut(title, size.columns)),
    style(state.typed === null ? 'dim' : 'yellow', cut(filter, size.columns)),
    style('inverse', cut(columns, size.columns).padEnd(size.columns)),
  ];
}

function drawRows(
  state: TopState,
  { blocked, rows }: TopPicture,
  room: number,
  { columns }: Size,
  style: Style,
): string[] {
  // The row under the cursor is always in the picture.
  const first = Math.max(0, Math.min(state.selected - room + 1, rows.length - room));
  return rows.slice(first, first + room).map((row, index) => {
    const text = cut(rowText(row, blocked.has(row.key)), columns);
    if (first + index === state.selected) return style('inverse', text.padEnd(columns));
    return blocked.has(row.key) ? style('red', text) : text;
  });
}

function rowText(row: TopRow, isBlocked: boolean): string {
  return [
    cut(row.process, WIDTH.PROCESS).padEnd(WIDTH.PROCESS),
    formatBits(row.outboundRate).padStart(WIDTH.RATE),
    formatBits(row.inboundRate).padStart(WIDTH.RATE),
    formatBytes(row.bytes).padStart(WIDTH.TOTAL),
    ` ${isBlocked ? 'BLOCKED ' : ''}${row.what}`,
  ].join(' ');
}

function drawFooter({ message, sort, typed }: TopState, { columns }: Size, style: Style): string {
  if (message !== '') return style('yellow', cut(message, columns));
  const keys =
    typed === null
      ? `q quit  v view  s sort (${sort})  / filter  b block  p hold  h help`
      : 'Enter set the filter  Esc leave it';
  return style('dim', cut(keys, columns));
}

/** `1.5 Mbit/s` of bytes a second. */
export function formatBits(bytesPerSecond: number): string {
  return bytesPerSecond === 0 ? '-' : `${scale(bytesPerSecond * 8)}bit/s`;
}

/** `1.5 MB`. */
export function formatBytes(bytes: number): string {
  return `${scale(bytes)}B`;
}

function scale(value: number): string {
  let unit = 0;
  let scaled = value;
  while (scaled >= STEP && unit < UNITS.length - 1) {
    scaled /= STEP;
    unit++;
  }
  const digits = unit > 0 && scaled < 10 ? 1 : 0;
  return `${scaled.toFixed(digits)} ${UNITS[unit]}`;
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}~`;
}
