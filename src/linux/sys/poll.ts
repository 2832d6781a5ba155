/**
 * Readiness of file descriptors on Node's own event loop (libuv), by `koffi.node.poll`.
 *
 * @module
 */
import koffi from 'koffi';

/** Watches one descriptor for reading. One watcher per descriptor: a second one aborts the process. */
export interface Watcher {
  /** Does not call back until resumed. */
  pause(): void;
  /** Calls back again, at once when the descriptor is readable. */
  resume(): void;
  /** Stops watching. Call it before the descriptor is closed. Idempotent. */
  close(): void;
}

/**
 * Calls back whenever `fd` is readable, until closed. Level triggered: the callback drains
 * the descriptor or is called again at once. Sets O_NONBLOCK on the descriptor.
 *
 * @param fd a socket, eventfd or BPF ring buffer (a regular file aborts the process)
 * @param onReadable must not throw: koffi loses exceptions of its callbacks; they go to `onError`
 */
export function watchReadable(
  fd: number,
  onReadable: () => void,
  onError: (error: unknown) => void,
): Watcher {
  const callback = (): void => {
    try {
      onReadable();
    } catch (error) {
      onError(error);
    }
  };
  const events = { readable: true };
  let handle: ReturnType<typeof koffi.node.poll> | null = koffi.node.poll(fd, events, callback);
  return {
    pause(): void {
      handle?.stop();
    },
    resume(): void {
      handle?.start(events, callback);
    },
    close(): void {
      handle?.close();
      handle = null;
    },
  };
}
