import { DivertError, SystemError } from '../errors.ts';

/** Exit codes, the same for every command. */
export const EXIT = {
  OK: 0,
  RUNTIME: 1,
  USAGE: 2,
  PERMISSION: 7,
  INTERRUPTED: 130,
} as const;

/** Filters that do not compile, and values that options cannot have. */
const USAGE_CODES: readonly string[] = [
  'invalid-parameter',
  'too-deep',
  'too-long',
  'bad-token',
  'bad-token-for-layer',
  'unexpected-token',
  'index-out-of-bounds',
  'object-too-short',
  'bad-object',
];

/** errno of "operation not permitted" and "permission denied". */
const PERMISSION_ERRNOS: readonly number[] = [1, 13];

/** The command line asks for something that makes no sense. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError';
}

/** Something the command line names is not there: a process, a file. */
export class MissingError extends Error {
  override readonly name: string = 'MissingError';
  /** What the user can do. */
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** The exit code an error leads to. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.USAGE;
  if (error instanceof DivertError) {
    if (USAGE_CODES.includes(error.code)) return EXIT.USAGE;
    if (error.code === 'access-denied') return EXIT.PERMISSION;
    if (error instanceof SystemError && PERMISSION_ERRNOS.includes(error.errno)) {
      return EXIT.PERMISSION;
    }
  }
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code === 'EACCES' || code === 'EPERM' ? EXIT.PERMISSION : EXIT.RUNTIME;
}
