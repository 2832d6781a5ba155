/**
 * What the programs of a flow handle are made for.
 *
 * @module
 */
import type { SetMaps } from '../../filter/emit-bpf.ts';
import type { FilterSet } from '../../filter/extended/filter-set.ts';
import type { FilterTest } from '../../filter/graph.ts';
import type { RecordSink } from '../events/emit-record.ts';

/** Everything that is baked into the programs. */
export interface FlowProgramOptions {
  readonly tests: readonly FilterTest[];
  /** Maps of all the sets that the tests name. */
  readonly sets: ReadonlyMap<FilterSet, SetMaps>;
  /** Of the filter, from the handle's ring. */
  readonly generation: number;
  /** SO_NETNS_COOKIE of the namespace whose sockets count. */
  readonly namespaceCookie: bigint;
  readonly sink: RecordSink;
  /** Socket storage of the tracker: whose a socket is. */
  readonly ownersFd: number;
  /** Socket storage of this handle: a record of each socket that has or had a flow. */
  readonly recordsFd: number;
  /** The handle's table of flows. */
  readonly flowsFd: number;
}
