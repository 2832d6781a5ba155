/**
 * Which processes: `curl`, `4711`, `!curl`, or several of these with commas.
 *
 * @module
 */

import { InvalidArgumentError } from 'commander';

/** One process or all of one name, wanted or not. */
export interface ProcessTerm {
  readonly negated: boolean;
  /** A process id, or a name as the kernel has it. */
  readonly process: number | string;
}

/** Whose packets are meant: of any of those wanted, and of none of those not wanted. */
export type ProcessSpec = readonly ProcessTerm[];

/** What is compared. */
export interface KnownProcess {
  readonly pid: number;
  readonly name: string | null;
}

/** The kernel keeps this many bytes of a name. */
const NAME_BYTES = 15;

/** Reads the value of `--process`. */
export function parseProcessSpec(text: string): ProcessSpec {
  return text.split(',').map((part) => {
    const negated = part.startsWith('!');
    const name = (negated ? part.slice(1) : part).trim();
    if (name === '' || /["\\\p{Cc}]/u.test(name)) {
      throw new InvalidArgumentError('A process is needed: a name, an id, or !name.');
    }
    return { negated, process: /^\d+$/.test(name) ? Number(name) : name };
  });
}

/** The filter with the condition added, in the extended dialect. */
export function restrictToProcess(filter: string, spec: ProcessSpec): string {
  const wanted = spec.filter(({ negated }) => !negated).map((term) => testOf(term, '=='));
  const parts = spec.filter(({ negated }) => negated).map((term) => testOf(term, '!='));
  if (wanted.length > 0)
    parts.unshift(wanted.length > 1 ? `(${wanted.join(' or ')})` : `${wanted}`);
  const text = filter.trim();
  return text === 'true' ? parts.join(' and ') : `(${text}) and ${parts.join(' and ')}`;
}

function testOf({ process }: ProcessTerm, sign: string): string {
  return typeof process === 'number'
    ? `processId ${sign} ${process}`
    : `processName ${sign} "${process}"`;
}

/** Whether a process is meant. One that is not known is not. */
export function matchesProcess(known: KnownProcess | null, spec: ProcessSpec): boolean {
  const is = ({ process }: ProcessTerm): boolean => known !== null && isProcess(known, process);
  const wanted = spec.filter(({ negated }) => !negated);
  if (spec.some((term) => term.negated && is(term))) return false;
  return wanted.length === 0 || wanted.some(is);
}

function isProcess({ pid, name }: KnownProcess, process: number | string): boolean {
  if (typeof process === 'number') return pid === process;
  return name !== null && Buffer.from(process).subarray(0, NAME_BYTES).toString() === name;
}
