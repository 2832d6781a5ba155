/**
 * Runs workloads and prints their tables: `npm run bench -- [workload...] [--rounds N] [--json FILE] [--once] [--list]`.
 *
 * In every round each contestant of a workload has one turn, so that what slows the machine down slows all. Cells
 * are median (minimum-maximum), and the median of the ratios to the baseline of the same round.
 *
 * @module
 */

import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { describeMachine } from './harness/machine.ts';
import { type Cell, cellsOf, formatTable } from './harness/table.ts';
import type { BenchOptions, Contestant, Figures, Workload } from './harness/workload.ts';
import { WORKLOADS } from './workloads.ts';

const DEFAULT_ROUNDS = 5;
const WIDTH = 24;
const PRODUCT = 'netdivert';

/** What a workload gave. */
interface Outcome {
  readonly workload: string;
  readonly title: string;
  readonly baseline: string;
  readonly rounds: number;
  /** Of the last minute, at the end. */
  readonly load: number;
  readonly cells: readonly Cell[];
  readonly skipped: Readonly<Record<string, string>>;
  readonly failures: readonly string[];
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function runWorkload(
  workload: Workload,
  rounds: number,
  options: BenchOptions,
): Promise<Outcome> {
  const skipped: Record<string, string> = {};
  const contestants = workload.contestants.filter((contestant) => {
    const reason = reasonAgainst(workload, contestant, options);
    if (reason !== '') skipped[contestant.name] = reason;
    return reason === '';
  });
  const results = new Map(contestants.map(({ name }) => [name, [] as (Figures | undefined)[]]));
  const failures: string[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const contestant of contestants) {
      const figures = await attempt(contestant, options);
      if (typeof figures === 'string') failures.push(`${contestant.name}: ${figures}`);
      results.get(contestant.name)?.push(typeof figures === 'string' ? undefined : figures);
      say(`${workload.name} ${round}/${rounds} ${contestant.name.padEnd(WIDTH)} ${show(figures)}`);
    }
  }
  const { name, title, baseline } = workload;
  const cells = cellsOf(workload, results);
  const load = Number(loadavg()[0]?.toFixed(2));
  return { workload: name, title, baseline, rounds, load, cells, skipped, failures };
}

/** Why a contestant does not take part; empty when it does. */
function reasonAgainst(
  workload: Workload,
  { name, always, missing }: Contestant,
  { once }: BenchOptions,
): string {
  const isNeeded = always || name === PRODUCT || name === workload.baseline;
  if (once && !isNeeded) return 'not in a run with --once';
  return workload.missing?.() || missing?.() || '';
}

async function attempt(contestant: Contestant, options: BenchOptions): Promise<Figures | string> {
  try {
    return await contestant.run(options);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function show(figures: Figures | string): string {
  if (typeof figures === 'string') return `failed: ${figures}`;
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${value?.toPrecision(4)}`)
    .join(', ');
}

function print(workload: Workload, outcome: Outcome): void {
  const { title, cells, skipped, failures, rounds, load } = outcome;
  const turns = rounds === 1 ? 'One round' : `${rounds} rounds`;
  const lines = [
    `\n## ${workload.name}\n`,
    `${title}. ${turns}; ratios to ${workload.baseline}; load average ${load}.\n`,
    formatTable(workload, cells),
    ...Object.entries(skipped).map(([name, reason]) => `\nWithout ${name}: ${reason}.`),
    ...failures.map((failure) => `\nFailed: ${failure}`),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    json: { type: 'string' },
    once: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});
const unknown = positionals.filter((name) => !WORKLOADS.some((one) => one.name === name));
if (unknown.length > 0 || values.list) {
  if (unknown.length > 0) say(`bench: no workload ${unknown.join(', ')}. There are:`);
  for (const { name, title } of WORKLOADS) console.log(`${name.padEnd(WIDTH)} ${title}`);
  process.exit(unknown.length > 0 ? 2 : 0);
}
const asked = Number(values.rounds ?? 0);
const chosen = WORKLOADS.filter(
  ({ name }) => positionals.length === 0 || positionals.includes(name),
);
const machine = describeMachine();
process.stdout.write(`${Object.values(machine).join(', ')}\n`);
const outcomes: Outcome[] = [];
for (const workload of chosen) {
  const rounds = values.once ? 1 : asked || (workload.rounds ?? DEFAULT_ROUNDS);
  const outcome = await runWorkload(workload, rounds, { once: values.once });
  outcomes.push(outcome);
  print(workload, outcome);
  if (values.json !== undefined) {
    writeFileSync(values.json, JSON.stringify({ machine, workloads: outcomes }, null, 1));
  }
}
if (outcomes.some(({ failures }) => failures.length > 0)) process.exitCode = 1;
