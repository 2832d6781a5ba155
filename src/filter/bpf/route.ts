/**
 * Follows what is known of a packet's headers through a plan: answers that are known already are
 * jumped over, places that nothing leads to are left out, and each place learns what holds there.
 *
 * @module
 */

import type { Plan, PlanNode, Target } from './plan.ts';
import { ALL_WORLDS, type Worlds } from './worlds.ts';

/** A question that is really asked. */
export interface Step {
  readonly node: PlanNode;
  /** The worlds that packets here can be in. */
  readonly worlds: Worlds;
  /** The worlds in which the question makes sense; packets of all others take `absent`. */
  readonly inside: Worlds;
  readonly absent: Target;
  readonly success: Target;
  readonly failure: Target;
  readonly unknown: Target;
}

/** A plan, routed. Targets are indexes of later steps. */
export interface Route {
  readonly steps: readonly Step[];
  readonly entry: Target;
}

/**
 * Routes a plan.
 *
 * @param plan any plan
 * @param worlds what packets the program can get
 */
export function routePlan(plan: Plan, worlds: Worlds): Route {
  const arriving = new Array<Worlds>(plan.nodes.length).fill(0);
  const arrive = (target: Target, from: Worlds): Target => {
    const end = skipDecided(plan, target, from);
    if (typeof end === 'number') arriving[end] = (arriving[end] ?? 0) | from;
    return end;
  };
  const entry = arrive(plan.entry, worlds);
  const steps = new Map<number, Step>();
  plan.nodes.forEach((node, index) => {
    const here = arriving[index] ?? 0;
    if (here === 0) return;
    const inside = here & node.check.worlds;
    const outside = here & ~node.check.worlds;
    const { kind } = node.check;
    steps.set(index, {
      node,
      worlds: here,
      inside,
      absent: outside === 0 ? 'reject' : arrive(node.failure, outside),
      success: kind === 'unknown' ? 'reject' : arrive(node.success, inside),
      failure: kind === 'compare' ? arrive(node.failure, inside) : 'reject',
      unknown: arrive(node.unknown, inside),
    });
  });
  return renumber(steps, entry);
}

/** Goes on from places whose answer is known. */
function skipDecided(plan: Plan, start: Target, worlds: Worlds): Target {
  let target = start;
  while (typeof target === 'number') {
    const node = plan.nodes[target];
    if (node === undefined) return 'reject';
    if ((worlds & node.check.worlds) === 0) {
      target = node.failure;
    } else if ((worlds & ~node.check.worlds & ALL_WORLDS) === 0 && node.check.kind !== 'compare') {
      target = node.check.kind === 'guard' ? node.success : node.unknown;
    } else {
      return target;
    }
  }
  return target;
}

function renumber(steps: ReadonlyMap<number, Step>, entry: Target): Route {
  const places = new Map([...steps.keys()].map((index, place) => [index, place]));
  const place = (target: Target): Target =>
    typeof target === 'number' ? (places.get(target) ?? 'reject') : target;
  const renumbered = [...steps.values()].map((step) => ({
    ...step,
    absent: place(step.absent),
    success: place(step.success),
    failure: place(step.failure),
    unknown: place(step.unknown),
  }));
  return { steps: renumbered, entry: place(entry) };
}

/** The targets that a step can really lead to. */
export function exitsOf(step: Step): Target[] {
  const { check } = step.node;
  const exits: Target[] = [];
  if (step.worlds !== step.inside) exits.push(step.absent);
  if (check.kind !== 'unknown') exits.push(step.success);
  if (check.kind === 'compare') exits.push(step.failure);
  if (step.unknown !== 'reject' || check.kind === 'unknown') exits.push(step.unknown);
  return exits;
}

/**
 * The last step that every way to all of the given steps goes through.
 *
 * @param route any route
 * @param wanted indexes of steps
 * @returns its index, or -1 when the ways part at the start already or nothing is wanted
 */
export function commonDominator(route: Route, wanted: readonly number[]): number {
  const dominators = immediateDominators(route);
  const [first, ...others] = wanted;
  if (first === undefined) return -1;
  return others.reduce((a, b) => meet(dominators, a, b), first);
}

const START = -1;
const UNSEEN = -2;

function immediateDominators(route: Route): Int32Array {
  const dominators = new Int32Array(route.steps.length).fill(UNSEEN);
  const reach = (target: Target, from: number): void => {
    if (typeof target !== 'number') return;
    const known = dominators[target] ?? UNSEEN;
    dominators[target] = known === UNSEEN ? from : meet(dominators, known, from);
  };
  reach(route.entry, START);
  route.steps.forEach((step, index) => {
    for (const exit of exitsOf(step)) reach(exit, index);
  });
  return dominators;
}

/** Dominators come before what they dominate, so the later of two climbs. */
function meet(dominators: Int32Array, a: number, b: number): number {
  let left = a;
  let right = b;
  while (left !== right) {
    if (left > right) left = dominators[left] ?? START;
    else right = dominators[right] ?? START;
  }
  return left;
}
