/**
 * Learning that a process has ended (pidfd_open(2), Linux 5.3).
 *
 * @module
 */
import { libc } from '../sys/libc.ts';
import { watchReadable } from '../sys/poll.ts';
import { globalProcessId, isInitialPidNamespace } from './process-id.ts';

/** Watches processes for as long as they have handles. */
export class ProcessWatch {
  readonly #onEnd: (processId: number) => void;
  readonly #onError: (error: unknown) => void;
  readonly #stops = new Map<number, () => void>();
  /** Elsewhere the numbers in records are of other processes. */
  readonly #isPossible: boolean = isInitialPidNamespace();
  #isOpen = true;

  constructor(onEnd: (processId: number) => void, onError: (error: unknown) => void) {
    this.#onEnd = onEnd;
    this.#onError = onError;
  }

  /** @param processId of a process other than this one; in the initial pid namespace */
  add(processId: number): void {
    if (!this.#isOpen || !this.#isPossible || this.#stops.has(processId)) return;
    if (processId === globalProcessId()) return;
    const fd = libc.pidfd_open(processId, 0);
    // Gone already, or no such call: whoever watches looks at the handles from time to time, too.
    if (fd < 0) return;
    const watcher = watchReadable(
      fd,
      () => {
        this.remove(processId);
        this.#onEnd(processId);
      },
      this.#onError,
    );
    this.#stops.set(processId, () => {
      watcher.close();
      libc.close(fd);
    });
  }

  remove(processId: number): void {
    this.#stops.get(processId)?.();
    this.#stops.delete(processId);
  }

  /** What is added afterwards is not watched. */
  close(): void {
    this.#isOpen = false;
    for (const processId of [...this.#stops.keys()]) this.remove(processId);
  }
}
