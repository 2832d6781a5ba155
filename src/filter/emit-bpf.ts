/**
 * Decision graph to eBPF: a socket filter program for nft's `bpf` match, where the packet starts with
 * its IP header.
 *
 *     prologue    the IP header is checked and copied to the stack
 *     tests       in the filter's own order; the transport header is parsed in front of the first
 *                 test that all uses of it come after
 *     segments    the tests once more for super-packets that the reader gets cut into segments
 *
 * @module
 */

import { Assembler, type Label } from '../bpf/assembler.ts';
import { R0, R1 } from '../bpf/instruction.ts';
import { type Body, emitBody, prepareBody } from './bpf/body.ts';
import { checkContext, differsInSegments, prepareCheck } from './bpf/checks.ts';
import { CONTEXT, type Exits, SKB } from './bpf/frame.ts';
import { joinLists } from './bpf/lists.ts';
import { emitLoopbackSkip, emitNetworkHeader } from './bpf/network-header.ts';
import type { BpfOptions, BpfProgram, Inexactness } from './bpf/options.ts';
import { makePlan } from './bpf/plan.ts';
import { type Route, routePlan } from './bpf/route.ts';
import { familyWorlds, type Worlds } from './bpf/worlds.ts';
import { ALL_FIELDS } from './extended/fields.ts';
import { remarkOf } from './extended/format.ts';
import type { FilterTest } from './graph.ts';

export type {
  BpfOptions,
  BpfProgram,
  Inexactness,
  InexactReason,
  ProcessLookup,
  SetMaps,
} from './bpf/options.ts';
export { MAX_EXTENSION_HEADERS } from './bpf/options.ts';

/** A routed plan and what it leaves open. */
interface Variant {
  readonly route: Route;
  readonly body: Body;
  readonly inexact: readonly Inexactness[];
}

/**
 * Compiles a filter for one hook.
 *
 * A packet that matches is never missed. Where a test cannot be known there, both of its outcomes are
 * let through, and the result says so.
 *
 * @param tests the decision graph, labels pointing forward
 * @param options where the program will run
 * @returns the program and what it cannot know
 * @throws {RangeError} when a label leads outside the graph
 */
export function compileBpf(tests: readonly FilterTest[], options: BpfOptions): BpfProgram {
  const worlds = familyWorlds(options.family ?? 'both');
  const segmented = (options.superPackets ?? 'segments') === 'segments';
  const usual = makeVariant(tests, options, false, worlds);
  const hasSegmentTests =
    segmented && usual.route.steps.some(({ node }) => isSegmentTest(tests, node.test));
  const segments = hasSegmentTests ? makeVariant(tests, options, true, worlds) : null;
  const assembler = new Assembler();
  emitProgram(assembler, tests, options, { usual, segments, segmented, worlds });
  const inexact = unique([...usual.inexact, ...(segments?.inexact ?? [])]);
  return {
    ...assembler.assemble(),
    exact: inexact.length === 0,
    exactWithoutSegments: usual.inexact.length === 0,
    inexact,
    needsLoopbackVariants: needsVariants(inexact, 'loopback'),
    needsImpostorVariants: needsVariants(inexact, 'impostor'),
    constant: constantOf(usual, segments),
  };
}

function makeVariant(
  tests: readonly FilterTest[],
  options: BpfOptions,
  segments: boolean,
  worlds: Worlds,
): Variant {
  const context = checkContext(options, segments);
  const checks = tests.map((test) => prepareCheck(test, context));
  const joined = joinLists({ tests, checks });
  const plan = makePlan(joined.tests, joined.checks);
  const route = routePlan(plan, worlds);
  const inexact = new Map<string, Inexactness>();
  const add = (test: number, reason: Inexactness['reason']): void => {
    const field = ALL_FIELDS[tests[test]?.field ?? 0]?.name ?? '';
    inexact.set(`${field} ${reason}`, { field, reason });
  };
  for (const test of plan.unknownTests) {
    const check = checks[test];
    if (check?.kind === 'unknown') add(test, check.reason);
  }
  for (const { node } of route.steps) {
    const { check } = node;
    if (check.kind === 'compare' && check.value.kind === 'bytes' && check.value.mayBeChecksum) {
      add(node.test, 'checksum-not-final');
    }
  }
  if (plan.isCollapsed) inexact.set('collapsed', { field: '', reason: 'too-complex' });
  return { route, body: prepareBody(route, worlds, options), inexact: [...inexact.values()] };
}

function isSegmentTest(tests: readonly FilterTest[], test: number): boolean {
  const field = tests[test]?.field;
  return field !== undefined && differsInSegments(field);
}

function unique(entries: readonly Inexactness[]): Inexactness[] {
  return [...new Map(entries.map((entry) => [`${entry.field} ${entry.reason}`, entry])).values()];
}

function needsVariants(inexact: readonly Inexactness[], field: string): boolean {
  return inexact.some((entry) => entry.field === field && entry.reason === 'needs-variants');
}

function constantOf(usual: Variant, segments: Variant | null): boolean | null {
  const { entry } = usual.route;
  if (typeof entry === 'number') return null;
  if (segments !== null && segments.route.entry !== entry) return null;
  return entry === 'accept';
}

interface Parts {
  readonly usual: Variant;
  readonly segments: Variant | null;
  readonly segmented: boolean;
  readonly worlds: Worlds;
}

function emitProgram(
  assembler: Assembler,
  tests: readonly FilterTest[],
  options: BpfOptions,
  parts: Parts,
): void {
  const { usual, segments, worlds } = parts;
  const exits: Exits = {
    accept: assembler.newLabel('match'),
    reject: assembler.newLabel('no_match'),
  };
  const cut = assembler.newLabel('segments');
  const describe = (test: number): string => describeTest(tests[test], options);
  const bodies = segments === null ? [usual] : [usual, segments];
  assembler.move(CONTEXT, R1);
  options.emitPrologue?.(assembler);
  if (options.layer === 'network' && options.direction === 'inbound') {
    emitLoopbackSkip(assembler, exits.reject);
  }
  const needs = {
    worlds,
    transport: bodies.some(({ body }) => body.parseAt !== null),
    addresses: bodies.some(readsAddresses),
    bigPackets: options.bigPackets ?? parts.segmented,
  };
  emitNetworkHeader(assembler, needs, exits);
  if (segments !== null) {
    assembler.comment('super-packet, to be cut into segments');
    assembler.load('W', R1, CONTEXT, SKB.GSO_SIZE);
    assembler.jumpIf('JNE', R1, 0, cut);
  }
  emitBody(assembler, usual.body, exits, describe, options.process);
  if (segments !== null) {
    assembler.label(cut);
    emitBody(assembler, segments.body, exits, describe, options.process);
  }
  emitExits(assembler, exits, options);
}

function readsAddresses({ route }: Variant): boolean {
  return route.steps.some(
    ({ node: { check } }) => check.kind === 'compare' && check.value.kind === 'address',
  );
}

function describeTest(test: FilterTest | undefined, options: BpfOptions): string {
  return test === undefined ? '' : remarkOf(test, options.layer);
}

function emitExits(
  assembler: Assembler,
  exits: { readonly accept: Label; readonly reject: Label },
  options: BpfOptions,
): void {
  assembler.label(exits.reject);
  assembler.moveImmediate(R0, 0);
  assembler.exit();
  assembler.label(exits.accept);
  if (options.emitMatch !== undefined) {
    options.emitMatch(assembler);
    return;
  }
  assembler.moveImmediate(R0, options.matchValue ?? 1);
  assembler.exit();
}
