import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { flatten, modelOf } from '../../src/cli/completion/command-model.ts';
import { completionScript, generatedFiles } from '../../src/cli/completion/generated.ts';
import { createProgram } from '../../src/cli/program.ts';

const folder = mkdtempSync(join(tmpdir(), 'netdivert-completion-'));
afterAll(() => rmSync(folder, { recursive: true }));

const COMMANDS = flatten(modelOf(createProgram()));

/** What bash would offer for the last word. */
function complete(...words: string[]): string[] {
  const list = words.map((word) => `'${word}'`).join(' ');
  const script = `${completionScript('bash', createProgram())}
compopt() { :; }
COMP_WORDS=(netdivert ${list})
COMP_CWORD=${words.length}
_netdivert
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { status, stderr, stdout } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.split('\n').filter(Boolean);
}

test.each([
  ['commands', ['d'], ['dump', 'doctor', 'demo']],
  ['commands of a command', ['filter', 'e'], ['explain', 'eval']],
  ['options', ['dump', '--pr'], ['--process', '--priority', '--print']],
  ['choices', ['dump', '--layer', ''], ['network', 'forward']],
  ['choices after the short name', ['filter', 'check', '-L', 'f'], ['forward', 'flow']],
  ['nothing for a number', ['dump', '--count', ''], []],
  ['files', ['dump', '-r', 'package.j'], ['package.json']],
])('bash offers %s', (_name, words, offered) => {
  expect(complete(...words)).toEqual(offered);
});

test.each(['bash', 'zsh', 'fish'] as const)(
  'the script for %s has every command and option',
  (shell) => {
    const script = completionScript(shell, createProgram());
    for (const { name, options } of COMMANDS.slice(1)) {
      expect(script).toContain(name);
      for (const { names } of options) {
        const long = names.find((text) => text.startsWith('--')) ?? '';
        expect(script).toContain(shell === 'fish' ? `-l ${long.slice(2)} ` : long);
      }
    }
  },
);

test.each([
  ['bash', ['-n']],
  ['zsh', ['-n']],
  ['fish', ['--no-execute']],
] as const)('%s can read its script', (shell, options) => {
  const file = join(folder, shell);
  writeFileSync(file, completionScript(shell, createProgram()));
  const { error, status, stderr } = spawnSync(shell, [...options, file], { encoding: 'utf8' });
  expect({ error, status, stderr }).toEqual({ error: undefined, status: 0, stderr: '' });
});

test('the manual page has every command, and groff reads it without a warning', () => {
  const page = generatedFiles(createProgram()).get('man/netdivert.1') ?? '';
  for (const { commands, path } of COMMANDS) {
    if (commands.length === 0) expect(page).toContain(`.SS netdivert ${path.join(' ')}`);
  }
  const { error, status, stderr } = spawnSync('groff', ['-man', '-Tutf8', '-ww', '-z'], {
    input: page,
    encoding: 'utf8',
  });
  expect({ error, status, stderr }).toEqual({ error: undefined, status: 0, stderr: '' });
});

test('descriptions are sentences without their dot', () => {
  for (const { description, options, path } of COMMANDS.slice(1)) {
    for (const text of [description, ...options.map((option) => option.description)]) {
      expect({ path, text, isFine: /^[a-zA-Z0-9-]/.test(text) && !text.endsWith('.') }).toEqual({
        path,
        text,
        isFine: true,
      });
    }
  }
});
