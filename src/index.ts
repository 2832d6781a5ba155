/**
 * Packet interception for Node.js: WinDivert's filter language and API on the Linux kernel.
 *
 * @module
 */
export type { Backend } from './divert/backend.ts';
export type {
  DivertEvent,
  FlowEvent,
  HandleInfo,
  ReflectEvent,
  SocketEvent,
} from './divert/event.ts';
export {
  type EventLostStats,
  type EventStats,
  FlowHandle,
  ReflectHandle,
  SocketHandle,
} from './divert/event-handle.ts';
export { NetworkHandle, type ReceiveOptions } from './divert/network-handle.ts';
export type {
  Access,
  Fate,
  Mode,
  NetworkOpenOptions,
  OpenOptions,
  ParamName,
} from './divert/options.ts';
export { PacketBatch } from './divert/packet-batch.ts';
export type { LostStats, Stats } from './divert/stats.ts';
export * from './errors.ts';
export {
  compileFilter,
  type Dialect,
  evaluateFilter,
  Filter,
  FilterSet,
  type FilterSetEntry,
  type FilterSets,
  formatFilter,
} from './filter/index.ts';
export { type Handle, listHandles, open } from './open.ts';
export type { Address, AddressInit, EventName, Layer } from './packet/address.ts';
export { Packet } from './packet/packet.ts';
export {
  type Capability,
  type DropPrivilegesOptions,
  dropPrivileges,
  type UserIds,
} from './privileges.ts';
export * from './recipes/index.ts';
export * as recipes from './recipes/namespace.ts';
export { openWorkers, type WorkersOptions } from './workers/open-workers.ts';
export type { WorkerContext, WorkerFunction } from './workers/worker-function.ts';
export { WorkersHandle } from './workers/workers-handle.ts';
