import { exitCodeOf, UsageError } from './exit-code.ts';
import { styleFor } from './output.ts';

const PATH_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EISDIR: 'is a directory',
  EACCES: 'may not be read by this user',
};

const SEE_HELP = 'Try netdivert --help.';

/** Writes what is wrong with a command line, as the argument parser says it. */
export function reportUsage(text: string): void {
  const style = styleFor(process.stderr);
  const message = text.replace(/^error: /, '').trimEnd();
  process.stderr.write(`${style('red', 'netdivert:')} ${message}\n${SEE_HELP}\n`);
}

/**
 * Writes an error for people: what went wrong and what to do, no stack trace. With `DEBUG` set in the
 * environment also where it came from.
 *
 * @returns the exit code
 */
export function reportError(error: unknown): number {
  const style = styleFor(process.stderr);
  process.stderr.write(`${style('red', 'netdivert:')} ${describe(error)}\n`);
  if (error instanceof UsageError) process.stderr.write(`${SEE_HELP}\n`);
  if (process.env.DEBUG && error instanceof Error) {
    process.stderr.write(`\n${error.stack}\n`);
    for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
      process.stderr.write(`caused by ${cause.stack}\n`);
    }
  }
  return exitCodeOf(error);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, path } = error as NodeJS.ErrnoException;
  const reason = code === undefined ? undefined : PATH_ERRORS[code];
  return reason === undefined ? error.message : `${path ?? 'the file'} ${reason}`;
}
