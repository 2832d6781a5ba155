/**
 * `npm run fuzz -- [campaign...] [--minutes N] [--cases N] [--seed S]`: the campaigns of `campaigns.ts`, all of them by
 * default, each for that long. With a seed: that one case of one campaign.
 */

import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '1' },
    cases: { type: 'string', default: 'Infinity' },
    seed: { type: 'string' },
  },
});
for (const name of ['minutes', 'cases']) {
  if (Number(values[name]) > 0) continue;
  console.error(`fuzz: --${name} ${values[name]} is no positive number`);
  process.exit(2);
}

const environment = {
  ...process.env,
  FUZZ_MINUTES: values.minutes,
  FUZZ_CASES: values.cases,
  FUZZ_CAMPAIGNS: positionals.join(','),
};
// The kernel's engine takes part wherever programs can be loaded.
environment.FUZZ_BPF ??= process.platform === 'linux' && process.getuid() === 0 ? '1' : '0';
if (values.seed !== undefined) environment.SEED = values.seed;
const { status } = spawnSync('npx', ['vitest', 'run', '--project', 'fuzz'], {
  env: environment,
  stdio: 'inherit',
});
process.exit(status ?? 1);
