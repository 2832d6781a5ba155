/** What the fuzzer found stays found; and each campaign runs for a moment. */

import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { ensureBuilt } from '../helpers/command.ts';
import { Random } from '../helpers/random.ts';
import { decodeInput, type EncodedInput, runCase } from './campaign.ts';
import { CAMPAIGNS } from './campaigns.ts';
import { ENGINES } from './engines.ts';
import { type ExactnessCase, replay } from './exactness-case.ts';

interface Kept {
  readonly campaign: string;
  readonly input?: EncodedInput;
  readonly difference?: ExactnessCase;
}

const FOLDER = new URL('./corpus/', import.meta.url);
const kept = readdirSync(FOLDER).map((name): [string, Kept] => [
  name,
  JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')),
]);

/** Of each campaign; one that starts processes has fewer. */
const CASES = 300;
const PROCESSES = 5;

beforeAll(ensureBuilt, 60_000);

test.each(kept)('%s', async (_, { campaign, input, difference }) => {
  if (difference) expect(replay(difference, ENGINES)).toBeNull();
  const found = CAMPAIGNS.find(({ name }) => name === campaign);
  if (input) await found?.check(decodeInput(input));
  expect(difference ?? (found && input)).toBeDefined();
});

describe('a moment of', () => {
  const { seed } = new Random();
  test.each(CAMPAIGNS.map((campaign) => [campaign.name, campaign] as const))(
    '%s',
    async (name, campaign) => {
      const cases = name === 'arguments' ? PROCESSES : CASES;
      for (let done = 0; done < cases; done++) await runCase(campaign, (seed + done) >>> 0, false);
      expect(cases).toBeGreaterThan(0);
    },
  );
});
