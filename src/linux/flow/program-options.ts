/**
 * What the programs of a flow handle are made for.
 *
 * @module
 */
import type { Instruction } from '../../bpf/instruction.ts';
import type { FilterTest } from '../../filter/graph.ts';
import type { RecordSink } from '../events/emit-record.ts';

/** Everything that is baked into the programs. */
export interface FlowProgramOptions {
  readonly tests: readonly FilterTest[];
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

/** A program and what it knows. */
export interface FlowProgram {
  readonly instructions: readonly Instruction[];
  /** It reports what the filter matches and nothing else. */
  readonly exact: boolean;
}
