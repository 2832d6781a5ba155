/**
 * bpf(2) itself, and what its refusals mean.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import { SystemError, UnsupportedError } from '../../errors.ts';
import { ERRNO, NR_BPF } from '../sys/constants.ts';
import { errnoText, isTransient, lastErrno, libc } from '../sys/libc.ts';
import { allocate, cString } from '../sys/memory.ts';
import { type BPF_COMMAND, MAX_NAME_BYTES } from './constants.ts';

type Command = keyof typeof BPF_COMMAND;

/** What a call returned: a result of 0 or more, or the errno. */
export interface BpfResult {
  readonly result: number;
  /** 0 when the call succeeded. */
  readonly errno: number;
}

/**
 * Calls bpf(2) without judging the result.
 *
 * @param command number of the command
 * @param attribute `union bpf_attr`, as many bytes as the command has; referenced buffers must be kept alive
 */
export function callBpf(command: number, attribute: Uint8Array): BpfResult {
  const result = libc.bpf(NR_BPF, command, attribute, attribute.length);
  return result < 0 ? { result, errno: lastErrno() } : { result, errno: 0 };
}

/** How often a call is made that fails for want of memory: for the moment, as a rule. */
const MAX_TRIES = 8;

/**
 * The same, again when it fails for a reason that may be gone: a signal, or no memory for the moment.
 *
 * @param command as for {@link callBpf}
 * @param attribute as for {@link callBpf}
 */
export function callBpfPatiently(command: number, attribute: Uint8Array): BpfResult {
  let outcome = callBpf(command, attribute);
  for (let tries = 1; isTransient(outcome.errno) && tries < MAX_TRIES; ) {
    outcome = callBpf(command, attribute);
    // However many signals come in: the call has not begun then.
    if (outcome.errno !== ERRNO.EINTR) tries++;
  }
  return outcome;
}

const UNPRIVILEGED = '/proc/sys/kernel/unprivileged_bpf_disabled';

/**
 * The error for a failed call.
 *
 * @param command name of the command
 * @param errno what it failed with
 * @param operation what was being done, e.g. `create a map`
 * @returns an {@link UnsupportedError} where a capability or the kernel is what is missing
 */
export function bpfError(command: Command, errno: number, operation: string): Error {
  const message = `Cannot ${operation}: ${errnoText(errno)}`;
  if (errno === ERRNO.EPERM) {
    return new UnsupportedError('CAP_BPF', message, {
      code: 'access-denied',
      hint: permissionHint(),
    });
  }
  if (errno === ENOSYS) {
    return new UnsupportedError('bpf(2)', message, {
      hint: 'The kernel is built without CONFIG_BPF_SYSCALL.',
    });
  }
  return new SystemError(`bpf(${command})`, errno, message);
}

const ENOSYS = 38;

function permissionHint(): string {
  const state = readSetting(UNPRIVILEGED);
  const setting = state === null ? '' : ` (kernel.unprivileged_bpf_disabled is ${state})`;
  return `Run with CAP_BPF and CAP_NET_ADMIN, before Linux 5.8 CAP_SYS_ADMIN, or as root${setting}.`;
}

function readSetting(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    // Without /proc the sentence is complete without it.
    return null;
  }
}

const RLIMIT_MEMLOCK = 8;
const RLIMIT_BYTES = 16;
const UNLIMITED = (1n << 64n) - 1n;

/**
 * Lifts the limit on locked memory, which maps and programs count against before Linux 5.11.
 *
 * @returns whether it was lifted: the failed call may be tried again
 */
export function raiseMemlockLimit(): boolean {
  const limit = allocate(RLIMIT_BYTES);
  limit.view.setBigUint64(0, UNLIMITED, true);
  limit.view.setBigUint64(8, UNLIMITED, true);
  return libc.setrlimit(RLIMIT_MEMLOCK, limit.bytes) === 0;
}

/**
 * Calls bpf(2); when it is refused with EPERM, once more with the limit on locked memory lifted.
 *
 * @param command number of the command
 * @param attribute as for {@link callBpf}
 */
export function callBpfCharged(command: number, attribute: Uint8Array): BpfResult {
  const first = callBpfPatiently(command, attribute);
  if (first.errno !== ERRNO.EPERM || !raiseMemlockLimit()) return first;
  return callBpfPatiently(command, attribute);
}

/**
 * Writes the name of a program or map into its attribute.
 *
 * @param name at most 15 bytes of `[A-Za-z0-9_.]`
 * @throws {RangeError} for any other
 */
export function writeName(attribute: Uint8Array, offset: number, name: string): void {
  if (!/^[\w.]*$/.test(name) || name.length > MAX_NAME_BYTES) {
    throw new RangeError(
      `${JSON.stringify(name)} is no name of at most 15 letters, digits, _ or .`,
    );
  }
  attribute.set(cString(name), offset);
}
