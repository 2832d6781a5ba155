/** What workloads gave, kept for documents: the last outcome of each. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CACHE } from './folders.ts';
import type { Machine } from './machine.ts';
import { type Cell, formatTable } from './table.ts';
import type { Workload } from './workload.ts';

const FILE = join(CACHE, 'results.json');

/** What a workload gave. */
export interface Outcome {
  readonly workload: string;
  readonly title: string;
  readonly baseline: string;
  readonly rounds: number;
  /** Of the last minute, at the end. */
  readonly load: number;
  readonly cells: readonly Cell[];
  /** Who did not take part, and why. */
  readonly skipped: Readonly<Record<string, string>>;
  readonly failures: readonly string[];
}

/** Everything that was measured on a machine. */
export interface Results {
  readonly machine: Machine;
  readonly workloads: readonly Outcome[];
}

/** A workload's part of a document, without its heading. */
export function formatOutcome(workload: Workload, outcome: Outcome): string {
  const { title, cells, skipped, failures, rounds, load } = outcome;
  const turns = rounds === 1 ? 'One round' : `${rounds} rounds`;
  return [
    `${title}. ${turns}; ratios to ${workload.baseline}; load average ${load.toFixed(1)}.\n`,
    formatTable(workload, cells),
    ...Object.entries(skipped).map(([name, reason]) => `\nWithout ${name}: ${reason}.`),
    ...failures.map((failure) => `\nFailed: ${failure}`),
  ].join('\n');
}

/** Adds outcomes to those of earlier runs on this machine, which they replace. */
export function remember({ machine, workloads }: Results): Results {
  const earlier = existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Results) : null;
  const names = new Set(workloads.map(({ workload }) => workload));
  const isSame =
    earlier?.machine.processor === machine.processor && earlier.machine.kernel === machine.kernel;
  const kept = isSame ? earlier.workloads.filter(({ workload }) => !names.has(workload)) : [];
  const results = { machine, workloads: [...kept, ...workloads] };
  mkdirSync(dirname(FILE), { recursive: true });
  writeFileSync(FILE, JSON.stringify(results, null, 1));
  return results;
}
