import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT } from '../helpers/command.ts';

/** A project of its own with the real scripts and packages, and small sources. */
let project: string;

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'netdivert-setup-'));
  const shared = [
    'scripts',
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
  ];
  for (const name of shared) cpSync(join(ROOT, name), join(project, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(project, 'node_modules'));
  const longAgo = new Date(0);
  utimesSync(join(project, 'package-lock.json'), longAgo, longAgo);
  mkdirSync(join(project, 'src/cli'), { recursive: true });
  write('cli/main.ts', "import { answer } from '../answer.ts';\nconsole.log(answer);\n");
  write('index.ts', "export { answer } from './answer.ts';\n");
  write('answer.ts', 'export const answer: number = 42;\n');
});

afterAll(() => rmSync(project, { recursive: true }));

function write(name: string, text: string): void {
  writeFileSync(join(project, 'src', name), text);
}

function setUp(purpose: string): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(project, 'scripts/setup.mjs'), purpose],
    { encoding: 'utf8' },
  );
  return { status, stdout, stderr };
}

const QUIET = { status: 0, stdout: '', stderr: '' };
const BUILT = { status: 0, stdout: '', stderr: 'setup: building (tsc)\n' };

test('builds what is missing, makes the command executable, and is silent then', () => {
  expect(setUp('build')).toEqual(BUILT);
  accessSync(join(project, 'dist/bin/main.js'), constants.X_OK);
  accessSync(join(project, 'dist/lib/index.js.map'));
  expect(setUp('build')).toEqual(QUIET);
});

test('output of a source that is gone goes, too', () => {
  write('old.ts', 'export const old: number = 1;\n');
  expect(setUp('build')).toEqual(BUILT);
  expect(existsSync(join(project, 'dist/old.js'))).toBe(true);
  rmSync(join(project, 'src/old.ts'));
  write('answer.ts', 'export const answer: number = 43;\n');
  expect(setUp('build')).toEqual(BUILT);
  expect(existsSync(join(project, 'dist/old.js'))).toBe(false);
  expect(existsSync(join(project, 'dist/old.d.ts'))).toBe(false);
});

test('a source that does not compile fails every time, and names the place', () => {
  write('answer.ts', "export const answer: number = 'x';\n");
  for (let run = 1; run <= 2; run++) {
    const { status, stderr } = setUp('build');
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^setup: building \(tsc\)\n\nsetup: The build failed:\nsrc\/answer\.ts\(1,14\)/,
    );
  }
});

test('another purpose is wrong usage', () => {
  expect(setUp('bogus')).toEqual({
    status: 2,
    stdout: '',
    stderr: 'usage: node scripts/setup.mjs build|start|test\n',
  });
});

test('packages behind a link are left alone: npm would empty the folder they are in', () => {
  const packages = mkdtempSync(join(tmpdir(), 'netdivert-packages-'));
  writeFileSync(join(packages, 'somebody'), '');
  const link = join(project, 'node_modules');
  rmSync(link);
  symlinkSync(packages, link);
  try {
    expect(setUp('build').stderr).not.toContain('installing');
    expect(existsSync(join(packages, 'somebody'))).toBe(true);
  } finally {
    rmSync(link);
    symlinkSync(join(ROOT, 'node_modules'), link);
    rmSync(packages, { recursive: true });
  }
});
