/**
 * `npm run trust -- [campaign...] [--minutes N] [--quick] [--list]`: makes the faults happen that docs/trust/README.md is
 * about, and prints what came of it. All campaigns by default, one after the other: each is a file in scripts/trust.
 *
 * A campaign exports `run({ minutes, quick, say })`, which returns its figures in words, or whether the promise holds, and
 * may throw when it does not; then `summary` says what holds.
 */

import { readdirSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { orExplain, ROOT, setUp } from './setup.mjs';

const FOLDER = join(ROOT, 'scripts/trust');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '10' },
    quick: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});

const names = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.mjs'))
  .map((name) => name.slice(0, -'.mjs'.length));
const unknown = positionals.filter((name) => !names.includes(name));
const minutes = values.quick ? 0.2 : Number(values.minutes);
if (unknown.length > 0 || !(minutes > 0)) {
  const wrong =
    unknown.length > 0 ? `no campaign ${unknown.join(', ')}` : `--minutes ${values.minutes}`;
  process.stderr.write(`trust: ${wrong}; there are: ${names.join(', ')}\n`);
  process.exit(2);
}

async function runCampaign(name) {
  const { run, summary = '' } = await import(join(FOLDER, `${name}.mjs`));
  const say = (line) => process.stdout.write(`${line}\n`);
  const result = await run({ minutes, quick: values.quick, say });
  if (result === false) throw new Error(summary);
  return typeof result === 'string' ? result : summary;
}

if (values.list) {
  process.stdout.write(`${names.join('\n')}\n`);
  process.exit();
}
orExplain(() => setUp('test'));
const rows = [];
for (const name of positionals.length > 0 ? positionals : names) {
  process.stdout.write(`\n== ${name}\n`);
  const start = Date.now();
  const row = await runCampaign(name).then(
    (figures) => ({ holds: true, figures }),
    (error) => ({ holds: false, figures: String(error.message) }),
  );
  rows.push({ name, seconds: Math.round((Date.now() - start) / 1000), ...row });
}
const day = new Date().toISOString().slice(0, 10);
process.stdout.write(`\n${day}, Linux ${release()}, Node.js ${process.versions.node}\n`);
for (const { name, holds, seconds, figures } of rows) {
  process.stdout.write(
    `${holds ? 'ok    ' : 'FAILED'} ${name.padEnd(14)} ${`${seconds} s`.padStart(7)}  ${figures}\n`,
  );
}
process.exit(rows.every(({ holds }) => holds) ? 0 : 1);
