import type { NetworkHandle } from '../../divert/network-handle.ts';
import type { Stats } from '../../divert/stats.ts';
import type { WorkersHandle } from '../../workers/workers-handle.ts';
import { UsageError } from '../exit-code.ts';
import { listenForInterrupt } from '../interrupt.ts';
import { tell } from '../output.ts';
import { packageFile } from '../package-file.ts';
import type { PassTogether } from '../pass-worker.ts';
import { openOptions, trafficFilter } from '../traffic.ts';
import {
  type RunOptions,
  runOnTraffic,
  type Traffic,
  type TrafficSummary,
  workOnTraffic,
} from '../traffic-run.ts';

export interface PassOptions extends RunOptions {
  /** Packets a turn, 1..255. */
  readonly batch: number;
  /** Threads, 1..256; none: this one. */
  readonly workers?: number;
}

const TASK = { name: 'pass', doing: 'passing' } as const;

/**
 * `netdivert pass`: takes packets out and puts them back unchanged, with a rate line while it runs
 * and a summary at the end, both on standard error.
 */
export function pass(text: string, options: PassOptions): Promise<number> {
  const { workers } = options;
  if (workers !== undefined) return passWithWorkers(text, options, workers);
  return runOnTraffic(text, options, {
    ...TASK,
    work: (handle) => passAll(handle, options),
    summary: summarize,
  });
}

function summarize({ sent }: Stats, seconds: number): TrafficSummary {
  const packetsPerSecond = Math.round(sent / seconds);
  return {
    fields: { packetsPerSecond },
    line: `${packetsPerSecond} packets/s over ${seconds.toFixed(1)} s`,
  };
}

async function passAll(handle: NetworkHandle, { batch: size, count }: PassOptions): Promise<void> {
  let passed = 0;
  for await (const batch of handle.batches(size)) {
    passed += batch.length;
    batch.send();
    if (passed >= (count ?? Number.POSITIVE_INFINITY)) return;
  }
}

/** All workers, with the packets that each had when everything is closed. */
interface WorkersTraffic extends Traffic {
  readonly closed: Promise<void>;
  readonly shares: readonly number[];
}

function trafficOf(handle: WorkersHandle): WorkersTraffic {
  const shares: number[] = [];
  return {
    closed: handle.closed,
    shares,
    stats: () => handle.stats(),
    // One that is closed needs none.
    shutdown: (how) => void handle.shutdown(how).catch(() => {}),
    close: async () => {
      await handle.close();
      shares.push(...(await handle.workerStats()).map(({ received }) => received));
    },
  };
}

async function passWithWorkers(
  text: string,
  options: PassOptions,
  workers: number,
): Promise<number> {
  checkWorkers(options);
  const filter = trafficFilter(text, options);
  const interrupt = listenForInterrupt();
  const { openWorkers } = await import('../../workers/open-workers.ts');
  const { batch, count } = options;
  const passed = new BigInt64Array(new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT));
  const handle = await openWorkers(filter, packageFile('dist/bin/pass-worker.js'), {
    ...openOptions(options),
    layer: options.layer === 'forward' ? 'forward' : 'network',
    workers,
    workerData: { batch, count, passed } satisfies PassTogether,
  });
  tell(`${TASK.doing} ${filter.format()} with ${threads(workers)} (Ctrl-C ends)`);
  const traffic = trafficOf(handle);
  return await workOnTraffic(
    traffic,
    options,
    {
      ...TASK,
      work: ({ closed }) => closed,
      summary: (stats, seconds) => {
        const { fields, line } = summarize(stats, seconds);
        const { shares } = traffic;
        return {
          fields: { ...fields, workers: shares },
          line: `${line}; ${shares.join(' and ')} packets by ${threads(workers)}`,
        };
      },
    },
    interrupt,
  );
}

/** @throws UsageError for what one thread can do only */
function checkWorkers({ read, write, process: spec }: PassOptions): void {
  if (read !== undefined || write !== undefined) {
    throw new UsageError('--workers is for live traffic: a file is read by one thread');
  }
  if (spec !== undefined) {
    throw new UsageError('--workers cannot be used with --process: workers do not know processes');
  }
}

function threads(count: number): string {
  return count === 1 ? '1 worker' : `${count} workers`;
}
