/**
 * Short visits to a network namespace, for calls that work on that of the calling thread.
 *
 * @module
 */
import { closeSync, openSync } from 'node:fs';
import { CLONE_NEWNET } from '../sys/constants.ts';
import { check, libc } from '../sys/libc.ts';

/** Keeps both namespaces open, so that a visit is two system calls. */
export class NamespaceVisit {
  readonly #target: number | null = null;
  readonly #own: number | null = null;

  /** @param path of the namespace; undefined: the thread's own, and a visit costs nothing */
  constructor(path: string | undefined) {
    if (path === undefined) return;
    this.#own = openSync('/proc/thread-self/ns/net', 'r');
    this.#target = openSync(path, 'r');
  }

  /** @param action synchronous */
  during<T>(action: () => T): T {
    if (this.#target === null || this.#own === null) return action();
    check(libc.setns(this.#target, CLONE_NEWNET), 'setns', 'enter a network namespace');
    try {
      return action();
    } finally {
      check(libc.setns(this.#own, CLONE_NEWNET), 'setns', 'return to the own network namespace');
    }
  }

  close(): void {
    if (this.#own !== null) closeSync(this.#own);
    if (this.#target !== null) closeSync(this.#target);
  }
}
