/**
 * Fills in what the documentation shows: the output of the commands in `console` blocks, the tables of
 * fields and of options; writes the manual page and the shell completions. With `--check` it only says whether the files
 * are as they should be.
 *
 *   node scripts/docs.mjs [--check]
 */

import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { flatten, modelOf } from '../dist/cli/completion/command-model.js';
import { generatedFiles } from '../dist/cli/completion/generated.js';
import { createProgram } from '../dist/cli/program.js';
import { FIELDS } from '../dist/filter/index.js';
import { ROOT } from './setup.mjs';

const FIELD_MARK = "<!-- fields: checked against the compiler's own table -->\n";
const COMMANDS = flatten(modelOf(createProgram()));
const LAYER_NAMES = ['network', 'forward', 'flow', 'socket', 'reflect'];

/** The block with the output that its commands really have. */
function renderConsole(block, environment) {
  const commands = block.split('\n').filter((line) => line.startsWith('$ '));
  return commands
    .map((line) => {
      const { stdout } = spawnSync('sh', ['-c', `{ ${line.slice(2)}; } 2>&1`], {
        cwd: ROOT,
        encoding: 'utf8',
        env: environment,
      });
      return `${line}\n${stdout}`;
    })
    .join('');
}

function renderFieldTable() {
  const rows = FIELDS.map(({ name, layers, low, high, folds, format, indexed }) => {
    const known = LAYER_NAMES.filter((_layer, bit) => ((layers >> bit) & 1) === 1);
    const where = known.length === LAYER_NAMES.length ? 'all' : known.join(', ');
    return `| \`${name}${indexed ? '[i]' : ''}\` | ${where} | ${renderRange(format, low, high, folds)} |`;
  });
  return ['| field | layers | range |', '| --- | --- | --- |', ...rows].join('\n');
}

function renderRange(format, low, high, folds) {
  if (format === 'ipv4') return 'IPv4 address';
  if (format === 'ipv6') return 'address';
  if (high >= 2n ** 63n - 1n) return low < 0n ? 'signed 64 bits' : '64 bits';
  const range = `${low} to ${high === 2n ** 32n - 1n ? '4294967295' : high}`;
  return folds ? range : `any number; ${range} occur`;
}

/** The options of a command, `filter check` for example. */
function renderOptions(path) {
  const command = COMMANDS.find((candidate) => candidate.path.join(' ') === path);
  if (command === undefined) throw new Error(`There is no command ${path}.`);
  const rows = command.options
    .filter(({ names }) => !names.includes('--help'))
    .map(({ choices, defaultValue, description, flags }) => {
      const notes = [...(choices.length > 0 ? [choices.join(', ')] : [])];
      if (defaultValue !== '') notes.push(`default ${defaultValue}`);
      const more = notes.length > 0 ? ` (${notes.join('; ')})` : '';
      return `| \`${flags}\` | ${description.replaceAll('|', '\\|')}${more} |`;
    });
  return ['| option | meaning |', '| --- | --- |', ...rows].join('\n');
}

function render(text, environment) {
  const filled = text
    .replace(
      /^```console\n([\s\S]*?)^```$/gm,
      (_block, source) => `\`\`\`console\n${renderConsole(source, environment)}\`\`\``,
    )
    .replace(
      /^<!-- options: (.*) -->\n\n(\|.*\n)*/gm,
      (_table, path) => `<!-- options: ${path} -->\n\n${renderOptions(path)}\n`,
    );
  const [before, after] = filled.split(FIELD_MARK);
  if (after === undefined) return filled;
  const rest = after.replace(/^\n?(\|.*\n)*/, '');
  return `${before}${FIELD_MARK}\n${renderFieldTable()}\n${rest.startsWith('\n') ? '' : '\n'}${rest}`;
}

const folder = mkdtempSync(join(tmpdir(), 'netdivert-docs-'));
symlinkSync(join(ROOT, 'dist/bin/main.js'), join(folder, 'netdivert'));
const environment = {
  ...process.env,
  PATH: `${folder}:${process.env.PATH}`,
  NO_COLOR: '1',
  TZ: 'UTC',
};
const names = readdirSync(join(ROOT, 'docs'), { recursive: true }).filter((name) =>
  name.endsWith('.md'),
);
let stale = 0;

/** Writes a file that is not as it should be, or says so. */
function settle(name, text, wanted) {
  if (wanted === text) return;
  stale += 1;
  if (process.argv.includes('--check')) {
    const lines = wanted.split('\n');
    const at = text.split('\n').findIndex((line, index) => line !== lines[index]);
    process.stderr.write(`${name}:${at + 1}: should be: ${lines[at]}\n`);
  } else {
    const path = join(ROOT, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, wanted);
    process.stderr.write(`${name}: written\n`);
  }
}

for (const [name, wanted] of generatedFiles(createProgram())) {
  const path = join(ROOT, name);
  settle(name, existsSync(path) ? readFileSync(path, 'utf8') : '', wanted);
}
for (const name of ['README.md', ...names.map((file) => join('docs', file))]) {
  const text = readFileSync(join(ROOT, name), 'utf8');
  settle(name, text, render(text, environment));
}
rmSync(folder, { recursive: true });
if (stale > 0 && process.argv.includes('--check')) {
  process.stderr.write('Run npm run docs and look at the difference.\n');
  process.exitCode = 1;
}
