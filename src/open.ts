/**
 * Opens handles on the backend of this machine.
 *
 * @module
 */
import type { Backend } from './divert/backend.ts';
import { NetworkHandle } from './divert/network-handle.ts';
import { checkFilterLayer, type OpenOptions, resolveOptions } from './divert/options.ts';
import { UnsupportedError } from './errors.ts';
import { compileFilter, type Filter } from './filter/index.ts';

/**
 * Opens a handle: from now on, packets that match the filter come to it.
 *
 * @param filter WinDivert filter text, or a compiled filter of the same layer
 * @returns an open handle; close it, or use `await using`
 * @throws {@link FilterError} when the text is wrong
 * @throws {@link DivertError} `invalid-parameter` for options out of range or that do not go together
 * @throws {@link UnsupportedError} naming a missing capability or kernel feature, and what to do
 * @example
 * ```ts
 * await using handle = await open('outbound and tcp.DstPort == 80');
 * for await (const packet of handle) handle.send(packet);
 * ```
 */
export async function open(
  filter: string | Filter,
  options: OpenOptions = {},
): Promise<NetworkHandle> {
  const resolved = resolveOptions(options);
  const compiled = typeof filter === 'string' ? compileFilter(filter, resolved.layer) : filter;
  checkFilterLayer(compiled, resolved.layer);
  const backend = options.backend ?? (await systemBackend());
  const handle = new NetworkHandle(backend.openNetwork(compiled, resolved), resolved);
  if (options.signal?.aborted) await handle.close();
  return handle;
}

async function systemBackend(): Promise<Backend> {
  if (process.platform === 'linux') return (await import('./linux/backend.ts')).linuxBackend;
  throw new UnsupportedError(
    process.platform,
    `There is no packet interception on ${process.platform} yet.`,
    { hint: 'Filters, packets and capture files work everywhere; handles need Linux.' },
  );
}
