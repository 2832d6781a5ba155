/**
 * Decision graph to a plan: the questions a program has to ask, in order.
 *
 * Where a test cannot be known, both of its ways are tried, so a place in the plan stands for a set of
 * tests: "would the filter accept from any of these?" Sets are resolved from their earliest test on,
 * which always leads further down, so the plan has no loops. Tests that are decided take no place.
 *
 * @module
 */

import type { FilterTest, Label } from '../graph.ts';
import type { Check } from './checks.ts';
import { isWide } from './values.ts';

/** A check that has to be made when the program runs. */
export type RuntimeCheck = Exclude<Check, { kind: 'decided' }>;

/** Where an answer leads: a later place, or the end. */
export type Target = number | 'accept' | 'reject';

/** One question. */
export interface PlanNode {
  /** Index of the test. */
  readonly test: number;
  readonly check: RuntimeCheck;
  readonly success: Target;
  readonly failure: Target;
  /** When both outcomes are possible. */
  readonly unknown: Target;
}

/** A plan. Every target is the index of a later node. */
export interface Plan {
  readonly nodes: readonly PlanNode[];
  readonly entry: Target;
  /** Tests that cannot be known in any packet and yet decide something, in no order. */
  readonly unknownTests: ReadonlySet<number>;
  /** There were too many sets: some accept without asking further. */
  readonly isCollapsed: boolean;
}

/** Keeps two bodies of nodes within the reach of a jump (32,767 instructions). */
const MAX_WEIGHT = 600;
/** Comparisons that take about as much room as an ordinary node at its largest. */
const COMPARISONS_PER_NODE = 5;
const WIDE_WORDS = 4;

/** How much room a check takes, in nodes. */
function weightOf(check: RuntimeCheck): number {
  if (check.kind !== 'compare' || check.comparison.kind !== 'ranges') return 1;
  const { ranges } = check.comparison;
  const words = isWide(check.value) ? WIDE_WORDS : 1;
  return 1 + Math.floor((ranges.length * words) / COMPARISONS_PER_NODE);
}

/**
 * Plans a filter.
 *
 * @param tests the decision graph
 * @param checks its tests prepared, at the same indexes
 */
export function makePlan(tests: readonly FilterTest[], checks: readonly Check[]): Plan {
  const planner = new Planner(tests, checks);
  const entry = planner.resolve([0]);
  return inOrder(planner, entry);
}

interface Draft extends PlanNode {}

class Planner {
  readonly nodes: Draft[] = [];
  readonly unknownTests: Set<number> = new Set();
  isCollapsed = false;
  #weight = 0;
  readonly #tests: readonly FilterTest[];
  readonly #checks: readonly Check[];
  readonly #known = new Map<string, Target>();

  constructor(tests: readonly FilterTest[], checks: readonly Check[]) {
    this.#tests = tests;
    this.#checks = checks;
  }

  /**
   * @param set indexes of tests, ascending: would the filter accept from any of them?
   */
  resolve(set: readonly number[]): Target {
    const [first, ...rest] = set;
    if (first === undefined) return 'reject';
    const key = set.join();
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const target = this.#resolveFirst(first, rest);
    this.#known.set(key, target);
    return target;
  }

  #resolveFirst(first: number, rest: readonly number[]): Target {
    const test = this.#tests[first];
    const check = this.#checks[first];
    if (test === undefined || check === undefined) {
      throw new RangeError(`a label leads to test ${first}, which the filter does not have`);
    }
    const { success, failure } = test;
    if (check.kind === 'decided') {
      const label = check.outcome === 'invalid' ? 'reject' : test[check.outcome];
      return this.#follow(rest, label);
    }
    if (check.kind === 'unknown' && success === failure) return this.#follow(rest, success);
    if (this.#weight >= MAX_WEIGHT) {
      this.isCollapsed = true;
      return 'accept';
    }
    return this.#addNode(first, check, rest);
  }

  #addNode(first: number, check: RuntimeCheck, rest: readonly number[]): Target {
    const { success, failure } = this.#tests[first] as FilterTest;
    if (check.kind === 'unknown') this.unknownTests.add(first);
    this.#weight += weightOf(check) - 1;
    const targets = {
      success: check.kind === 'unknown' ? 'reject' : this.#follow(rest, success),
      failure: this.#follow(rest, failure),
      unknown: canBeUnknown(check) ? this.#follow(rest, success, failure) : 'reject',
    } as const;
    this.nodes.push({ test: first, check, ...targets });
    this.#weight++;
    return this.nodes.length - 1;
  }

  #follow(rest: readonly number[], ...labels: readonly Label[]): Target {
    if (labels.includes('accept')) return 'accept';
    const set = new Set(rest);
    for (const label of labels) {
      if (typeof label === 'number') set.add(label);
    }
    return this.resolve([...set].sort((a, b) => a - b));
  }
}

/** Whether a check has a third answer. */
export function canBeUnknown(check: RuntimeCheck): boolean {
  return (
    check.kind === 'unknown' ||
    (check.kind === 'compare' && check.value.kind === 'bytes' && check.value.mayBeChecksum)
  );
}

/** Nodes were added with what follows them first: turned round, they are in the order of tests. */
function inOrder(planner: Planner, entry: Target): Plan {
  const order = planner.nodes
    .map((node, index) => ({ node, index }))
    .sort((a, b) => a.node.test - b.node.test || b.index - a.index);
  const places = new Map(order.map(({ index }, place) => [index, place]));
  const place = (target: Target): Target =>
    typeof target === 'number' ? (places.get(target) ?? 'reject') : target;
  return {
    nodes: order.map(({ node }) => ({
      ...node,
      success: place(node.success),
      failure: place(node.failure),
      unknown: place(node.unknown),
    })),
    entry: place(entry),
    unknownTests: planner.unknownTests,
    isCollapsed: planner.isCollapsed,
  };
}
