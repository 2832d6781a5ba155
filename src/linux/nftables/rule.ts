/**
 * What a rule of a handle is.
 *
 * @module
 */
import type { Expression } from './expression.ts';

/** What happens to packets a rule matches. */
export type RuleAction =
  /** `queues` in a row, among which flows are spread. */
  { kind: 'queue'; queueNumber: number; queues: number } | { kind: 'verdict'; code: number };

/** One rule: conditions, a program, an action. */
export interface RuleSpec {
  hook: number;
  priority: number;
  conditions: readonly Expression[];
  programFd: number;
  action: RuleAction;
}

/** A base chain. */
export interface Chain {
  name: string;
  hook: number;
  priority: number;
  free: boolean;
}

/** What the kernel counted for a handle's rules, in packets. */
export interface RuleCounters {
  /** Went through its chains. */
  offered: number;
  matched: number;
}
