import { expect, test } from 'vitest';
import { FilterSwaps } from '../../src/divert/filter-swaps.ts';
import { compileFilter, type Filter } from '../../src/filter/index.ts';

const LARGE = compileFilter('tcp');
const SMALL = compileFilter('udp');

/** A channel that takes its time for one filter; `finish` ends that. */
function slowChannel() {
  const log: string[] = [];
  let finish: (error?: Error) => void = () => {};
  const preparing = new Promise<Disposable>((resolve, reject) => {
    finish = (error) =>
      error ? reject(error) : resolve({ [Symbol.dispose]: () => log.push('let go') });
  });
  const channel = {
    prepare: (filter: Filter) => (filter === LARGE ? preparing : undefined),
    setFilter: (filter: Filter) => void log.push(filter.source),
  };
  return { log, channel, finish };
}

test('at once when nothing has to be prepared', () => {
  const { log, channel } = slowChannel();
  void new FilterSwaps(channel, () => {}).swap(SMALL);
  expect(log).toEqual(['udp']);
});

test('in order, when an earlier one takes longer', async () => {
  const { log, channel, finish } = slowChannel();
  const swaps = new FilterSwaps(channel, () => {});
  const both = Promise.all([swaps.swap(LARGE), swaps.swap(SMALL)]);
  expect(log).toEqual([]);
  finish();
  await both;
  expect(log).toEqual(['tcp', 'let go', 'udp']);
  void swaps.swap(SMALL);
  expect(log.at(-1)).toBe('udp');
});

test('one that fails is told to who asked, and the next one goes on', async () => {
  const { log, channel, finish } = slowChannel();
  const swaps = new FilterSwaps(channel, () => {});
  const first = swaps.swap(LARGE);
  const second = swaps.swap(SMALL);
  finish(new Error('no room'));
  await expect(first).rejects.toThrow('no room');
  await second;
  expect(log).toEqual(['udp']);
});

test('a handle that was closed meanwhile keeps its filter', async () => {
  const { log, channel, finish } = slowChannel();
  const swapped = new FilterSwaps(channel, () => {
    throw new Error('closed');
  }).swap(LARGE);
  finish();
  await expect(swapped).rejects.toThrow('closed');
  expect(log).toEqual(['let go']);
});
