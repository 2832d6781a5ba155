/**
 * What is shown and what keys do, without a terminal.
 *
 * @module
 */

export const SORTS = ['rate', 'total', 'process', 'remote'] as const;
export type Sort = (typeof SORTS)[number];

export interface TopState {
  view: 'processes' | 'flows';
  sort: Sort;
  /** Index of the row under the cursor. */
  selected: number;
  isPaused: boolean;
  showsHelp: boolean;
  /** Text being typed, null when no filter is typed. */
  typed: string | null;
  /** The filter in use. */
  filter: string;
  /** The last thing there was to say. */
  message: string;
}

/** What a key asks for that is not done by changing the state. */
export type TopAction = 'quit' | 'filter' | 'block' | 'redraw';

/** A key as node:readline names it. */
export interface Key {
  readonly name?: string | undefined;
  readonly sequence?: string | undefined;
  readonly ctrl?: boolean | undefined;
}

/** How it begins. */
export function initialState(filter: string): TopState {
  return {
    view: 'processes',
    sort: 'rate',
    selected: 0,
    isPaused: false,
    showsHelp: false,
    typed: null,
    filter,
    message: '',
  };
}

/** Lines of the help, as shown. */
export const HELP: readonly string[] = [
  'up, down, j, k   choose a row',
  'v                processes, or the flows of all',
  's                sort: rate, total, process, remote',
  '/                type a filter; Enter sets it, Esc leaves it',
  'b                block what is chosen, or let it go again',
  'p, Space         hold the picture',
  'h, ?             this help',
  'q, Ctrl-C        quit; nothing stays blocked',
];

/** Does what a key says. */
export function pressKey(state: TopState, key: Key, rows: number): TopAction {
  if (key.ctrl && key.name === 'c') return 'quit';
  return state.typed === null ? pressCommand(state, key, rows) : pressText(state, key);
}

function pressText(state: TopState, { name, sequence = '' }: Key): TopAction {
  const text = state.typed ?? '';
  switch (name) {
    case 'return':
    case 'enter':
      return 'filter';
    case 'escape':
      state.typed = null;
      return 'redraw';
    case 'backspace':
      state.typed = text.slice(0, -1);
      return 'redraw';
    default:
      if (/^[\x20-\x7e]+$/.test(sequence)) state.typed = text + sequence;
      return 'redraw';
  }
}

function pressCommand(state: TopState, { name, sequence = '' }: Key, rows: number): TopAction {
  switch (name ?? sequence) {
    case 'q':
      return 'quit';
    case 'up':
    case 'k':
      state.selected = Math.max(0, state.selected - 1);
      return 'redraw';
    case 'down':
    case 'j':
      state.selected = Math.max(0, Math.min(rows - 1, state.selected + 1));
      return 'redraw';
    case 'b':
      return 'block';
    default:
      return pressSwitch(state, name ?? sequence);
  }
}

function pressSwitch(state: TopState, key: string): TopAction {
  if (key === 'v') {
    state.view = state.view === 'flows' ? 'processes' : 'flows';
    state.selected = 0;
  } else if (key === 's') {
    state.sort = SORTS[(SORTS.indexOf(state.sort) + 1) % SORTS.length] ?? 'rate';
  } else if (key === 'p' || key === 'space') state.isPaused = !state.isPaused;
  else if (key === 'h' || key === '?') state.showsHelp = !state.showsHelp;
  else if (key === '/') state.typed = state.filter === 'true' ? '' : state.filter;
  return 'redraw';
}
