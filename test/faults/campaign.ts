/**
 * Makes calls of a scenario fail, one at a time, and judges what came of it.
 *
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DivertError } from '../../src/errors.ts';
import { plausibleErrnos } from './errnos.ts';
import { findLeftovers, takeInventory } from './leftovers.ts';
import { type Scenario, type Stage, Unmet } from './scenarios.ts';
import { type Fault, Seam } from './seam.ts';

/** A scenario that takes longer hangs. */
const LIMIT_MS = 30_000;

/** What became of one failed call. */
export interface Verdict {
  readonly fault: Fault;
  /** The call did not come this time: they depend on what the machine does. */
  readonly isMissed: boolean;
  /** What the package said, null when everything worked all the same. */
  readonly error: string | null;
  /** What must not be. */
  readonly complaints: readonly string[];
}

export class Campaign {
  readonly #stage: Stage;
  readonly #seam = new Seam();
  readonly #unhandled: unknown[] = [];
  readonly #listeners = new Map<'unhandledRejection' | 'uncaughtException', unknown[]>();

  constructor(stage: Stage) {
    this.#stage = stage;
    for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
      this.#listeners.set(event, process.rawListeners(event));
      process.removeAllListeners(event);
      process.on(event, this.#note);
    }
  }

  /** Faults of a scenario: every call that it makes, with every errno. */
  async faultsOf(scenario: Scenario): Promise<Fault[]> {
    // What the first run makes once for the whole process is no part of it.
    for (let run = 0; run < 2; run++) {
      this.#seam.start(null);
      await scenario.run(this.#stage);
    }
    const counts = this.#seam.stop();
    const faults: Fault[] = [];
    for (const [call, count] of counts) {
      for (let ordinal = 1; ordinal <= count; ordinal++) {
        for (const errno of plausibleErrnos(call)) faults.push({ call, ordinal, errno });
      }
    }
    return faults;
  }

  /** Makes one call fail; then the scenario has to work again. */
  async judge(scenario: Scenario, fault: Fault): Promise<Verdict> {
    const before = takeInventory(this.#stage.network);
    const complaints: string[] = [];
    let isMissed = false;
    const error = await this.#attempt(scenario, fault);
    isMissed = !this.#seam.hasStruck;
    if (error !== null) complaints.push(...complaintsAbout(error));
    complaints.push(...(await findLeftovers(before, this.#stage.network)));
    const again = await this.#attempt(scenario, null);
    if (again !== null) complaints.push(`does not work afterwards: ${describe(again)}`);
    for (const reason of this.#unhandled.splice(0)) {
      complaints.push(`nobody handled: ${describe(reason)}`);
    }
    return { fault, isMissed, error: error === null ? null : describe(error), complaints };
  }

  [Symbol.dispose](): void {
    this.#seam[Symbol.dispose]();
    for (const [event, listeners] of this.#listeners) {
      process.off(event, this.#note);
      for (const listener of listeners) process.on(event, listener as () => void);
    }
  }

  /** What the scenario threw, null when it went well. */
  async #attempt(scenario: Scenario, fault: Fault | null): Promise<unknown> {
    this.#seam.start(fault);
    const limit = new AbortController();
    const hang = sleep(LIMIT_MS, new Unmet('it hangs'), { signal: limit.signal });
    try {
      const end = scenario.run(this.#stage).then(
        () => null,
        (error: unknown) => error ?? new Unmet('it threw nothing'),
      );
      return await Promise.race([end, hang]);
    } finally {
      limit.abort();
      hang.catch(() => {});
      this.#seam.stop();
    }
  }

  readonly #note = (reason: unknown): void => {
    this.#unhandled.push(reason);
  };
}

function complaintsAbout(error: unknown): string[] {
  if (error instanceof Unmet) return [`nobody said why: ${error.message}`];
  if (error instanceof DivertError && error.message.length > 10) return [];
  return [`no error of this package: ${error instanceof Error ? error.stack : describe(error)}`];
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = error instanceof DivertError ? ` [${error.code}]` : '';
  return `${error.name}${code}: ${error.message.replaceAll('\n', ' ')}`;
}

/** A fault in one line. */
export function nameOf({ call, ordinal, errno }: Fault): string {
  return `${call} #${ordinal} ${errno}`;
}
