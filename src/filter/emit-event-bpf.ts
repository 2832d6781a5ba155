/**
 * Decision graph to eBPF for the event layers: code inside a program that has made a record
 * (`packet/event-layout.ts`) and wants to know whether the filter matches it.
 *
 * @module
 */
import type { Assembler, Label } from '../bpf/assembler.ts';
import { R0, R5, type Register } from '../bpf/instruction.ts';
import type { Check } from './bpf/checks.ts';
import {
  type EventCheck,
  type EventCheckOptions,
  type EventFacts,
  type EventLayer,
  prepareEventCheck,
} from './bpf/event-check.ts';
import {
  emitComparison,
  emitMapLookup,
  emitMembership,
  emitQuestion,
  type RecordPlace,
} from './bpf/event-test.ts';
import { FRAME } from './bpf/frame.ts';
import type { SetMaps } from './bpf/options.ts';
import { makePlan, type Plan, type PlanNode, type Target } from './bpf/plan.ts';
import { ALL_WORLDS } from './bpf/worlds.ts';
import type { FilterSet } from './extended/filter-set.ts';
import { remarkOf } from './extended/format.ts';
import { SET_MAP } from './extended/set-map-layout.ts';
import type { FilterTest } from './graph.ts';

export type { EventFacts, EventLayer } from './bpf/event-check.ts';

/** The stack that looking into maps of sets overwrites: from `r10 + AT` on. */
export const SET_STACK: { readonly AT: number; readonly BYTES: number } = {
  AT: FRAME.SET_KEY,
  BYTES: SET_MAP.TRIE_KEY,
};

/** Where the record is and where the code leads. */
export interface EventFilterOptions {
  /** Points to the record: on the stack, or memory the verifier lets be read. Not r0, with sets r6-r10. */
  readonly record: Register;
  /** From where `record` points to the record. Default: 0. */
  readonly recordOffset?: number;
  readonly accept: Label;
  readonly reject: Label;
  /** What is known of every record the program makes: tests of it cost nothing. */
  readonly facts?: EventFacts;
  /**
   * The local address and port in the record are not known yet: both outcomes of tests of them are let
   * through. Default: false.
   */
  readonly localUnknown?: boolean;
  /**
   * The maps of the filter's sets (`Filter.kernelSets`). A set without maps cannot be looked into: both outcomes are let
   * through.
   */
  readonly sets?: ReadonlyMap<FilterSet, SetMaps>;
}

/** What was emitted. */
export interface EmittedFilter {
  /** It accepts what the filter matches and nothing else. */
  readonly exact: boolean;
  /** The same answer for every record, null where it depends. */
  readonly constant: boolean | null;
}

/**
 * Emits a filter. The code goes to `accept` or `reject` and never falls through. It loses r0 and keeps every other
 * register; where it looks into maps of sets it loses r0-r5 and {@link SET_STACK}. A field that the layer does not
 * have, when it is reached, rejects.
 *
 * @param tests the decision graph, labels pointing forward
 * @throws {RangeError} when a label leads outside the graph, or the record is in a register that gets lost
 */
export function emitEventFilter(
  assembler: Assembler,
  tests: readonly FilterTest[],
  layer: EventLayer,
  options: EventFilterOptions,
): EmittedFilter {
  const { accept, reject, record, recordOffset = 0 } = options;
  if (record === R0) throw new RangeError('the record cannot be in r0');
  const { plan, checks } = planEvents(tests, layer, options);
  if (record <= R5 && checks.some(({ kind }) => kind === 'maps')) {
    throw new RangeError('with sets, the record must be in a register that calls keep');
  }
  const labels = plan.nodes.map(() => assembler.newLabel());
  const labelOf = (target: Target): Label => {
    if (target === 'accept') return accept;
    return (target === 'reject' ? undefined : labels[target]) ?? reject;
  };
  const place: RecordPlace = { register: record, offset: recordOffset };
  assembler.jump(labelOf(plan.entry));
  plan.nodes.forEach((node, index) => {
    assembler.label(labels[index] ?? reject);
    const test = tests[node.test];
    if (test !== undefined) assembler.comment(remarkOf(test, layer));
    emitNode(assembler, node, checks[node.test], place, labelOf);
  });
  return {
    exact: plan.unknownTests.size === 0 && !plan.isCollapsed,
    constant: typeof plan.entry === 'number' ? null : plan.entry === 'accept',
  };
}

/**
 * Whether a filter can match any record of which certain facts are known.
 *
 * @param tests the decision graph, labels pointing forward
 */
export function canMatchEvent(
  tests: readonly FilterTest[],
  layer: EventLayer,
  facts: EventFacts,
): boolean {
  return canAccept(planEvents(tests, layer, { facts }).plan);
}

function planEvents(
  tests: readonly FilterTest[],
  layer: EventLayer,
  options: EventCheckOptions,
): { plan: Plan; checks: readonly EventCheck[] } {
  const checks = tests.map((test) => prepareEventCheck(test, layer, options));
  return { plan: makePlan(tests, checks.map(planned)), checks };
}

/** As the planner takes it, which only asks what can be decided now and what never. */
function planned(check: EventCheck): Check {
  if (check.kind === 'decided') return check;
  if (check.kind === 'unknown') {
    return { kind: 'unknown', worlds: ALL_WORLDS, reason: 'not-in-context' };
  }
  return { kind: 'guard', worlds: ALL_WORLDS };
}

function canAccept({ entry, nodes }: Plan): boolean {
  // Only places that something leads to are in a plan.
  const isAccept = (target: Target): boolean => target === 'accept';
  return (
    isAccept(entry) ||
    nodes.some(({ success, failure, unknown }) => [success, failure, unknown].some(isAccept))
  );
}

function emitNode(
  assembler: Assembler,
  node: PlanNode,
  check: EventCheck | undefined,
  place: RecordPlace,
  labelOf: (target: Target) => Label,
): void {
  const exits = { success: labelOf(node.success), failure: labelOf(node.failure) };
  if (check?.kind === 'question') {
    const { success, failure } = exits;
    const answers = check.yes ? { yes: success, no: failure } : { yes: failure, no: success };
    emitQuestion(assembler, check.question, place, answers);
  } else if (check?.kind === 'compare') {
    emitComparison(assembler, check, place, exits);
  } else if (check?.kind === 'ranges') {
    emitMembership(assembler, check, place, exits);
  } else if (check?.kind === 'maps') {
    emitMapLookup(assembler, check, place, exits);
  } else {
    assembler.jump(labelOf(node.unknown));
  }
}
