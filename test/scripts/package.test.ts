import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { ROOT } from '../helpers/command.ts';

/** Files of the package, from its folder. */
let files: ReadonlySet<string>;

beforeAll(() => {
  const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  const [packed] = JSON.parse(stdout);
  files = new Set(packed.files.map(({ path }: { path: string }) => path));
}, 60_000);

interface Manifest {
  readonly exports: Readonly<Record<string, string | { types: string; default: string }>>;
  readonly bin: Readonly<Record<string, string>>;
}

test('everything that package.json names is in the package', () => {
  const manifest: Manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const targets = Object.values(manifest.exports).flatMap((target) =>
    typeof target === 'string' ? [target] : [target.types, target.default],
  );
  for (const path of [...targets, ...Object.values(manifest.bin)]) {
    expect(files).toContain(path.replace(/^\.\//, ''));
  }
});

test('modules that are bundled are not in it a second time', () => {
  const modules = [...files].filter((path) => /^dist\/(?!lib\/|bin\/).*\.js$/.test(path));
  expect(modules).toEqual([]);
});

test('a class is one class wherever it is imported from', () => {
  const script =
    "const [all, filter, packet, windivert] = await Promise.all(['', '/filter', '/packet', '/windivert']" +
    '.map((path) => import(`netdivert$' +
    '{path}`)));' +
    'console.log(all.Filter === filter.Filter, all.Packet === packet.Packet, windivert !== undefined);';
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', script],
    { cwd: ROOT, encoding: 'utf8' },
  );
  expect({ stdout, stderr }).toEqual({ stdout: 'true true true\n', stderr: '' });
});
