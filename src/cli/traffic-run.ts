/**
 * The course of every command that takes packets out: open, work until the end, close, summary.
 *
 * @module
 */

import type { NetworkHandle } from '../divert/network-handle.ts';
import type { OpenOptions } from '../divert/options.ts';
import type { Stats } from '../divert/stats.ts';
import { EXIT } from './exit-code.ts';
import { drainAtEnd, endOf, type Interrupt, listenForInterrupt } from './interrupt.ts';
import { printJson } from './json.ts';
import { type OfflineFiles, openOffline } from './offline-backend.ts';
import { StatusLine, tell } from './output.ts';
import { openPackets, type TrafficOptions, tellStats, trafficFilter } from './traffic.ts';

/** Options of these commands. */
export interface RunOptions extends TrafficOptions, OfflineFiles {}

/** A handle, or several threads' parts of one. */
export interface Traffic {
  stats(): Stats | Promise<Stats>;
  shutdown(how: 'receive'): void;
  close(): Promise<void>;
}

/** What a command does with its handle. */
export interface TrafficTask<T extends Traffic = NetworkHandle> {
  /** Name of the command. */
  readonly name: string;
  /** What it is doing: `blocking`. */
  readonly doing: string;
  /** How the handle is opened. */
  readonly open?: OpenOptions;
  /**
   * Works until the handle is shut down.
   *
   * @param run - for work that does not receive
   */
  work(handle: T, run: TrafficRun): Promise<void>;
  /** More for the summary, also said on standard error. */
  summary?(stats: Stats, seconds: number): TrafficSummary;
}

/** Beside what {@link Stats} says. */
export interface TrafficSummary {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly line: string;
}

/** What is going on around the work. */
export interface TrafficRun {
  /** Aborts when the command shall end: a signal, the end of its time. */
  readonly end: AbortSignal;
  /** Resolves when the file was read; undefined on live traffic. */
  readonly finished: Promise<void> | undefined;
}

const RATE_INTERVAL_MS = 1000;

/**
 * Runs a command on live traffic, or over a capture file.
 *
 * @returns the exit code
 */
export async function runOnTraffic(
  text: string,
  options: RunOptions,
  task: TrafficTask,
): Promise<number> {
  const filter = trafficFilter(text, options);
  const interrupt = listenForInterrupt();
  const backend = await openOffline(options);
  const handle = await openPackets(filter, options, { ...task.open, ...(backend && { backend }) });
  if (!options.write) tell(`${task.doing} ${filter.format()}${backend ? '' : ' (Ctrl-C ends)'}`);
  return await workOnTraffic(handle, options, task, interrupt, backend?.finished);
}

/**
 * What comes after opening.
 *
 * @param finished - resolves when a file was read
 * @returns the exit code
 */
export async function workOnTraffic<T extends Traffic>(
  handle: T,
  options: RunOptions,
  task: TrafficTask<T>,
  interrupt: Interrupt,
  finished?: Promise<void>,
): Promise<number> {
  const startedAtMs = performance.now();
  const stopRate = showRate(handle);
  try {
    const run = { end: endOf(interrupt, options.duration), finished };
    await drainAtEnd(handle, run.end, () => task.work(handle, run));
  } finally {
    stopRate();
    tellSummary(await handle.stats(), (performance.now() - startedAtMs) / 1000, options, task);
  }
  return interrupt.finish(EXIT.OK);
}

function tellSummary<T extends Traffic>(
  stats: Stats,
  seconds: number,
  options: RunOptions,
  task: TrafficTask<T>,
): void {
  const more = task.summary?.(stats, seconds);
  if (options.json && options.write !== '-') {
    printJson({ type: 'summary', command: task.name, seconds, ...more?.fields, stats });
  }
  tellStats(stats);
  if (more) tell(more.line);
}

/** Rewrites a line with the rate of the last second until the returned function is called. */
function showRate(handle: Traffic): () => void {
  const line = new StatusLine();
  let before = 0;
  let isShown = true;
  const show = ({ received, dropped, queued, lost }: Stats): void => {
    if (!isShown) return;
    const parts = [`${received} packets`, `${received - before}/s`];
    if (dropped > 0) parts.push(`${dropped} dropped`);
    if (queued > 0) parts.push(`${queued} waiting`);
    line.show([...parts, `${lost.total} lost`].join(', '));
    before = received;
  };
  const timer = setInterval(() => {
    // Who works with the handle hears why it does not answer.
    Promise.resolve(handle.stats()).then(show, () => {});
  }, RATE_INTERVAL_MS);
  return () => {
    isShown = false;
    clearInterval(timer);
    line.clear();
  };
}
