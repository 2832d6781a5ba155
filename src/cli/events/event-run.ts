/**
 * The course of every command that prints events until it is ended.
 *
 * @module
 */

import type { DivertEvent } from '../../divert/event.ts';
import type { EventHandle } from '../../divert/event-handle.ts';
import type { OpenOptions } from '../../divert/options.ts';
import { EXIT } from '../exit-code.ts';
import { drainAtEnd, endOf, listenForInterrupt } from '../interrupt.ts';
import { type JsonRecord, printJson } from '../json.ts';
import { plural, print, type Style, styleFor, tell } from '../output.ts';
import {
  clockOffsetNs,
  lossText,
  openOptions,
  type TrafficOptions,
  trafficFilter,
} from '../traffic.ts';

/** How a kind of events is opened and shown. */
export interface EventTask<Event extends DivertEvent> {
  readonly layer: 'flow' | 'socket' | 'reflect';
  /** What there is: `flow events`. */
  readonly what: string;
  readonly open?: OpenOptions;
  format(event: Event, timestampNs: bigint, style: Style): string;
  record(event: Event, timestampNs: bigint): JsonRecord;
}

/**
 * Prints events.
 *
 * @returns the exit code
 */
export async function followEvents<Event extends DivertEvent>(
  text: string,
  options: TrafficOptions,
  task: EventTask<Event>,
): Promise<number> {
  const layered = { ...options, layer: task.layer };
  const filter = trafficFilter(text, layered);
  const interrupt = listenForInterrupt();
  const { open } = await import('../../open.ts');
  const opened = await open(filter, { ...openOptions(layered), ...task.open });
  // The layer decides what kind of handle it is.
  const handle = opened as unknown as EventHandle<Event>;
  tell(`watching ${task.what} (Ctrl-C ends)`);
  const end = endOf(interrupt, options.duration);
  try {
    await drainAtEnd(handle, end, () => printEvents(handle, options, task));
  } finally {
    const { delivered, lost } = handle.stats();
    if (options.json) printJson({ type: 'summary', command: task.layer, events: delivered, lost });
    tell(`${plural(delivered, 'event')}, ${lossText(lost)}`);
  }
  return interrupt.finish(EXIT.OK);
}

async function printEvents<Event extends DivertEvent>(
  handle: EventHandle<Event>,
  { count, json }: TrafficOptions,
  task: EventTask<Event>,
): Promise<void> {
  const style = styleFor(process.stdout);
  const offsetNs = clockOffsetNs();
  let printed = 0;
  for await (const event of handle) {
    const timestampNs = event.timestamp + offsetNs;
    if (json) printJson(task.record(event, timestampNs));
    else print(task.format(event, timestampNs, style));
    if (++printed === count) return;
  }
}
