/**
 * Short visits to a network namespace, for calls that work on that of the calling thread.
 *
 * @module
 */
import { closeSync } from 'node:fs';
import { CLONE_NEWNET } from '../sys/constants.ts';
import { check, libc } from '../sys/libc.ts';
import { openNamespace, returnTo } from '../sys/namespace.ts';

/** Keeps both namespaces open, so that a visit is two system calls. */
export class NamespaceVisit {
  readonly #target: number | null = null;
  readonly #own: number | null = null;

  /** @param path of the namespace; undefined: the thread's own, and a visit costs nothing */
  constructor(path: string | undefined) {
    if (path === undefined) return;
    this.#own = openNamespace();
    try {
      this.#target = openNamespace(path);
    } catch (error) {
      closeSync(this.#own);
      throw error;
    }
  }

  /** @param action synchronous */
  during<T>(action: () => T): T {
    if (this.#target === null || this.#own === null) return action();
    check(libc.setns(this.#target, CLONE_NEWNET), 'setns', 'enter a network namespace');
    try {
      return action();
    } finally {
      returnTo(this.#own);
    }
  }

  close(): void {
    if (this.#own !== null) closeSync(this.#own);
    if (this.#target !== null) closeSync(this.#target);
  }
}
