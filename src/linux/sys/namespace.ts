/**
 * Sockets belong to the network namespace they are created in: enter, create, return,
 * all in one synchronous stretch.
 *
 * @module
 */
import { closeSync, openSync } from 'node:fs';
import { DivertError, UnsupportedError } from '../../errors.ts';
import { CLONE_NEWNET } from './constants.ts';
import { check, libc } from './libc.ts';

/**
 * Runs `action` with the calling thread inside another network namespace.
 *
 * @param path e.g. `/run/netns/NAME` or `/proc/PID/ns/net`; undefined: where the thread is
 * @param action must be synchronous
 * @throws {@link DivertError} `file-not-found` when there is no such namespace
 * @throws {@link UnsupportedError} when it may not be opened
 * @throws {@link SystemError} when it may not be entered (CAP_SYS_ADMIN)
 */
export function withNamespace<T>(path: string | undefined, action: () => T): T {
  if (path === undefined) return action();
  const own = openSync('/proc/thread-self/ns/net', 'r');
  try {
    const target = openNamespace(path);
    try {
      check(libc.setns(target, CLONE_NEWNET), 'setns', `enter the network namespace ${path}`);
    } finally {
      closeSync(target);
    }
    try {
      return action();
    } finally {
      check(libc.setns(own, CLONE_NEWNET), 'setns', 'return to the own network namespace');
    }
  } finally {
    closeSync(own);
  }
}

function openNamespace(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EACCES') {
      throw new UnsupportedError(
        'CAP_SYS_ADMIN',
        `The network namespace ${path} may not be opened.`,
        {
          cause,
          code: 'access-denied',
          hint: 'Run as root, or with CAP_SYS_ADMIN and CAP_SYS_PTRACE.',
        },
      );
    }
    throw new DivertError('file-not-found', `No network namespace at ${path}.`, {
      cause,
      hint: 'Give a path such as /run/netns/NAME (`ip netns list`) or /proc/PID/ns/net.',
    });
  }
}
