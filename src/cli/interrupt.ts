import { EXIT } from './exit-code.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Ends work early when the user or the system says so. */
export interface Interrupt {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal;
  /** Stops listening; returns `code`, or 130 when there was a signal. */
  finish(code: number): number;
}

/**
 * Turns Ctrl-C, SIGTERM and SIGHUP into an {@link AbortSignal}, so that a command closes what it
 * opened and prints its summary. A second signal ends the process at once.
 */
export function listenForInterrupt(): Interrupt {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.INTERRUPTED);
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    finish(code) {
      for (const name of SIGNALS) process.off(name, onSignal);
      return controller.signal.aborted ? EXIT.INTERRUPTED : code;
    },
  };
}

/** Aborts at the first signal, or when the time is over. */
export function endOf({ signal }: Interrupt, durationMs: number | undefined): AbortSignal {
  if (durationMs === undefined) return signal;
  // Not AbortSignal.any: Node.js 20 forgets the signals it is made of when nobody else holds them.
  const end = new AbortController();
  const onEnd = (): void => {
    clearTimeout(timer);
    signal.removeEventListener('abort', onEnd);
    end.abort();
  };
  const timer = setTimeout(onEnd, durationMs).unref();
  signal.addEventListener('abort', onEnd);
  return end.signal;
}

/** What can be ended so that what it has can still be read. */
interface Drainable {
  shutdown(how: 'receive'): void;
  close(): Promise<void>;
}

/**
 * Works with a handle until the work is done or `end` aborts; then what the handle still has is
 * worked on, and it is closed.
 */
export async function drainAtEnd(
  handle: Drainable,
  end: AbortSignal,
  work: () => Promise<void>,
): Promise<void> {
  let isOpen = true;
  const onEnd = (): void => {
    if (isOpen) handle.shutdown('receive');
  };
  end.addEventListener('abort', onEnd);
  try {
    if (end.aborted) onEnd();
    await work();
  } finally {
    isOpen = false;
    end.removeEventListener('abort', onEnd);
    await handle.close();
  }
}
