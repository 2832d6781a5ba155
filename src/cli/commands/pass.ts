import type { NetworkHandle } from '../../divert/network-handle.ts';
import { EXIT } from '../exit-code.ts';
import { drainAtEnd, endOf, listenForInterrupt } from '../interrupt.ts';
import { printJson } from '../json.ts';
import { StatusLine, tell } from '../output.ts';
import { openPackets, type TrafficOptions, tellStats, trafficFilter } from '../traffic.ts';

export interface PassOptions extends TrafficOptions {
  /** Packets a turn, 1..255. */
  readonly batch: number;
}

const RATE_INTERVAL_MS = 1000;

/**
 * `netdivert pass`: takes packets out and puts them back unchanged, with a rate line while it runs
 * and a summary at the end, both on standard error.
 */
export async function pass(text: string, options: PassOptions): Promise<number> {
  const filter = trafficFilter(text, options);
  const interrupt = listenForInterrupt();
  const handle = await openPackets(filter, options, {});
  tell(`passing ${filter.format()} (Ctrl-C ends)`);
  const startedAtMs = performance.now();
  const stopRate = showRate(handle);
  try {
    const end = endOf(interrupt, options.duration);
    await drainAtEnd(handle, end, () => passAll(handle, options));
  } finally {
    stopRate();
    const seconds = (performance.now() - startedAtMs) / 1000;
    const stats = handle.stats();
    const packetsPerSecond = Math.round(stats.sent / seconds);
    if (options.json) {
      printJson({ type: 'summary', command: 'pass', seconds, packetsPerSecond, stats });
    }
    tellStats(stats);
    tell(`${packetsPerSecond} packets/s over ${seconds.toFixed(1)} s`);
  }
  return interrupt.finish(EXIT.OK);
}

async function passAll(handle: NetworkHandle, { batch: size, count }: PassOptions): Promise<void> {
  let passed = 0;
  for await (const batch of handle.batches(size)) {
    passed += batch.length;
    batch.send();
    if (passed >= (count ?? Number.POSITIVE_INFINITY)) return;
  }
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
