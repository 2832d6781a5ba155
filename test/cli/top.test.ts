import { expect, test } from 'vitest';
import { FlowTable } from '../../src/cli/top/flow-table.ts';
import { rowsOf } from '../../src/cli/top/top-rows.ts';
import { initialState, type Key, pressKey, type TopState } from '../../src/cli/top/top-state.ts';
import { drawTop, formatBits, formatBytes } from '../../src/cli/top/top-view.ts';
import { compileFilter } from '../../src/filter/index.ts';

const CURL = { pid: 7, name: 'curl' };
const SIZE = { columns: 70, rows: 8 };
const TCP = '45000028 0000 4000 4006 0000';
const REQUEST = bytes(`${TCP} 0a000001 0a000002 9c40 0050 00000001 00000001 5010 0200 0000 0000`);
const RESPONSE = bytes(`${TCP} 0a000002 0a000001 0050 9c40 00000001 00000001 5010 0200 0000 0000`);
const DNS = bytes(
  '60000000 0008 11 40 fd000000000000000000000000000001 fd000000000000000000000000000002 9c41 0035 0008 0000',
);

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
}

/** A table with a connection of curl and a question of nobody, over one second. */
function filled(): FlowTable {
  const table = new FlowTable(() => null);
  table.add(REQUEST, { isOutbound: true, lengthBytes: 1000, process: CURL }, 0);
  table.add(RESPONSE, { isOutbound: false, lengthBytes: 125_000, process: CURL }, 0);
  table.add(DNS, { isOutbound: true, lengthBytes: 48, process: null }, 0);
  table.tick(1000, 1000);
  return table;
}

const plain = (_name: string, text: string): string => text;
const draw = (table: FlowTable, state: TopState, blocked: string[] = []): string[] =>
  drawTop(
    state,
    { rows: rowsOf(table.flows, state), blocked: new Set(blocked), lost: 0 },
    SIZE,
    plain,
  );

test('both directions of a connection are one flow, the local end first', () => {
  const table = filled();
  expect(table.flows).toHaveLength(2);
  expect(table.flows[0]).toMatchObject({
    protocol: 'tcp',
    localAddress: '10.0.0.1',
    localPort: 40_000,
    remoteAddress: '10.0.0.2',
    remotePort: 80,
    outbound: { bytes: 1000, packets: 1, rate: 1000 },
    inbound: { bytes: 125_000, packets: 1, rate: 125_000 },
    process: CURL,
  });
});

test('rates are of the last interval, totals of all', () => {
  const table = filled();
  table.add(REQUEST, { isOutbound: true, lengthBytes: 500, process: null }, 1500);
  table.tick(500, 1500);
  expect(table.flows[0]).toMatchObject({
    outbound: { bytes: 1500, rate: 1000 },
    inbound: { bytes: 125_000, rate: 0 },
    process: CURL,
  });
});

test('a flow gets its process when it is found, and is forgotten after a minute of silence', () => {
  let known: typeof CURL | null = null;
  const table = new FlowTable(() => known);
  table.add(DNS, { isOutbound: true, lengthBytes: 48, process: null }, 0);
  known = CURL;
  table.tick(1000, 1000);
  expect(table.flows[0]?.process).toBe(CURL);
  table.tick(1000, 61_000);
  expect(table.flows).toEqual([]);
});

test('bytes that are no packet are passed over', () => {
  const table = new FlowTable(() => null);
  table.add(bytes('00'), { isOutbound: true, lengthBytes: 1, process: null }, 0);
  expect(table.flows).toEqual([]);
});

test('the picture of processes', () => {
  expect(draw(filled(), initialState('true'))).toEqual([
    'netdivert top  out 8.4 kbit/s  in 1.0 Mbit/s  2 processes',
    'filter: true',
    'PROCESS                        OUT          IN     TOTAL  FLOWS       ',
    'curl[7]                 8.0 kbit/s  1.0 Mbit/s    126 kB  1 flow      ',
    '-                        384 bit/s           -      48 B  1 flow',
    '',
    '',
    'q quit  v view  s sort (rate)  / filter  b block  p hold  h help',
  ]);
});

test('the picture of flows: none is wider than the terminal', () => {
  const table = filled();
  const state = { ...initialState('tcp'), view: 'flows' as const, selected: 1 };
  const lines = draw(table, state, [table.flows[0]?.key ?? '']);
  expect(lines[3]).toBe('curl[7]                 8.0 kbit/s  1.0 Mbit/s    126 kB  BLOCKED tcp~');
  expect(lines[4]).toContain('udp [fd00::');
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(SIZE.columns);
});

test('the row under the cursor is always in the picture', () => {
  const table = new FlowTable(() => null);
  for (let port = 1; port <= 9; port++) {
    const packet = REQUEST.slice();
    packet[23] = port;
    table.add(packet, { isOutbound: true, lengthBytes: port, process: null }, 0);
  }
  const state = { ...initialState('true'), view: 'flows' as const, selected: 8 };
  expect(draw(table, state)).toHaveLength(SIZE.rows);
  expect(draw(table, state)[6]).toMatch(/ {2}1 B /);
});

test.each([
  ['rate', ['curl[7]', '-']],
  ['total', ['curl[7]', '-']],
  ['process', ['-', 'curl[7]']],
  ['remote', ['-', 'curl[7]']],
] as const)('sorted by %s', (sort, expected) => {
  const state = { ...initialState('true'), sort };
  expect(rowsOf(filled().flows, state).map(({ process }) => process)).toEqual(expected);
});

test('rows have filters that block them', () => {
  const filters = (view: 'flows' | 'processes'): (string | null)[] =>
    rowsOf(filled().flows, { ...initialState('true'), view }).map(({ filter }) => filter);
  expect(filters('processes')).toEqual(['processId == 7', null]);
  const [flow = ''] = filters('flows');
  const filter = compileFilter(flow ?? '', 'network', { dialect: 'extended' });
  expect(filter.matches(REQUEST, { outbound: true })).toBe(true);
  expect(filter.matches(RESPONSE, { outbound: false })).toBe(true);
  expect(filter.matches(REQUEST, { outbound: false })).toBe(false);
});

/** What keys make of the beginning. */
function press(...keys: (string | Key)[]): { state: TopState; action: string } {
  const state = initialState('true');
  let action = '';
  for (const key of keys) {
    const named = typeof key === 'string' ? { name: key, sequence: key } : key;
    action = pressKey(state, named, 3);
  }
  return { state, action };
}

test.each<[name: string, keys: (string | Key)[], expected: object]>([
  ['down stops at the last row', ['down', 'j', 'j', 'j'], { state: { selected: 2 } }],
  ['up stops at the first row', ['down', 'up', 'k'], { state: { selected: 0 } }],
  [
    'v changes the view and goes to its top',
    ['down', 'v'],
    { state: { view: 'flows', selected: 0 } },
  ],
  ['v twice', ['v', 'v'], { state: { view: 'processes' } }],
  ['s goes round', ['s', 's', 's', 's', 's'], { state: { sort: 'total' } }],
  ['p holds', ['p'], { state: { isPaused: true } }],
  ['the space bar holds', ['space'], { state: { isPaused: true } }],
  ['h helps', ['h'], { state: { showsHelp: true } }],
  ['b blocks', ['b'], { action: 'block' }],
  ['q quits', ['q'], { action: 'quit' }],
  ['Ctrl-C quits', [{ name: 'c', ctrl: true, sequence: '\x03' }], { action: 'quit' }],
  [
    'a filter is typed',
    ['/', 't', 'q', 'backspace', 'c', 'p', 'return'],
    { state: { typed: 'tcp' }, action: 'filter' },
  ],
  [
    'Esc leaves the filter',
    ['/', 't', { name: 'escape', sequence: '\x1b' }],
    { state: { typed: null, filter: 'true' } },
  ],
  ['Ctrl-C quits while typing', ['/', { name: 'c', ctrl: true }], { action: 'quit' }],
  ['keys that mean nothing', ['x', { name: 'f5', sequence: '\x1b[15~' }], { action: 'redraw' }],
])('keys: %s', (_name, keys, expected) => {
  expect(press(...keys)).toMatchObject(expected);
});

test.each([
  [0, '-'],
  [1, '8 bit/s'],
  [1000, '8.0 kbit/s'],
  [1_250_000, '10 Mbit/s'],
  [125_000_000_000_000, '1000 Tbit/s'],
])('%d bytes a second are %s', (rate, text) => {
  expect(formatBits(rate)).toBe(text);
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1500, '1.5 kB'],
  [15_000_000, '15 MB'],
])('%d bytes are %s', (count, text) => {
  expect(formatBytes(count)).toBe(text);
});
