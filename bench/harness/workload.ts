/** What a workload is made of: contestants that are measured in turn, and how their figures are shown. */

/** How this run was asked for. */
export interface BenchOptions {
  /** One short run of everything, to see that it works. */
  readonly once: boolean;
  /** How long traffic is sent in a turn; what the workload says without. */
  readonly seconds?: number;
}

/** Figures of one run, by the name of the measure; undefined where there is nothing to measure. */
export type Figures = Readonly<Record<string, number | undefined>>;

/** One of those that are compared. */
export interface Contestant {
  readonly name: string;
  /** Why it cannot take part here; empty when it can. Asked once, before the first round. */
  readonly missing?: () => string;
  /** Runs with `--once` too; besides it netdivert and the baseline do. */
  readonly always?: boolean;
  run(options: BenchOptions): Figures | Promise<Figures>;
}

/** What is measured. */
export interface Measure {
  readonly unit: string;
  /** Digits after the point. Default: 2. */
  readonly digits?: number;
  /** Ratios to the baseline are shown. Default: true. */
  readonly compared?: boolean;
}

/** One table. */
export interface Workload {
  readonly name: string;
  /** A name that all of these can be asked for by. */
  readonly group?: string;
  /** One line for people. */
  readonly title: string;
  /** Name of the contestant that ratios are to. */
  readonly baseline: string;
  /** Rounds when `--rounds` says nothing. Default: 5. */
  readonly rounds?: number;
  /** By name; `'*'` is every name that is not listed. */
  readonly measures: Readonly<Record<string, Measure>>;
  /** Why it cannot be run here at all; empty when it can. Asked once. */
  readonly missing?: () => string;
  readonly contestants: readonly Contestant[];
}
