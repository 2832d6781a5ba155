#!/usr/bin/env node
/**
 * The `netdivert` command.
 *
 * @module
 */

import { parseCommandLine } from './program.ts';
import { reportError } from './report.ts';

// A reader that has seen enough (`netdivert dump | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  process.exitCode = await parseCommandLine(process.argv.slice(2));
} catch (error) {
  process.exitCode = reportError(error);
}
