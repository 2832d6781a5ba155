/**
 * What a program does with a finished record: filter, report, block.
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R10 } from '../../bpf/instruction.ts';
import type { SetMaps } from '../../filter/emit-bpf.ts';
import type { EventFacts } from '../../filter/emit-event-bpf.ts';
import type { FilterSet } from '../../filter/extended/filter-set.ts';
import type { FilterTest } from '../../filter/graph.ts';
import { EVENT_NOTES, SOCKET_EVENT } from '../../packet/event-layout.ts';
import { emitCount } from '../bpf/emit-count.ts';
import { EVENT_COUNTER } from '../events/counter.ts';
import { emitOutput, emitRecordFilter } from '../events/emit-record.ts';
import { RESULT } from './context.ts';
import { recordAt } from './frame.ts';

/** What all programs of a handle's filter share. */
export interface ProgramOptions {
  readonly tests: readonly FilterTest[];
  /** Maps of all the sets that the tests name. */
  readonly sets: ReadonlyMap<FilterSet, SetMaps>;
  readonly mode: 'divert' | 'sniff' | 'drop';
  /** A blocked call fails with it. */
  readonly errno: number;
  /** Programs can choose the errno and see what others decided (Linux 5.18). */
  readonly hasReturnValue: boolean;
  /** Callbacks of TCP sockets can ask for the current process (Linux 6.16). */
  readonly knowsProcessInCallbacks: boolean;
  readonly namespaceCookie: bigint;
  readonly generation: number;
  readonly ringFd: number;
  readonly countersFd: number;
  readonly stateFd: number;
  readonly boundFd: number;
  readonly flowsFd: number;
  /** Socket storage of the tracker. */
  readonly trackerFd: number;
  /** The tracker's map of process names, null where it has none. */
  readonly namesFd: number | null;
  /** Who receives on which port is to be known: accept or listen may be blocked. */
  readonly tracksPorts: boolean;
  /** Who began which datagram flow is to be known. */
  readonly tracksFlows: boolean;
  /** Programs can ask a packet for its namespace (Linux 6.15). */
  readonly seesNamespaceOfPackets: boolean;
  /** Ends of sockets may be reported. */
  readonly reportsClose: boolean;
}

/** How a matching event ends. */
export type Ending = 'sniffed' | 'blocked';

/** Whether matching events of a kind that can be blocked are. */
export function endingOf({ mode }: ProgramOptions): Ending {
  return mode === 'sniff' ? 'sniffed' : 'blocked';
}

/** Where the code of a report leads. */
export interface EventExits {
  readonly match: Label;
  readonly reject: Label;
}

/**
 * Shows the record to the filter. Loses r0-r5, and `FRAME.VALUE` where it looks into sets.
 *
 * @param facts what is known of every record that comes here
 */
export function emitFilter(
  assembler: Assembler,
  options: ProgramOptions,
  facts: EventFacts,
  exits: EventExits & { readonly localUnknown?: boolean },
): void {
  const { match: accept, reject, localUnknown = false } = exits;
  const { tests, sets } = options;
  const filter = { tests, layer: 'socket', sets, facts, localUnknown } as const;
  emitRecordFilter(assembler, filter, { accept, reject });
}

/** Counts the record and, unless the handle only blocks, reports it. Loses r0-r5. */
export function emitDelivery(assembler: Assembler, options: ProgramOptions, ending: Ending): void {
  if (ending === 'blocked') {
    assembler.storeImmediate('B', R10, recordAt(SOCKET_EVENT.NOTES), EVENT_NOTES.BLOCKED);
  }
  if (options.mode === 'drop') emitCount(assembler, options.countersFd, EVENT_COUNTER.MATCHED);
  else emitOutputAlways(assembler, options);
}

/** Counts the record and writes it to the ring. Loses r0-r5. */
export function emitOutputAlways(assembler: Assembler, options: ProgramOptions): void {
  emitCount(assembler, options.countersFd, EVENT_COUNTER.MATCHED);
  const done = assembler.newLabel();
  emitOutput(assembler, { ringFd: options.ringFd, countersFd: options.countersFd }, done);
  assembler.label(done);
}

/** Ends a program at a control group: the call fails. */
export function emitBlock(assembler: Assembler, options: ProgramOptions): void {
  if (options.hasReturnValue) {
    assembler.moveImmediate(R1, -options.errno);
    assembler.alu('LSH', R1, 32, 64);
    assembler.alu('ARSH', R1, 32, 64);
    assembler.call('set_retval');
  }
  emitResult(assembler, RESULT.BLOCK);
}

/** Leaves when a program before this one has blocked the call already. Loses r0-r5. */
export function emitUnlessBlocked(
  assembler: Assembler,
  options: ProgramOptions,
  blocked: Label,
): void {
  if (!options.hasReturnValue) return;
  assembler.call('get_retval');
  assembler.jumpIf('JSLT', R0, 0, blocked);
}

/** Ends a program. */
export function emitResult(assembler: Assembler, result: number): void {
  assembler.moveImmediate(R0, result);
  assembler.exit();
}
