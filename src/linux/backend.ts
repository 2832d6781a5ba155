/**
 * This machine's kernel as a backend.
 *
 * @module
 */
import type { Backend } from '../divert/backend.ts';
import { LinuxNetworkChannel } from './network-channel.ts';
import { SniffChannel } from './sniff-channel.ts';

export const linuxBackend: Backend = {
  name: 'linux',
  openNetwork: (filter, options) =>
    options.mode === 'sniff'
      ? new SniffChannel(filter, options)
      : new LinuxNetworkChannel(filter, options),
};
