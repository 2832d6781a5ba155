import type { NetworkHandle } from '../../divert/network-handle.ts';
import { type RunOptions, runOnTraffic } from '../traffic-run.ts';

export interface PassOptions extends RunOptions {
  /** Packets a turn, 1..255. */
  readonly batch: number;
}

/**
 * `netdivert pass`: takes packets out and puts them back unchanged, with a rate line while it runs
 * and a summary at the end, both on standard error.
 */
export function pass(text: string, options: PassOptions): Promise<number> {
  return runOnTraffic(text, options, {
    name: 'pass',
    doing: 'passing',
    work: (handle) => passAll(handle, options),
    summary: ({ sent }, seconds) => {
      const packetsPerSecond = Math.round(sent / seconds);
      return {
        fields: { packetsPerSecond },
        line: `${packetsPerSecond} packets/s over ${seconds.toFixed(1)} s`,
      };
    },
  });
}

async function passAll(handle: NetworkHandle, { batch: size, count }: PassOptions): Promise<void> {
  let passed = 0;
  for await (const batch of handle.batches(size)) {
    passed += batch.length;
    batch.send();
    if (passed >= (count ?? Number.POSITIVE_INFINITY)) return;
  }
}
