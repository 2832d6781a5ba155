import { exitCodeOf, MissingError, UsageError } from './exit-code.ts';
import { flushOutput, styleFor } from './output.ts';

const PATH_ERRORS: Readonly<Record<string, readonly [why: string, hint: string]>> = {
  ENOENT: ['does not exist', 'Check the path.'],
  EISDIR: ['is a directory', 'Name a file in it.'],
  ENOTDIR: ['leads through something that is no directory', 'Check the path.'],
  EACCES: ['may not be opened by this user', 'Use sudo, or a path this user may open.'],
  EROFS: ['is on a file system that is read-only', 'Choose another path.'],
  ENOSPC: ['cannot grow: the disk is full', 'Make room, or choose another path.'],
};

const SEE_HELP = 'Try netdivert --help.';

/** Writes what is wrong with a command line, as the argument parser says it. */
export function reportUsage(text: string): void {
  const message = text.replace(/^error: /, '').trimEnd();
  const hint = message.includes('\n') ? '' : `${SEE_HELP}\n`;
  write(`${message}\n${hint}`);
}

/**
 * Writes an error for people: what went wrong, and on the next line what to do; no stack trace. With
 * `DEBUG` set in the environment also where it came from.
 *
 * @returns the exit code
 */
export function reportError(error: unknown): number {
  write(`${describe(error)}\n`);
  if (process.env.DEBUG && error instanceof Error) {
    process.stderr.write(`\n${error.stack}\n`);
    for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
      process.stderr.write(`caused by ${cause.stack}\n`);
    }
  }
  return exitCodeOf(error);
}

function write(text: string): void {
  flushOutput();
  process.stderr.write(`${styleFor(process.stderr)('red', 'netdivert:')} ${text}`);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof UsageError) return `${error.message}\n${SEE_HELP}`;
  const { code, path } = error as NodeJS.ErrnoException;
  const known = code === undefined ? undefined : PATH_ERRORS[code];
  if (known !== undefined) return `${path ?? 'the file'} ${known[0]}\n${known[1]}`;
  // Errors of the package have their hint in the message.
  const hint = error instanceof MissingError ? `\n${error.hint}` : '';
  return `${error.message}${hint}`;
}
