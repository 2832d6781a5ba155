import type { NetworkHandle } from '../../divert/network-handle.ts';
import type { UnreachableReason } from '../../recipes/index.ts';
import { UsageError } from '../exit-code.ts';
import { type RunOptions, runOnTraffic, type TrafficRun } from '../traffic-run.ts';

export interface BlockOptions extends RunOptions {
  readonly reject?: boolean;
  readonly reason?: UnreachableReason;
}

const POLL_INTERVAL_MS = 100;

/**
 * `netdivert block`: drops what matches, in the kernel; with `--reject` in this process, which tells both
 * ends.
 *
 * @throws UsageError when nothing says what to block
 */
export async function block(text: string | undefined, options: BlockOptions): Promise<number> {
  if (text === undefined && options.process === undefined) {
    throw new UsageError("block needs a filter; 'true' blocks everything, this session included");
  }
  const { count = Number.POSITIVE_INFINITY, reject: rejects, reason } = options;
  if (reason !== undefined && !rejects) throw new UsageError('--reason goes with --reject');
  const filter = text ?? 'true';
  if (!rejects) {
    return await runOnTraffic(filter, options, {
      name: 'block',
      doing: 'blocking',
      open: { mode: 'drop' },
      work: (handle, run) => waitForCount(handle, count, run),
    });
  }
  const { reject } = await import('../../recipes/index.ts');
  return await runOnTraffic(filter, options, {
    name: 'block',
    doing: 'rejecting',
    work: async (handle) => {
      let rejected = 0;
      for await (const packet of handle) {
        reject(handle, packet, reason === undefined ? {} : { reason });
        if (++rejected >= count) return;
      }
    },
  });
}

/** Waits for the end; the kernel does the work. */
async function waitForCount(
  handle: NetworkHandle,
  count: number,
  { end, finished }: TrafficRun,
): Promise<void> {
  if (finished) return await finished;
  await new Promise<void>((resolve) => {
    const settle = (): void => {
      clearInterval(timer);
      end.removeEventListener('abort', settle);
      resolve();
    };
    const timer = setInterval(() => {
      if (handle.stats().dropped >= count) settle();
    }, POLL_INTERVAL_MS);
    end.addEventListener('abort', settle);
    if (end.aborted) settle();
  });
}
