/**
 * Readiness of file descriptors on Node's own event loop (libuv), by `koffi.node.poll`.
 *
 * @module
 */
import koffi from 'koffi';

/** Watches one descriptor for reading. One watcher per descriptor: a second one aborts the process. */
export interface Watcher {
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
  let handle: { close(): void } | null = koffi.node.poll(fd, { readable: true }, callback);
  return {
    close(): void {
      handle?.close();
      handle = null;
    },
  };
}
