/**
 * Files of the package that are made from the tree of commands.
 *
 * @module
 */

import type { Command } from 'commander';
import { bashCompletion } from './bash.ts';
import { type CommandModel, modelOf } from './command-model.ts';
import { fishCompletion } from './fish.ts';
import { manPage } from './man-page.ts';
import { zshCompletion } from './zsh.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

const SCRIPTS: Readonly<Record<Shell, (program: CommandModel) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** The completion script of a shell. */
export function completionScript(shell: Shell, program: Command): string {
  return SCRIPTS[shell](modelOf(program));
}

/** Text by path in the package. */
export function generatedFiles(program: Command): ReadonlyMap<string, string> {
  const model = modelOf(program);
  return new Map([
    ['completions/netdivert.bash', bashCompletion(model)],
    ['completions/_netdivert', zshCompletion(model)],
    ['completions/netdivert.fish', fishCompletion(model)],
    ['man/netdivert.1', manPage(model, program.version() ?? '')],
  ]);
}
