import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Campaign, runCampaign } from './campaign.ts';

const LIMITS = { minutes: 1 / 10, cases: 60 };
/** Nine are more than a campaign may keep. */
const CASE_BYTES = 8 << 20;
const CASE_MS = 40;

function campaign(check: Campaign['check']): Campaign {
  return { name: 'example', generate: (random) => random.bytes(8), check };
}

test('a campaign whose memory grows fails', async () => {
  const kept: Uint8Array[] = [];
  const leaks = campaign(async () => {
    kept.push(new Uint8Array(CASE_BYTES).fill(1));
    await sleep(CASE_MS);
  });
  await expect(runCampaign(leaks, 1, LIMITS)).rejects.toThrow(
    /^example: \d+ MiB more after \d+ cases$/,
  );
});

test('one that uses as much and lets it go does not', async () => {
  const uses = campaign(async () => {
    new Uint8Array(CASE_BYTES).fill(1);
    await sleep(CASE_MS);
  });
  const { cases, growthMiB } = await runCampaign(uses, 1, LIMITS);
  expect(cases).toBeGreaterThan(0);
  expect(growthMiB).toBeLessThan(8);
});
