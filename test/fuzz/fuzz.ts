/**
 * Runs the campaigns for as long as it is told to: `run.mjs` starts it.
 *
 * @module
 */

import { describe, expect, test } from 'vitest';
import { runCampaign, runCase } from './campaign.ts';
import { CAMPAIGNS } from './campaigns.ts';
import { runExactness } from './exactness.ts';

const MILLISECONDS_PER_MINUTE = 60_000;
const EXACTNESS = 'exactness';

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

test('campaigns that are asked for exist', () => {
  const known = [EXACTNESS, ...CAMPAIGNS.map(({ name }) => name)];
  expect(chosen.filter((name) => !known.includes(name))).toEqual([]);
});

test.runIf(isChosen(EXACTNESS))('exactness', { timeout }, () => {
  const most = given === undefined ? limits.cases : 1;
  const { filters, cases, tally } = runExactness(seed, { ...limits, cases: most }, print);
  print(
    `exactness: from SEED=${seed}: ${filters} filters, ${cases} cases ${JSON.stringify(tally)}`,
  );
  expect(cases).toBeGreaterThan(0);
});

describe('nothing crashes, hangs or grows', () => {
  test.each(
    CAMPAIGNS.filter(({ name }) => isChosen(name)).map((campaign) => [campaign.name, campaign]),
  )('%s', { timeout }, async (name, campaign) => {
    if (typeof campaign === 'string') throw new TypeError('a row is a name and a campaign');
    if (given !== undefined) return void (await runCase(campaign, seed));
    const { cases, seconds, slowestMs, growthMiB } = await runCampaign(campaign, seed, limits);
    print(
      `${name}: from SEED=${seed}: ${cases} cases in ${seconds.toFixed(0)} s, ` +
        `slowest ${slowestMs.toFixed(0)} ms, memory ${growthMiB.toFixed(1)} MiB more`,
    );
    expect(cases).toBeGreaterThan(0);
  });
});
