/** What was found: all is well, it works with a drawback, it does not work. */
export type CheckStatus = 'ok' | 'warn' | 'fail';

/** One line of the diagnosis. */
export interface Check {
  /** Stable, for programs. */
  readonly name: string;
  readonly status: CheckStatus;
  readonly detail: string;
  /** What to do, where there is something to do. */
  readonly advice?: string;
}

export function ok(name: string, detail: string): Check {
  return { name, status: 'ok', detail };
}

export function warn(name: string, detail: string, advice: string): Check {
  return { name, status: 'warn', detail, advice };
}

export function fail(name: string, detail: string, advice: string): Check {
  return { name, status: 'fail', detail, advice };
}
