import { afterEach, expect, test } from 'vitest';
import type { Blocks } from '../../src/cli/top/blocks.ts';
import { FlowTable } from '../../src/cli/top/flow-table.ts';
import type { Screen } from '../../src/cli/top/screen.ts';
import { TopSession } from '../../src/cli/top/top-session.ts';
import { initialState } from '../../src/cli/top/top-state.ts';
import type { NetworkHandle } from '../../src/index.ts';
import { open } from '../../src/open.ts';
import { FakeKernel } from '../helpers/fake-kernel.ts';

const SEGMENT =
  '45000028000040004006 0000 0a000001 0a000002 9c40 0050 00000001 00000001 5010 0200 0000 0000';
const COLUMNS = 90;

/** The last picture, and what was blocked. */
class Stage {
  lines: readonly string[] = [];
  readonly blocked = new Map<string, string>();
  readonly table: FlowTable = new FlowTable(() => null);
  readonly session: TopSession;
  readonly handle: NetworkHandle;
  readonly ended: Promise<void>;

  constructor(handle: NetworkHandle) {
    this.handle = handle;
    this.add(1, 3000);
    this.add(2, 2000);
    this.add(3, 1000);
    const state = { ...initialState('true'), view: 'flows' as const };
    const options = { interval: 1_000_000 };
    const blocks = { toggle: this.#toggle, keys: new Set() } as unknown as Blocks;
    this.session = new TopSession({ handle, table: this.table, blocks, state, options });
    const draw = (lines: readonly string[]): void => {
      this.lines = lines;
    };
    const size = { columns: COLUMNS, rows: 9 };
    this.ended = this.session.run({ open: () => {}, draw, size } as unknown as Screen);
  }

  /** Traffic from a host. */
  add(host: number, lengthBytes: number): void {
    const bytes = Uint8Array.from(Buffer.from(SEGMENT.replace(/\s/g, ''), 'hex'));
    bytes[19] = host;
    this.table.add(bytes, { isOutbound: true, lengthBytes, process: null }, 0);
  }

  press(...names: string[]): void {
    for (const name of names) this.session.onKey({ name, sequence: name });
  }

  /** Hosts in the order of the rows, the one under the cursor in brackets. */
  get hosts(): string[] {
    return this.lines.slice(3, 6).map((line) => {
      const host = /10\.0\.0\.(\d):80/.exec(line)?.[1] ?? '';
      return line.length === COLUMNS ? `[${host}]` : host;
    });
  }

  readonly #toggle = async (key: string, filter: string): Promise<boolean> => {
    this.blocked.set(key, filter);
    return true;
  };
}

let stage: Stage | undefined;

async function start(): Promise<Stage> {
  stage = new Stage(await open('tcp', { backend: new FakeKernel() }));
  return stage;
}

afterEach(async () => {
  await stage?.handle.close();
  await stage?.ended;
});

test('the cursor stays on the row that was chosen when the order changes', async () => {
  const top = await start();
  expect(top.hosts).toEqual(['[1]', '2', '3']);
  top.press('s', 'down');
  expect(top.hosts).toEqual(['1', '[2]', '3']);
  top.add(2, 9000);
  top.session.onResize();
  expect(top.hosts).toEqual(['[2]', '1', '3']);
});

test('before one was chosen it stays at the top', async () => {
  const top = await start();
  top.press('s');
  top.add(3, 9000);
  top.session.onResize();
  expect(top.hosts).toEqual(['[3]', '1', '2']);
});

test('b blocks what is under the cursor, and says so', async () => {
  const top = await start();
  top.press('s', 'down', 'b');
  await expect.poll(() => top.lines.at(-1)).toMatch(/10\.0\.0\.2:80: blocked$/);
  expect([...top.blocked.values()]).toEqual([
    'tcp and localAddr == 10.0.0.1 and localPort == 40000 and remoteAddr == 10.0.0.2 and remotePort == 80',
  ]);
});

test('a filter is set without a gap; one that is wrong is said', async () => {
  const top = await start();
  top.press('/', ...'udp', 'return');
  await expect.poll(() => top.lines[1]).toBe('filter: udp');
  expect(top.table.flows).toEqual([]);
  top.press('/', 'backspace', 'backspace', 'backspace', ...'nope', 'return');
  await expect.poll(() => top.lines.at(-1)).toMatch(/^bad filter: /);
});

test('q ends it', async () => {
  const top = await start();
  top.press('q');
  await top.ended;
});
