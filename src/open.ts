/**
 * Opens handles on the backend of this machine.
 *
 * @module
 */
import type { Backend } from './divert/backend.ts';
import type { HandleInfo } from './divert/event.ts';
import { FlowHandle, ReflectHandle, SocketHandle } from './divert/event-handle.ts';
import { type EventLayer, isEventLayer, resolveEventOptions } from './divert/event-options.ts';
import { NetworkHandle } from './divert/network-handle.ts';
import {
  type NetworkOpenOptions,
  type OpenOptions,
  resolveOptions,
  toFilter,
} from './divert/options.ts';
import { UnsupportedError } from './errors.ts';
import type { Filter } from './filter/index.ts';
import { checkPlatform } from './linux/platform.ts';

/** A handle on any layer. */
export type Handle = NetworkHandle | FlowHandle | SocketHandle | ReflectHandle;

/**
 * Opens a handle: from now on, packets or events that match the filter come to it.
 *
 * @param filter text in the handle's dialect, WinDivert's by default, or a compiled filter of the same layer
 * @param options their `layer` decides what kind of handle it is
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
export function open(
  filter: string | Filter,
  options: OpenOptions & { readonly layer: 'flow' },
): Promise<FlowHandle>;
export function open(
  filter: string | Filter,
  options: OpenOptions & { readonly layer: 'socket' },
): Promise<SocketHandle>;
export function open(
  filter: string | Filter,
  options: OpenOptions & { readonly layer: 'reflect' },
): Promise<ReflectHandle>;
export function open(filter: string | Filter, options?: NetworkOpenOptions): Promise<NetworkHandle>;
export function open(filter: string | Filter, options?: OpenOptions): Promise<Handle>;
export async function open(filter: string | Filter, options: OpenOptions = {}): Promise<Handle> {
  const { layer = 'network' } = options;
  const handle = isEventLayer(layer)
    ? await openEvents(filter, { ...options, layer })
    : await openNetwork(filter, options);
  if (options.signal?.aborted) await handle.close();
  return handle;
}

async function openNetwork(filter: string | Filter, options: OpenOptions): Promise<NetworkHandle> {
  const resolved = resolveOptions(options);
  const compiled = toFilter(filter, resolved.layer, resolved.language);
  const backend = options.backend ?? (await systemBackend());
  using _prepared = await backend.prepare?.(compiled);
  const channel = backend.openNetwork(compiled, resolved);
  const handle = new NetworkHandle(channel, resolved);
  await channel.ready;
  return handle;
}

async function openEvents(
  filter: string | Filter,
  options: OpenOptions & { readonly layer: EventLayer },
): Promise<Handle> {
  const resolved = resolveEventOptions(options);
  const { layer } = resolved;
  const compiled = toFilter(filter, layer, resolved.language);
  const backend = options.backend ?? (await systemBackend());
  if (!backend.openEvents) {
    throw new UnsupportedError(`layer ${layer}`, `Backend ${backend.name} has no ${layer} layer.`, {
      hint: "It has packets only: use layer 'network'.",
    });
  }
  using _prepared = await backend.prepare?.(compiled);
  const channel = backend.openEvents(compiled, resolved);
  if (layer === 'flow') return new FlowHandle(channel, resolved);
  if (layer === 'socket') return new SocketHandle(channel, resolved);
  return new ReflectHandle(channel, resolved);
}

/**
 * The handles that are open on this machine, of all processes and layers but reflect, oldest first.
 *
 * @throws {@link UnsupportedError} where they cannot be known: on Linux without CAP_SYS_ADMIN
 */
export async function listHandles(): Promise<HandleInfo[]> {
  return (await systemBackend()).listHandles?.() ?? [];
}

async function systemBackend(): Promise<Backend> {
  if (process.platform === 'linux') {
    checkPlatform();
    return (await import('./linux/backend.ts')).linuxBackend;
  }
  throw new UnsupportedError(
    process.platform,
    `There is no packet interception on ${process.platform} yet.`,
    { hint: 'Filters, packets and capture files work everywhere; handles need Linux.' },
  );
}
