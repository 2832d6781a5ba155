/**
 * Commands and options. Each command's code is loaded when it is used.
 *
 * @module
 */

import { Command, CommanderError } from 'commander';
import { declareActing } from './declare/acting.ts';
import { EXIT_CODES } from './declare/exit-codes.ts';
import { declareFilter } from './declare/filter.ts';
import { declareUser } from './declare/privileges.ts';
import { declareSystem } from './declare/system.ts';
import { declareWatching } from './declare/watching.ts';
import { EXIT } from './exit-code.ts';
import { reportUsage } from './report.ts';
import { readVersion } from './version.ts';

/** Told the exit code of a command that ran. */
export type Done = (code: number) => void;

/**
 * Runs what the arguments ask for.
 *
 * @param args - without the program's own name
 * @returns the exit code
 * @throws whatever the command throws
 */
export async function parseCommandLine(args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.OK;
  const program = createProgram((code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version are "errors" of code 0; they and wrong usage are printed already.
    return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE;
  }
  return exitCode;
}

/** The tree of all commands: also what completions and the manual page are made from. */
export function createProgram(done: Done = () => {}): Command {
  const program = new Command('netdivert')
    .description('Intercept, change and drop network packets with WinDivert filters.')
    .version(readVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show what can be done')
    .exitOverride()
    .configureOutput({ outputError: (text) => reportUsage(text) })
    .addHelpText('after', EXIT_CODES);
  declareWatching(program, done);
  declareActing(program, done);
  declareFilter(program, done);
  declareSystem(program, done);
  declareUser(program);
  return program;
}
