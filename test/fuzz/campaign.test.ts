import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Campaign, runCampaign } from './campaign.ts';

const LIMITS = { minutes: 1 / 30, cases: 200 };
const CASE_BYTES = 1 << 20;

function campaign(check: Campaign['check']): Campaign {
  return { name: 'example', generate: (random) => random.bytes(8), check };
}

test('a campaign whose memory grows fails', async () => {
  const kept: Uint8Array[] = [];
  const leaks = campaign(async () => {
    kept.push(new Uint8Array(CASE_BYTES).fill(1));
    await sleep(5);
  });
  await expect(runCampaign(leaks, 1, LIMITS)).rejects.toThrow(
    /^example: \d+ MiB more after \d+ cases$/,
  );
  expect(kept.length).toBeGreaterThan(0);
});

test('one that uses as much and lets it go does not', async () => {
  const uses = campaign(async () => {
    new Uint8Array(CASE_BYTES).fill(1);
    await sleep(5);
  });
  const { cases, growthMiB } = await runCampaign(uses, 1, LIMITS);
  expect(cases).toBeGreaterThan(100);
  expect(growthMiB).toBeLessThan(8);
});
