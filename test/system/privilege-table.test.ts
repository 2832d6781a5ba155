/**
 * The table of docs/trust/privileges.md: each feature, as an ordinary user, with just the capabilities it needs; and
 * with one of them less, where the error has to name it.
 */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureBuilt } from '../helpers/command.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';

const SCRIPT = fileURLToPath(new URL('../helpers/feature.mjs', import.meta.url));
const DOCUMENT = new URL('../../docs/trust/privileges.md', import.meta.url);
const NOBODY = '65534';

/** Rows `| feature | capabilities |`, where both are code. */
const ROWS = [
  ...readFileSync(DOCUMENT, 'utf8').matchAll(/^\| `([^`]+)` \| ((?:`CAP_\w+`,? ?)+)\|/gm),
].map(([, feature = '', capabilities = '']) => ({
  feature,
  capabilities: [...capabilities.matchAll(/CAP_\w+/g)].map(([name]) => name),
}));

let net: Network;
beforeAll(async () => {
  ensureBuilt();
  net = await createNetwork();
}, 60_000);
afterAll(() => net.close());

async function use(feature: string, capabilities: readonly string[]): Promise<string> {
  const names = capabilities.map((name) => `+${name.replace('CAP_', '').toLowerCase()}`);
  const set = ['-all', ...names].join(',');
  const { stdout, stderr } = await net.a.exec('setpriv', [
    `--reuid=${NOBODY}`,
    `--regid=${NOBODY}`,
    '--clear-groups',
    `--inh-caps=${set}`,
    `--ambient-caps=${set}`,
    '--bounding-set=+all',
    process.execPath,
    SCRIPT,
    feature,
    net.b.path,
  ]);
  return `${stdout}${stderr}`.trimEnd();
}

test('the table has rows', () => {
  expect(ROWS.length).toBeGreaterThan(10);
});

describe.each(ROWS)('$feature', ({ feature, capabilities }) => {
  test(`works with ${capabilities.join(', ')} and no user id 0`, async () => {
    expect(await use(feature, capabilities)).toBe('works');
  });

  test.each(capabilities)(
    'without %s: the error names a capability that is missing',
    async (missing) => {
      const rest = capabilities.filter((name) => name !== missing);
      const said = await use(feature, rest);
      expect(said).toMatch(/^(UnsupportedError access-denied|SystemError system)/);
      expect(said).toMatch(/CAP_|EPERM/);
    },
  );
});
