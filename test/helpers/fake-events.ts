/**
 * A system that reports what tests make up, for handles on the event layers without privileges.
 *
 * @module
 */
import type {
  Backend,
  ChannelListener,
  EventChannel,
  EventCounters,
  NetworkChannel,
} from '../../src/divert/backend.ts';
import type { DivertEvent, FlowEvent, ReflectEvent, SocketEvent } from '../../src/divert/event.ts';
import type { ResolvedEventOptions } from '../../src/divert/event-options.ts';
import type { Filter } from '../../src/filter/index.ts';

const ENDPOINTS = {
  timestamp: 12_345n,
  processId: 4711,
  processName: 'curl',
  userId: 1000,
  endpointId: 77n,
  parentEndpointId: 0n,
  protocol: 6,
  localAddress: '10.0.0.1',
  localPort: 40_000,
  remoteAddress: '10.0.0.2',
  remotePort: 80,
  outbound: true,
  loopback: false,
  ipv6: false,
} as const;

export const flowEvent = (changes: Partial<FlowEvent> = {}): FlowEvent => ({
  layer: 'flow',
  event: 'established',
  ...ENDPOINTS,
  ...changes,
});

export const socketEvent = (changes: Partial<SocketEvent> = {}): SocketEvent => ({
  layer: 'socket',
  event: 'connect',
  sniffed: false,
  ...ENDPOINTS,
  ...changes,
});

export const reflectEvent = (changes: Partial<ReflectEvent> = {}): ReflectEvent => ({
  event: 'open',
  timestamp: 99n,
  processId: 4711,
  openedAt: 98n,
  layer: 'network',
  flags: 1n,
  priority: -5,
  filter: 'tcp',
  object: '@WinDiv_WX_8WWXAX',
  handleId: 3n,
  ...changes,
});

export class FakeEvents implements Backend {
  readonly name = 'fake events';
  readonly channels: FakeEventChannel[] = [];

  openNetwork(): NetworkChannel {
    throw new Error('no packets here');
  }

  openEvents(filter: Filter, options: ResolvedEventOptions): FakeEventChannel {
    const channel = new FakeEventChannel(filter, options);
    this.channels.push(channel);
    return channel;
  }
}

export class FakeEventChannel implements EventChannel {
  filter: Filter;
  readonly options: ResolvedEventOptions;
  readonly counts: EventCounters = { matched: 0, passed: 0, ringFull: 0, tableFull: 0 };
  isDetached = false;
  isClosed = false;
  #listener: ChannelListener | undefined;
  readonly #ring: DivertEvent[] = [];

  constructor(filter: Filter, options: ResolvedEventOptions) {
    this.filter = filter;
    this.options = options;
  }

  /** Something happens. */
  report(...events: DivertEvent[]): void {
    this.counts.matched += events.length;
    this.#ring.push(...events);
    while (this.#ring.length > 0 && this.#listener) this.#listener.ready();
  }

  fail(error: unknown): void {
    this.#listener?.failed(error);
  }

  start(listener: ChannelListener): void {
    this.#listener = listener;
  }

  read(budget: number, sink: (event: DivertEvent) => void): boolean {
    for (const event of this.#ring.splice(0, budget)) sink(event);
    return this.#ring.length > 0;
  }

  setFilter(filter: Filter): void {
    this.filter = filter;
  }

  detach(): void {
    this.isDetached = true;
  }

  counters(): EventCounters {
    return this.counts;
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}
