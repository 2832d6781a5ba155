/**
 * Receives that wait for a packet.
 *
 * @module
 */

type Wake = (arrived: boolean) => void;

export class Waiters {
  #waiting = new Set<Wake>();

  /**
   * Resolves at the next `wake` with true, or with false when the signal aborts first.
   * Whoever wakes looks for itself: another waiter may have been quicker.
   */
  wait(signal: AbortSignal | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const onAbort = (): void => wake(false);
      const wake: Wake = (arrived) => {
        this.#waiting.delete(wake);
        signal?.removeEventListener('abort', onAbort);
        resolve(arrived);
      };
      this.#waiting.add(wake);
      signal?.addEventListener('abort', onAbort);
    });
  }

  /** Wakes all. */
  wake(): void {
    if (this.#waiting.size === 0) return;
    for (const wake of [...this.#waiting]) wake(true);
  }
}
