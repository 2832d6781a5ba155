import type { NetworkHandle } from '../../divert/network-handle.ts';
import { EXIT, UsageError } from '../exit-code.ts';
import { drainAtEnd, endOf, listenForInterrupt } from '../interrupt.ts';
import { newCounts, readOffline } from '../offline.ts';
import { tellOfflineCounts } from '../offline-summary.ts';
import { tell } from '../output.ts';
import { Blocks } from '../top/blocks.ts';
import { FlowTable } from '../top/flow-table.ts';
import { ProcessLookup } from '../top/process-lookup.ts';
import { Screen } from '../top/screen.ts';
import { TopSession } from '../top/top-session.ts';
import { initialState } from '../top/top-state.ts';
import { printRows } from '../top/top-text.ts';
import { namespacePath, openPackets, type TrafficOptions, trafficFilter } from '../traffic.ts';

export interface TopOptions extends TrafficOptions {
  readonly read?: string;
  /** Milliseconds between pictures. */
  readonly interval: number;
  /** Print tables instead of taking the whole terminal. */
  readonly batch?: boolean;
  readonly flows?: boolean;
  readonly direction?: 'inbound' | 'outbound';
}

/** Headers of packets are all that is looked at. */
const SNAP_LENGTH = 128;

/** `netdivert top`: flows by process with their rates, on the whole terminal. */
export async function top(text: string, options: TopOptions): Promise<number> {
  if (options.read !== undefined) return await topOfFile(text, { ...options, file: options.read });
  const isBatch = options.batch || options.json || !process.stdout.isTTY;
  if (!isBatch && !process.stdin.isTTY) {
    throw new UsageError('top reads keys from a terminal; without one: --batch');
  }
  const filter = trafficFilter(text, options);
  const interrupt = listenForInterrupt();
  const handle = await openPackets(filter, options, { mode: 'sniff', snapLength: SNAP_LENGTH });
  const namespace = options.namespace === undefined ? undefined : namespacePath(options.namespace);
  const table = new FlowTable(new ProcessLookup(namespace).find);
  const end = endOf(interrupt, options.duration);
  if (isBatch) {
    await drainAtEnd(handle, end, () => runBatch(handle, table, options));
  } else {
    const state = initialState(text);
    if (options.flows) state.view = 'flows';
    const blocks = new Blocks(options);
    const session = new TopSession({ handle, table, blocks, state, options });
    const screen = new Screen(session);
    try {
      await drainAtEnd(handle, end, () => session.run(screen));
    } finally {
      screen.close();
      await blocks.close();
    }
  }
  return interrupt.finish(EXIT.OK);
}

/** A table at each interval, `count` times. */
async function runBatch(
  handle: NetworkHandle,
  table: FlowTable,
  options: TopOptions,
): Promise<void> {
  const { count = Number.POSITIVE_INFINITY, interval } = options;
  const state = { ...initialState('true'), view: viewOf(options) };
  let printed = 0;
  let beforeMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    table.tick(nowMs - beforeMs, nowMs);
    beforeMs = nowMs;
    printRows(table.flows, state, options.json ?? false);
    if (++printed >= count) handle.shutdown('receive');
  }, interval);
  try {
    for await (const batch of handle.batches()) {
      for (const packet of batch) {
        const { address, originalLength, process } = packet;
        const known = { isOutbound: address.outbound, lengthBytes: originalLength, process };
        table.add(packet.bytes, known, performance.now());
      }
    }
  } finally {
    clearInterval(timer);
  }
}

/** One table of all that is in a file. */
async function topOfFile(text: string, options: TopOptions & { file: string }): Promise<number> {
  const filter = trafficFilter(text, { ...options, process: undefined });
  const counts = newCounts();
  const table = new FlowTable(() => null);
  let firstNs: bigint | undefined;
  let lastNs = 0n;
  for await (const packet of readOffline(filter, options, counts)) {
    if (!packet.matches) continue;
    firstNs ??= packet.timestampNs;
    lastNs = packet.timestampNs;
    const isOutbound = packet.direction === 'outbound';
    const known = { isOutbound, lengthBytes: packet.originalLength, process: packet.process };
    table.add(packet.bytes, known, 0);
  }
  table.tick(Number(lastNs - (firstNs ?? 0n)) / 1e6, 0);
  const state = { ...initialState(text), view: viewOf(options) };
  printRows(table.flows, state, options.json ?? false);
  tellOfflineCounts(counts, options.direction);
  if (table.flows.length === 0) tell('no flow');
  return EXIT.OK;
}

function viewOf({ flows }: TopOptions): 'flows' | 'processes' {
  return flows ? 'flows' : 'processes';
}
