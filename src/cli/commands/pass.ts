import { compileFilter } from '../../filter/index.ts';
import type { NetworkHandle } from '../../index.ts';
import { EXIT } from '../exit-code.ts';
import { listenForInterrupt } from '../interrupt.ts';
import { type LiveOptions, openOptions, tellStats } from '../live.ts';
import { StatusLine, tell } from '../output.ts';

export interface PassOptions extends LiveOptions {
  /** Packets a turn, 1..255. */
  readonly batch: number;
  /** Seconds. */
  readonly duration?: number;
}

const RATE_INTERVAL_MS = 1000;

/**
 * `netdivert pass`: takes packets out and puts them back unchanged, with a rate line while it runs
 * and a summary at the end, both on standard error.
 */
export async function pass(text: string, options: PassOptions): Promise<number> {
  const filter = compileFilter(text, options.layer);
  const { open } = await import('../../index.ts');
  const interrupt = listenForInterrupt();
  const signals = [interrupt.signal];
  if (options.duration !== undefined) signals.push(AbortSignal.timeout(options.duration * 1000));
  const handle = await open(filter, {
    ...openOptions(options),
    signal: AbortSignal.any(signals),
  });
  tell(`passing ${filter.format()} (Ctrl-C ends)`);
  const startedAtMs = performance.now();
  const stopRate = showRate(handle);
  try {
    let count = 0;
    for await (const batch of handle.batches(options.batch)) {
      count += batch.length;
      batch.send();
      if (count >= (options.count ?? Number.POSITIVE_INFINITY)) break;
    }
  } finally {
    stopRate();
    await handle.close();
    const seconds = (performance.now() - startedAtMs) / 1000;
    const stats = handle.stats();
    tellStats(stats);
    tell(`${Math.round(stats.sent / seconds)} packets/s over ${seconds.toFixed(1)} s`);
  }
  return interrupt.finish(EXIT.OK);
}

/** Rewrites a line with the rate of the last second until the returned function is called. */
function showRate(handle: NetworkHandle): () => void {
  const line = new StatusLine();
  let before = 0;
  const timer = setInterval(() => {
    const { sent, lost, queued } = handle.stats();
    line.show(`${sent} packets, ${sent - before}/s, ${queued} waiting, ${lost.total} lost`);
    before = sent;
  }, RATE_INTERVAL_MS);
  return () => {
    clearInterval(timer);
    line.clear();
  };
}
