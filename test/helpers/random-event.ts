/** Random filters and addresses of the event layers, in both dialects. */

import { fillFromSocketEvent } from '../../src/divert/event-record.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import type { EventLayer } from '../../src/filter/emit-event-bpf.ts';
import { kernelSetOf } from '../../src/filter/extended/properties.ts';
import { FIELD } from '../../src/filter/fields.ts';
import type { FilterTest } from '../../src/filter/graph.ts';
import type { MatchInput } from '../../src/filter/match-input.ts';
import type { AddressInit } from '../../src/packet/address.ts';
import { inputOf, recordOf } from './event-record.ts';
import type { Random } from './random.ts';
import { randomExtendedFilter, randomProcess, randomSet } from './random-extended.ts';
import { randomFilter, randomTests, sampleOf } from './random-filter.ts';
import { randomAddress } from './random-packet.ts';

export const EVENT_LAYERS: readonly EventLayer[] = ['flow', 'socket', 'reflect'];

/** An event, of a known process or not. */
export function randomEvent(random: Random, layer: EventLayer): AddressInit {
  const process = layer === 'reflect' ? {} : randomProcess(random);
  return { ...randomAddress(random, layer, null), ...process };
}

/** A decision graph, with constants near what one event says. */
export function randomEventTests(
  random: Random,
  layer: EventLayer,
  event: AddressInit,
): readonly FilterTest[] {
  const sample = sampleOf(inputOf(event, layer), layer);
  if (random.chance(30)) return randomTests(random, layer, sample);
  for (;;) {
    try {
      if (random.chance(50)) {
        return compileFilter(randomFilter(random, layer, sample), layer).tests;
      }
      const sets = { a: randomSet(random), b: randomSet(random) };
      const source = randomExtendedFilter(random, layer, sample, ['a', 'b']);
      return compileFilter(source, layer, { dialect: 'extended', sets }).tests;
    } catch {
      // Some go over a limit of the language.
    }
  }
}

/** Whether programs leave a test to the reader: named sets, and the largest. */
export function isLeftToReader(test: FilterTest): boolean {
  return kernelSetOf(test) !== null;
}

/** Whether a test is of the local end. */
export function isOfLocalEnd({ field }: FilterTest): boolean {
  return field === FIELD.localAddr || field === FIELD.localPort;
}

/** An event as a record, and what filters are evaluated on as the record has it. */
export function recordedEvent(
  event: AddressInit,
  layer: EventLayer,
): { readonly record: Uint8Array; readonly input: MatchInput } {
  const input = inputOf(event, layer);
  const record = recordOf(input, layer);
  // In a record, a process without a name is not known.
  if (layer !== 'reflect') fillFromSocketEvent(input, new DataView(record.buffer));
  return { record, input };
}
