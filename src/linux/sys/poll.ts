/**
 * Readiness of file descriptors on Node's own event loop (libuv), by `koffi.node.poll`.
 *
 * @module
 */
import { isMainThread } from 'node:worker_threads';
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
  const deliver = (): void => {
    try {
      onReadable();
    } catch (error) {
      onError(error);
    }
  };
  const { callback, cancel } = isMainThread ? direct(deliver) : deferred(deliver);
  const events = { readable: true };
  let handle: ReturnType<typeof koffi.node.poll> | null = koffi.node.poll(fd, events, callback);
  const watcher: Watcher = {
    pause(): void {
      cancel();
      handle?.stop();
    },
    resume(): void {
      handle?.start(events, callback);
    },
    close(): void {
      cancel();
      handle?.close();
      handle = null;
      if (open.delete(watcher) && open.size === 0) process.off('exit', closeAll);
    },
  };
  if (!isMainThread) closeAtExit(watcher);
  return watcher;
}

/** Watchers of this thread, where it is a worker. */
const open = new Set<Watcher>();

/** An exiting thread still looks for readable descriptors, and koffi can call nothing then. */
function closeAtExit(watcher: Watcher): void {
  if (open.size === 0) process.once('exit', closeAll);
  open.add(watcher);
}

function closeAll(): void {
  for (const watcher of open) watcher.close();
}

interface Delivery {
  /** For koffi to call. */
  readonly callback: () => void;
  /** Nothing is delivered any more. */
  readonly cancel: () => void;
}

/**
 * What a callback resolved goes on in the same turn of the event loop. Node 26 leaves that until something else calls into
 * JavaScript, which may be never: an immediate is such a call, and comes next.
 */
function direct(deliver: () => void): Delivery {
  if (IS_DRAINED) return { callback: deliver, cancel: nothing };
  const callback = (): void => {
    deliver();
    setImmediate(nothing);
  };
  return { callback, cancel: nothing };
}

/**
 * In a worker thread `process.exit()` and `terminate()` end JavaScript where it stands. Inside a callback of koffi's that
 * aborts the whole process. So what a program does with its packets happens right behind the callback.
 */
function deferred(deliver: () => void): Delivery {
  let immediate: NodeJS.Immediate | undefined;
  const run = (): void => {
    immediate = undefined;
    deliver();
  };
  return {
    callback: () => {
      immediate ??= setImmediate(run);
    },
    cancel: () => {
      clearImmediate(immediate);
      immediate = undefined;
    },
  };
}

/** The newest Node.js of which ticks and microtasks are known to run when koffi's callback returns. */
const DRAINING_MAJOR = 24;
const [MAJOR = '0'] = process.versions.node.split('.', 1);
/** Not to be found out by trying: another callback of the same turn may be what has run them. */
const IS_DRAINED = Number(MAJOR) <= DRAINING_MAJOR;

function nothing(): void {}
