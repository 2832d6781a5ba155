import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { ensureBuilt, netdivert, ROOT } from '../helpers/command.ts';
import { codeBlocks, documents, writeModules } from '../helpers/markdown.ts';

const BLOCKS = documents().flatMap(codeBlocks);
const TYPESCRIPT = BLOCKS.filter(({ language }) => language === 'ts');
const OFFLINE = TYPESCRIPT.filter(({ run }) => run === 'offline');
/** What stands in front of a command in `sh` blocks and says nothing about it. */
const PREFIXES = /^(?:sudo )?(?:npx )?/;
const WITH_SUBCOMMANDS = ['filter', 'handles'];
const NPM_COMMANDS = ['npm start', 'npm test', 'npm install netdivert'];

beforeAll(ensureBuilt, 60_000);

test('every block is of a kind that is tested', () => {
  // C and Python are what other projects' users have; Python is parsed by test/system/coming-from.test.ts.
  const known = ['ts', 'sh', 'console', 'text', 'c', 'python'];
  expect(BLOCKS.filter(({ language }) => !known.includes(language))).toEqual([]);
  const runs = TYPESCRIPT.map(({ place, run }) => [place, run !== null]);
  expect(runs).toEqual(TYPESCRIPT.map(({ place }) => [place, true]));
});

test('README.md has at most 200 lines', () => {
  const lines = spawnSync('wc', ['-l', join(ROOT, 'README.md')], { encoding: 'utf8' }).stdout;
  expect(Number.parseInt(lines, 10)).toBeLessThanOrEqual(200);
});

test('console blocks and the table of fields are what the commands print', () => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/docs.mjs', '--check'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
}, 60_000);

test('TypeScript blocks have the right types', () => {
  const files = writeModules('docs-types', TYPESCRIPT, '.ts');
  const configuration = join(ROOT, '.cache/docs-types/tsconfig.json');
  writeFileSync(
    configuration,
    JSON.stringify({
      extends: '../../tsconfig.json',
      compilerOptions: { isolatedDeclarations: false, declaration: false },
      files,
    }),
  );
  const { status, stdout } = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', configuration], {
    encoding: 'utf8',
  });
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
}, 60_000);

describe('TypeScript blocks that need no privileges', () => {
  test.each(OFFLINE.map((block, index) => [block.place, block, index] as const))(
    '%s prints what its comments say',
    (_place, block, index) => {
      const [file = ''] = writeModules(`docs-offline-${index}`, [block], '.mjs');
      const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
        cwd: ROOT,
        encoding: 'utf8',
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const comments = [...block.source.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)];
      expect(comments.length).toBeGreaterThan(0);
      expect(stdout).toBe(comments.map(([, text]) => `${text}\n`).join(''));
    },
  );
});

describe('shell blocks', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const lines = BLOCKS.filter(({ language }) => language === 'sh').flatMap(({ place, source }) =>
    source
      .split(/\n| && /)
      .map((line) => line.replace(/\s+#.*$/, ''))
      .filter((line) => line !== '')
      .map((line) => [line, place] as const),
  );

  test.each(lines)('%s (%s) names commands and options that exist', async (line) => {
    const command = line.replace(PREFIXES, '');
    if (NPM_COMMANDS.includes(command)) return;
    const [program, name = '', ...rest] = command.replace(/'[^']*'/g, 'X').split(/\s+/);
    if (program === 'npm' && name === 'run') {
      expect(scripts).toHaveProperty([rest[0] ?? '']);
      return;
    }
    if (program === 'node') {
      expect(existsSync(join(ROOT, name))).toBe(true);
      return;
    }
    expect(program).toBe('netdivert');
    const path = WITH_SUBCOMMANDS.includes(name) ? [name, rest[0] ?? ''] : [name];
    const { code, stdout } = await netdivert([...path, '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain(`Usage: netdivert ${path.join(' ')}`);
    for (const option of rest.filter((word) => word.startsWith('-'))) {
      expect(stdout).toMatch(new RegExp(`(^|[ ,])${option}[ ,]`, 'm'));
    }
  });
});
