#!/usr/bin/env node
/**
 * The `netdivert` command.
 *
 * @module
 */

import { reportError } from './report.ts';
import { readVersion } from './version.ts';

// A reader that has seen enough (`netdivert dump | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

/** The version needs no argument parser. */
async function run(args: readonly string[]): Promise<number> {
  if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
    process.stdout.write(`${readVersion()}\n`);
    return 0;
  }
  const { parseCommandLine } = await import('./program.ts');
  return await parseCommandLine(args);
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  process.exitCode = reportError(error);
}
