import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { endOf } from '../../src/cli/interrupt.ts';
import { collectGarbage } from '../helpers/collect-garbage.ts';

const interruptOf = (signal: AbortSignal) => ({ signal, finish: (code: number) => code });

describe('endOf', () => {
  test('without a duration it is the signal', () => {
    const { signal } = new AbortController();
    expect(endOf(interruptOf(signal), undefined)).toBe(signal);
  });

  test('the time ends it, though nobody holds what it is made of', async () => {
    const end = endOf(interruptOf(new AbortController().signal), 50);
    const aborted = once(end, 'abort');
    for (let round = 0; round < 3; round++) {
      collectGarbage();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await aborted;
    expect(end.aborted).toBe(true);
  });

  test('the signal ends it earlier', () => {
    const controller = new AbortController();
    const end = endOf(interruptOf(controller.signal), 60_000);
    controller.abort();
    expect(end.aborted).toBe(true);
  });
});
