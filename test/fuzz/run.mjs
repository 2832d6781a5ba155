// npm run fuzz -- [--minutes N] [--seed S]

import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '1' }, seed: { type: 'string' } },
});
if (!(Number(values.minutes) > 0)) {
  console.error(`fuzz: --minutes ${values.minutes} is no positive number`);
  process.exit(2);
}

const environment = { ...process.env, FUZZ_MINUTES: values.minutes };
// The kernel's engine takes part wherever programs can be loaded.
environment.FUZZ_BPF ??= process.platform === 'linux' && process.getuid() === 0 ? '1' : '0';
if (values.seed !== undefined) environment.SEED = values.seed;
const { status } = spawnSync('npx', ['vitest', 'run', '--project', 'fuzz'], {
  env: environment,
  stdio: 'inherit',
});
process.exit(status ?? 1);
