/**
 * Sockets belong to the network namespace they are created in: enter, create, return,
 * all in one synchronous stretch.
 *
 * @module
 */
import { closeSync, openSync } from 'node:fs';
import { DivertError, UnsupportedError } from '../../errors.ts';
import { CLONE_NEWNET } from './constants.ts';
import { fileError } from './file-error.ts';
import { check, libc } from './libc.ts';

const OWN_NAMESPACE = '/proc/thread-self/ns/net';
const MAX_TRIES = 100;

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
  const own = openNamespace();
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
      returnTo(own);
    }
  } finally {
    closeSync(own);
  }
}

/**
 * Takes the thread back. A failure for a moment must not leave it where everything else in this process
 * would go to another's network.
 *
 * @param own descriptor of the namespace it came from
 * @throws {@link SystemError} when it cannot return
 */
export function returnTo(own: number): void {
  let result = libc.setns(own, CLONE_NEWNET);
  for (let tries = 1; result < 0 && tries < MAX_TRIES; tries++) {
    result = libc.setns(own, CLONE_NEWNET);
  }
  check(result, 'setns', 'return to the own network namespace');
}

/**
 * Opens a namespace for setns(2) and the like.
 *
 * @param path undefined: the one that the thread is in
 * @throws {@link DivertError} `file-not-found` when there is no such namespace
 * @throws {@link UnsupportedError} when it may not be opened
 * @throws {@link SystemError} when it cannot
 */
export function openNamespace(path: string = OWN_NAMESPACE): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EACCES') {
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
    if (code !== 'ENOENT' && code !== 'ENOTDIR') {
      throw fileError(cause, `open the network namespace ${path}`);
    }
    throw new DivertError('file-not-found', `No network namespace at ${path}.`, {
      cause,
      hint: 'Give a path such as /run/netns/NAME (`ip netns list`) or /proc/PID/ns/net.',
    });
  }
}
