/**
 * System calls that fail. The short form lets each kind of call fail once in each scenario; the long
 * form, `npm run trust -- faults`, every call with every errno.
 */
import { appendFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Campaign, nameOf, type Verdict } from '../faults/campaign.ts';
import { SCENARIOS } from '../faults/scenarios.ts';
import type { Fault } from '../faults/seam.ts';
import { Wire } from '../faults/wire.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { Random } from '../helpers/random.ts';

/** 'long': every errno for some calls of each kind; 'all': for every call; else a few by the seed. */
const FORM = process.env.FAULTS;
const IS_LONG = FORM !== undefined;
const REPORT = process.env.FAULTS_REPORT;
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));
const ONLY = process.env.FAULTS_ONLY;
/** `2/3`: the second of three parts of each scenario's faults, which can be run side by side. */
const [PART = 1, PARTS = 1] = (process.env.FAULTS_PART ?? '1/1').split('/').map(Number);
const LONG_MS = 3_600_000;

let network: Network;
let wire: Wire;
let campaign: Campaign;
beforeAll(async () => {
  network = await createNetwork();
  wire = new Wire(network);
  campaign = new Campaign({ network, wire });
});
afterAll(async () => {
  campaign[Symbol.dispose]();
  wire[Symbol.dispose]();
  await network.close();
});

/** Calls of one kind and scenario in the long form, spread over all of them. */
const CALLS_OF_A_KIND = 4;
/** Faults of one scenario in the short form. */
const SHORT = 8;

function choose(faults: readonly Fault[]): readonly Fault[] {
  if (FORM === 'all') return faults;
  return FORM === 'long' ? spread(faults) : sample(faults, new Random(SEED));
}

function spread(faults: readonly Fault[]): Fault[] {
  const last = new Map<string, number>();
  for (const { call, ordinal } of faults) last.set(call, ordinal);
  return faults.filter(({ call, ordinal }) => {
    const count = last.get(call) ?? 1;
    const step = Math.max(1, (count - 1) / (CALLS_OF_A_KIND - 1));
    return Math.round(Math.round((ordinal - 1) / step) * step) === ordinal - 1;
  });
}

/** One of some kinds of call, all of it left to the seed. */
function sample(faults: readonly Fault[], random: Random): Fault[] {
  const kinds = new Map<string, Fault[]>();
  for (const fault of faults) {
    const kind = kinds.get(fault.call);
    if (kind) kind.push(fault);
    else kinds.set(fault.call, [fault]);
  }
  const chosen: Fault[] = [];
  const left = [...kinds.values()];
  while (chosen.length < SHORT && left.length > 0) {
    const [kind = []] = left.splice(random.below(left.length), 1);
    chosen.push(random.pick(kind));
  }
  return chosen;
}

function report(scenario: string, verdict: Verdict): void {
  if (!REPORT) return;
  const { fault, isMissed, error, complaints } = verdict;
  const outcome = isMissed ? 'missed' : (error ?? 'works');
  const columns = [scenario, nameOf(fault), outcome, ...complaints];
  appendFileSync(REPORT, `${columns.join('\t').replaceAll('\n', ' ')}\n`);
}

test.each(SCENARIOS)('$name', { timeout: IS_LONG ? LONG_MS : 120_000 }, async (scenario) => {
  if (ONLY !== undefined && !scenario.name.match(ONLY)) return;
  const all = await campaign.faultsOf(scenario);
  const faults = choose(all).filter((_, index) => index % PARTS === PART - 1);
  const bad: string[] = [];
  for (const fault of faults) {
    if (REPORT) writeFileSync(`${REPORT}.now`, `${scenario.name}\t${nameOf(fault)}\n`);
    const verdict = await campaign.judge(scenario, fault);
    report(scenario.name, verdict);
    for (const complaint of verdict.complaints) bad.push(`${nameOf(fault)}: ${complaint}`);
  }
  expect(bad, `SEED=${SEED}`).toEqual([]);
});
