/**
 * Failures of `node:fs` on files of the kernel, as errors of this package.
 *
 * @module
 */
import { SystemError } from '../../errors.ts';
import { errnoText } from './libc.ts';

/**
 * The error for what a call of `node:fs` threw.
 *
 * @param operation what was being done, for the message, e.g. "open the control group"
 */
export function fileError(cause: unknown, operation: string): SystemError {
  const { syscall = 'open', errno = 0 } = cause as NodeJS.ErrnoException;
  return new SystemError(syscall, -errno, `Cannot ${operation}: ${errnoText(-errno)}`, { cause });
}

/**
 * Runs a call of `node:fs`.
 *
 * @param operation as for {@link fileError}
 * @throws {@link SystemError} when it fails
 */
export function fileCall<T>(operation: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw fileError(cause, operation);
  }
}
