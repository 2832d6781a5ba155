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
