/**
 * The code with which programs write records of the flow and socket layers: the record is made on
 * the stack, shown to the filter, and copied into the ring if that matches.
 *
 *     emitRecordHead      all of it zero, then time, layer, event, flags, generation
 *     emit*Address, ...   the rest, from whatever the program has
 *     emitFamily          IPv4 or IPv6, loopback or not: from the addresses (`emit-address.ts`)
 *     emitReport          filter, counters, ring
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, R5, R10 } from '../../bpf/instruction.ts';
import type { SetMaps } from '../../filter/emit-bpf.ts';
import { type EventFacts, type EventLayer, emitEventFilter } from '../../filter/emit-event-bpf.ts';
import type { FilterSet } from '../../filter/extended/filter-set.ts';
import type { FilterTest } from '../../filter/graph.ts';
import { LAYERS } from '../../packet/address.ts';
import { EVENT_RECORD, SOCKET_EVENT } from '../../packet/event-layout.ts';
import { emitCount } from '../bpf/emit-count.ts';
import { EVENT_COUNTER } from './counter.ts';

/** Where the record is, counted from the frame pointer. */
export const RECORD_AT: number = -SOCKET_EVENT.BYTES;

const SLOT_BYTES = 8;
/** See {@link SOCKET_EVENT.USER_ID}. */
const NO_USER = 0xffff_ffff;

/** What is the same in all records of a program. */
export interface RecordHead {
  readonly layer: EventLayer;
  /** `WINDIVERT_EVENT`. */
  readonly event: number;
  /** Bits of `ADDRESS_FLAGS`. */
  readonly flags: number;
  /** Bits of `EVENT_NOTES`. Default: none. */
  readonly notes?: number;
  /** Of the filter, from the handle's ring. */
  readonly generation: number;
}

/** Clears the record and writes what every one has. Calls a helper: loses r0-r5. */
export function emitRecordHead(assembler: Assembler, head: RecordHead): void {
  assembler.comment('record');
  for (let at = 0; at < SOCKET_EVENT.BYTES; at += SLOT_BYTES) {
    assembler.storeImmediate('DW', R10, RECORD_AT + at, 0);
  }
  assembler.storeImmediate('W', R10, RECORD_AT + SOCKET_EVENT.USER_ID, NO_USER);
  emitRecordConstants(assembler, head);
}

/** Writes what every record has, into one that was made before. Calls a helper: loses r0-r5. */
export function emitRecordConstants(assembler: Assembler, head: RecordHead): void {
  assembler.call('ktime_get_ns');
  assembler.store('DW', R10, RECORD_AT + EVENT_RECORD.TIMESTAMP, R0);
  const byte = (offset: number, value: number): void =>
    assembler.storeImmediate('B', R10, RECORD_AT + offset, value);
  byte(EVENT_RECORD.LAYER, LAYERS.indexOf(head.layer));
  byte(EVENT_RECORD.EVENT, head.event);
  byte(EVENT_RECORD.FLAGS, head.flags);
  byte(EVENT_RECORD.NOTES, head.notes ?? 0);
  assembler.storeImmediate('W', R10, RECORD_AT + EVENT_RECORD.GENERATION, head.generation);
}

/** Where records go. */
export interface RecordSink {
  readonly ringFd: number;
  /** The ring's map of counters. */
  readonly countersFd: number;
}

/** A filter as a program runs it. */
export interface RecordFilter {
  readonly tests: readonly FilterTest[];
  readonly layer: EventLayer;
  /** Maps of all the sets that the tests name. */
  readonly sets: ReadonlyMap<FilterSet, SetMaps>;
  /** What is known of every record of the program. */
  readonly facts?: EventFacts;
  /** See `EventFilterOptions.localUnknown`. */
  readonly localUnknown?: boolean;
}

/** Where a report leads. */
export interface ReportExits {
  /** The filter does not match. */
  readonly reject: Label;
  /** The filter matches; the event is reported, or counted as lost. */
  readonly done: Label;
}

/**
 * Shows the record to the filter. Where that looks into sets, it loses r0-r5 and `SET_STACK`, otherwise r0.
 *
 * @throws {RangeError} when a set has no maps, and the program could not say what matches
 */
export function emitRecordFilter(
  assembler: Assembler,
  filter: RecordFilter,
  exits: { readonly accept: Label; readonly reject: Label },
): void {
  const { tests, layer, sets, facts = {}, localUnknown = false } = filter;
  const options = { record: R10, recordOffset: RECORD_AT, ...exits, sets, facts, localUnknown };
  const { exact } = emitEventFilter(assembler, tests, layer, options);
  if (!exact && !localUnknown) throw new RangeError('a set of the filter has no maps');
}

/** Shows the record to the filter and reports it when that matches. Loses r0-r5 and `SET_STACK`. */
export function emitReport(
  assembler: Assembler,
  filter: RecordFilter,
  sink: RecordSink,
  exits: ReportExits,
): void {
  const accept = assembler.newLabel('match');
  emitRecordFilter(assembler, filter, { accept, reject: exits.reject });
  assembler.label(accept);
  emitCount(assembler, sink.countersFd, EVENT_COUNTER.MATCHED);
  emitOutput(assembler, sink, exits.done);
}

/** Copies the record into the ring, or counts it as lost. Loses r0-r5. */
export function emitOutput(assembler: Assembler, sink: RecordSink, done: Label): void {
  emitRingOutput(assembler, sink.ringFd);
  assembler.jumpIf('JEQ', R0, 0, done);
  emitCount(assembler, sink.countersFd, EVENT_COUNTER.RING_FULL);
  assembler.jump(done);
}

/** Copies the record into the ring: r0 = 0 when there was room. Loses r1-r5. */
export function emitRingOutput(assembler: Assembler, ringFd: number): void {
  assembler.loadMap(R1, ringFd);
  assembler.move(R2, R10);
  assembler.alu('ADD', R2, RECORD_AT, 64);
  assembler.moveImmediate(R3, SOCKET_EVENT.BYTES);
  assembler.moveImmediate(R4, 0);
  assembler.moveImmediate(R5, 0);
  assembler.call('ringbuf_output');
}
