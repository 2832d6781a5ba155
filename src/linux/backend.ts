/**
 * This machine's kernel as a backend.
 *
 * @module
 */
import type { Backend, EventChannel } from '../divert/backend.ts';
import type { ResolvedEventOptions } from '../divert/event-options.ts';
import type { Filter } from '../filter/index.ts';
import { prepareSets } from './filter-sets.ts';
import { FlowChannel } from './flow/flow-channel.ts';
import { openNetworkChannel } from './network-channel.ts';
import { ReflectChannel } from './reflect-channel.ts';
import { listHandles } from './registry/list-handles.ts';
import { registered } from './registry/registered-channel.ts';
import { SniffChannel } from './sniff-channel.ts';
import { SocketChannel } from './socket-layer/socket-channel.ts';

export const linuxBackend: Backend = {
  name: 'linux',
  prepare: prepareSets,
  openNetwork: (filter, options) => {
    const channel =
      options.mode === 'sniff'
        ? new SniffChannel(filter, options)
        : openNetworkChannel(filter, options);
    return registered(channel, options, filter);
  },
  listHandles,
  openEvents: (filter, options) => {
    // Reflect handles are not reported, neither to themselves nor to each other.
    if (options.layer === 'reflect') return new ReflectChannel(filter, options);
    return registered(openSocketEvents(filter, options), options, filter);
  },
};

function openSocketEvents(filter: Filter, options: ResolvedEventOptions): EventChannel {
  return options.layer === 'flow'
    ? new FlowChannel(filter, options)
    : new SocketChannel(filter, options);
}
