/** What a handle on the flow layer reports, kept for tests. */

import type { FlowEvent } from '../../src/divert/event.ts';
import type { FlowHandle } from '../../src/divert/event-handle.ts';
import type { Filter } from '../../src/filter/filter.ts';
import { open } from '../../src/open.ts';
import type { NetworkEnd } from './namespaces.ts';
import { PATIENCE } from './patience.ts';

const PATIENCE_MS = 10_000 * PATIENCE;
const STEP_MS = 10;
/** Longer than it takes until an end that is noticed in user space is reported. */
const QUIET_MS = 150 * PATIENCE;

/** What a process says of its own end of a connection. */
export interface OwnEnd {
  readonly pid: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

export class FlowLog implements AsyncDisposable {
  readonly events: FlowEvent[] = [];
  readonly handle: FlowHandle;
  readonly #reading: Promise<void>;

  private constructor(handle: FlowHandle) {
    this.handle = handle;
    this.#reading = this.#read();
  }

  static async open(
    end: NetworkEnd,
    filter: string | Filter = 'true',
    options: { readonly flowTimeoutMs?: number } = {},
  ): Promise<FlowLog> {
    return new FlowLog(await open(filter, { layer: 'flow', namespace: end.path, ...options }));
  }

  /** Waits until there are so many events, and a little for more that should not come. */
  async settle(count: number): Promise<readonly FlowEvent[]> {
    const endMs = performance.now() + PATIENCE_MS;
    while (this.events.length < count && performance.now() < endMs) await sleep(STEP_MS);
    await sleep(QUIET_MS);
    return this.events;
  }

  /** Events of one process. */
  of(pid: number): FlowEvent[] {
    return this.events.filter(({ processId }) => processId === pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.close();
    await this.#reading;
  }

  async #read(): Promise<void> {
    for await (const event of this.handle) this.events.push(event);
  }
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

const unmapped = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/, '');

/** The parts of events that a process can tell of itself. */
export function endOf(event: FlowEvent): OwnEnd {
  const { processId: pid, localAddress, localPort, remoteAddress, remotePort } = event;
  return { pid, localAddress, localPort, remoteAddress, remotePort };
}

/** An end as events have it: IPv4 on IPv6 sockets is IPv4. */
export function asReported(end: OwnEnd): OwnEnd {
  const { localAddress, remoteAddress } = end;
  return {
    ...end,
    localAddress: unmapped(localAddress),
    remoteAddress: unmapped(remoteAddress),
  };
}
