/**
 * Channels whose handles are registered for as long as they are open.
 *
 * @module
 */
import type { Filter } from '../../filter/index.ts';
import { prepareSets } from '../filter-sets.ts';
import type { HandleTraits } from './handle-record.ts';
import { registerHandle } from './registration.ts';

/** What network and event channels have in common. */
interface Channel {
  prepare?(filter: Filter): Promise<Disposable> | undefined;
  setFilter(filter: Filter): void;
  close(): Promise<void>;
}

/**
 * Registers the handle of a channel until that is closed. Nothing changes for what is called per
 * packet or event.
 *
 * @param channel of a handle that was opened just now
 * @param traits the handle's resolved options
 * @returns the channel
 */
export function registered<T extends Channel>(channel: T, traits: HandleTraits, filter: Filter): T {
  const registration = registerHandle(traits, filter);
  channel.prepare = prepareSets;
  const setFilter = channel.setFilter.bind(channel);
  const close = channel.close.bind(channel);
  channel.setFilter = (next) => {
    setFilter(next);
    registration.update(next);
  };
  channel.close = () => {
    registration.close();
    return close();
  };
  return channel;
}
