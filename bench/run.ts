/**
 * Runs workloads and prints their tables: `npm run bench -- [workload or group...] [--rounds N] [--seconds N] [--json FILE] [--docs] [--once] [--list]`.
 *
 * `--docs` puts the tables, with those of earlier runs, into docs/performance.md.
 *
 * In every round each contestant of a workload has one turn, so that what slows the machine down slows all. Cells
 * are median (minimum-maximum), and the median of the ratios to the baseline of the same round.
 *
 * @module
 */

import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { fillDocument } from './harness/document.ts';
import { describeMachine } from './harness/machine.ts';
import { formatOutcome, type Outcome, type Results, remember } from './harness/outcome.ts';
import { cellsOf } from './harness/table.ts';
import type { BenchOptions, Contestant, Figures, Workload } from './harness/workload.ts';
import { formatTargets } from './targets.ts';
import { WORKLOADS } from './workloads.ts';

const DEFAULT_ROUNDS = 5;
const WIDTH = 24;
const PRODUCT = 'netdivert';
/** Workloads at the same time where figures do not matter. */
const LANES_ONCE = 4;

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

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    json: { type: 'string' },
    docs: { type: 'boolean', default: false },
    once: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});
const isCalled = ({ name, group }: Workload, asked: string): boolean =>
  name === asked || group === asked;
const unknown = positionals.filter((name) => !WORKLOADS.some((one) => isCalled(one, name)));
const chosen = WORKLOADS.filter(
  (one) => positionals.length === 0 || positionals.some((name) => isCalled(one, name)),
);
if (unknown.length > 0 || values.list) {
  if (unknown.length > 0) say(`bench: no workload ${unknown.join(', ')}. There are:`);
  const listed = unknown.length > 0 ? WORKLOADS : chosen;
  for (const { name, title } of listed) console.log(`${name.padEnd(WIDTH)} ${title}`);
  process.exit(unknown.length > 0 ? 2 : 0);
}
const asked = Number(values.rounds ?? 0);
const machine = describeMachine();
process.stdout.write(`${Object.values(machine).join(', ')}\n`);
const { once, seconds } = values;
const options: BenchOptions = seconds === undefined ? { once } : { once, seconds: Number(seconds) };
const done = new Map<Workload, Outcome>();
let kept: Results | null = null;

async function runOne(workload: Workload): Promise<void> {
  const rounds = once ? 1 : asked || (workload.rounds ?? DEFAULT_ROUNDS);
  const outcome = await runWorkload(workload, rounds, options);
  done.set(workload, outcome);
  process.stdout.write(`\n## ${workload.name}\n\n${formatOutcome(workload, outcome)}\n`);
  const results = { machine, workloads: chosen.flatMap((one) => done.get(one) ?? []) };
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results, null, 1));
  if (!once) kept = remember(results);
}

const waiting = chosen.values();
async function runLane(): Promise<void> {
  for (const workload of waiting) await runOne(workload);
}
await Promise.all(Array.from({ length: once ? LANES_ONCE : 1 }, runLane));
const outcomes = [...done.values()];
process.stdout.write(`\n## Targets\n\n${formatTargets(outcomes)}\n`);
if (values.docs && kept !== null) fillDocument(kept);
if (outcomes.some(({ failures }) => failures.length > 0)) process.exitCode = 1;
