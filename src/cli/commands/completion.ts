import type { Command } from 'commander';
import { completionScript, type Shell } from '../completion/generated.ts';
import { EXIT } from '../exit-code.ts';
import { print } from '../output.ts';

/** `netdivert completion`: the script that completes commands and options in a shell. */
export function completion(shell: Shell, program: Command): number {
  print(completionScript(shell, program).trimEnd());
  return EXIT.OK;
}
