import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { ensureBuilt } from '../helpers/command.ts';

const SCRIPT = fileURLToPath(new URL('../soak/soak.mjs', import.meta.url));

beforeAll(ensureBuilt, 60_000);

test('the short form of the soak: every packet accounted for, nothing left', async () => {
  const args = ['--expose-gc', SCRIPT, '--minutes', '0.05', '--seconds', '3', '--rate', '20000'];
  const result = await promisify(execFile)(process.execPath, args).catch((error) => error);
  expect(result.stderr).toBe('');
  expect(result.stdout).not.toContain('!!');
  expect(result.stdout).toContain('every packet accounted for, nothing left');
});
