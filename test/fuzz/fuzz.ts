/**
 * Runs the campaigns for as long as it is told to: `run.mjs` starts it.
 *
 * @module
 */

import { beforeAll, expect, test } from 'vitest';
import { ensureBuilt } from '../helpers/command.ts';
import { runCampaign, runCase } from './campaign.ts';
import { CAMPAIGNS } from './campaigns.ts';
import { runExactness } from './exactness.ts';

const MILLISECONDS_PER_MINUTE = 60_000;
const EXACTNESS = 'exactness';
/** Runs the program itself. */
const BUILT = 'arguments';
const BUILD_MS = 300_000;

const limits = {
  minutes: Number(process.env.FUZZ_MINUTES ?? '1'),
  cases: Number(process.env.FUZZ_CASES ?? 'Infinity'),
};
const chosen = (process.env.FUZZ_CAMPAIGNS ?? '').split(',').filter(Boolean);
/** With a seed, that one case only. */
const given = process.env.SEED;
const seed = given === undefined ? Date.now() >>> 0 : Number(given);
const timeout = (limits.minutes + 2) * MILLISECONDS_PER_MINUTE;

const isChosen = (name: string): boolean => chosen.length === 0 || chosen.includes(name);
const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const timesOf = (spent: { seconds: number; processorSeconds: number }): string =>
  `${spent.seconds.toFixed(0)} s, ${spent.processorSeconds.toFixed(0)} s of processor time`;

if (isChosen(BUILT)) beforeAll(ensureBuilt, BUILD_MS);

test('campaigns that are asked for exist', () => {
  const known = [EXACTNESS, ...CAMPAIGNS.map(({ name }) => name)];
  expect(chosen.filter((name) => !known.includes(name))).toEqual([]);
});

test.runIf(isChosen(EXACTNESS))('exactness', { timeout }, () => {
  const most = given === undefined ? limits.cases : 1;
  print(`exactness: from SEED=${seed}: begins`);
  const report = runExactness(seed, { ...limits, cases: most }, print);
  const { filters, cases, tally } = report;
  print(
    `exactness: from SEED=${seed}: ${filters} filters, ${cases} cases in ${timesOf(report)} ` +
      JSON.stringify(tally),
  );
  expect(cases).toBeGreaterThan(0);
});

/** No crash, no hang, no growth. */
test.each(
  CAMPAIGNS.filter(({ name }) => isChosen(name)).map((campaign) => ({
    name: campaign.name,
    campaign,
  })),
)('$name', { timeout }, async ({ name, campaign }) => {
  if (given !== undefined) return void (await runCase(campaign, seed));
  print(`${name}: from SEED=${seed}: begins`);
  const report = await runCampaign(campaign, seed, limits);
  const { cases, slowestMs, growthMiB } = report;
  print(
    `${name}: from SEED=${seed}: ${cases} cases in ${timesOf(report)}, ` +
      `slowest ${slowestMs.toFixed(0)} ms, memory ${growthMiB.toFixed(1)} MiB more`,
  );
  expect(cases).toBeGreaterThan(0);
});
