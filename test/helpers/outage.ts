/**
 * A steady stream of datagrams to a port that handles look at, and when they arrive.
 *
 * @module
 */

import type { NetworkEnd } from './namespaces.ts';
import { startScript } from './traffic.ts';

/** A stream that goes on. */
export interface Stream {
  /** Ends it; the times at which datagrams arrived, milliseconds since 1970. */
  stop(): Promise<number[]>;
}

/** @param perSecond datagrams */
export async function startStream(
  from: NetworkEnd,
  to: NetworkEnd,
  port: number,
  perSecond: number,
): Promise<Stream> {
  const receiver = await startScript(to, 'udp-arrivals', [to.ipv4, port]);
  const sender = await startScript(from, 'udp-steady', [to.ipv4, port, perSecond]);
  return {
    stop: async () => {
      sender.child.kill('SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 100));
      receiver.child.kill('SIGTERM');
      return (await receiver.output).split('\n').filter(Boolean).map(Number);
    },
  };
}

/** Milliseconds from a moment to the first arrival after it; Infinity when there was none. */
export function backAfter(times: readonly number[], moment: number): number {
  return (times.find((time) => time > moment) ?? Infinity) - moment;
}
