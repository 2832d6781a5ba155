/**
 * This machine's kernel as a backend.
 *
 * @module
 */
import type { Backend } from '../divert/backend.ts';
import { LinuxNetworkChannel } from './network-channel.ts';

export const linuxBackend: Backend = {
  name: 'linux',
  openNetwork: (filter, options) => new LinuxNetworkChannel(filter, options),
};
