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
  const turn = new Turn();
  const callback = (): void => {
    try {
      onReadable();
    } catch (error) {
      onError(error);
    }
    turn.end();
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

/**
 * Sees to it that what a callback resolved goes on in the same turn of the event loop.
 *
 * Up to Node 24 ticks and microtasks run when koffi's callback returns. Node 26 leaves them until
 * something else calls into JavaScript, which may be never: an immediate is such a call, and
 * comes next. Which kind of Node it is shows at the first callback.
 */
class Turn {
  #isDrained: boolean | undefined;

  end(): void {
    if (this.#isDrained) return;
    if (this.#isDrained === undefined) this.#find();
    else setImmediate(nothing);
  }

  #find(): void {
    let hasRun = false;
    queueMicrotask(() => {
      hasRun = true;
    });
    setImmediate(() => {
      this.#isDrained = hasRun;
    });
  }
}

function nothing(): void {}
