/**
 * Running with no more rights than needed.
 *
 * @module
 */
import { UnsupportedError } from './errors.ts';
import type { DropPrivilegesOptions } from './linux/privileges/drop.ts';

export type { DropPrivilegesOptions } from './linux/privileges/drop.ts';
export type { Capability } from './linux/privileges/thread-privileges.ts';
export type { UserIds } from './linux/privileges/user.ts';

/**
 * Gives up every capability but some, for good and in every thread, and becomes another user if asked.
 *
 * Call it first of all: unless this has been done already, the program is run anew in the same process
 * (same number, arguments and standard streams), and only in that run the call returns. What was
 * opened or printed before is not taken along.
 *
 * @param options what is kept; docs/trust/privileges.md lists what each feature needs
 * @throws {@link UnsupportedError} when a capability to keep is not there, or this is not Linux
 * @throws {@link DivertError} `invalid-parameter` for unknown names, or in a worker thread
 * @example
 * ```ts
 * await dropPrivileges({ capabilities: ['CAP_NET_ADMIN', 'CAP_BPF'], user: 'nobody' });
 * const handle = await open('tcp.DstPort == 80');
 * ```
 */
export async function dropPrivileges(options: DropPrivilegesOptions = {}): Promise<void> {
  if (process.platform !== 'linux') {
    throw new UnsupportedError('Linux', 'Capabilities can be dropped on Linux only.');
  }
  const linux = await import('./linux/privileges/drop.ts');
  linux.dropPrivileges(options);
}
