/**
 * One round: a random filter held against random packets by several engines. The seed of a round is all
 * that is needed to run it again.
 *
 * @module
 */

import { FilterError } from '../../src/errors.ts';
import { fillAddress } from '../../src/filter/address-fields.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import type { Filter } from '../../src/filter/filter.ts';
import { MatchInput } from '../../src/filter/match-input.ts';
import { writeObject } from '../../src/filter/object.ts';
import { type AddressInit, LAYERS, type Layer } from '../../src/packet/address.ts';
import type { FilterEngine, PreparedFilter, Verdict } from '../conformance/filter-engine.ts';
import { Random } from '../helpers/random.ts';
import { randomExtendedFilter, randomProcess, randomSet } from '../helpers/random-extended.ts';
import { randomFilter, randomTests, type Sample, sampleOf } from '../helpers/random-filter.ts';
import { randomAddress, randomPacket } from '../helpers/random-packet.ts';

const INPUTS = 24;

/** How often the reference said what, and how often other engines did not know. */
export type Tally = Record<`${Verdict}`, number>;

interface Input {
  readonly packet: Uint8Array | null;
  readonly address: AddressInit;
}

/**
 * Runs a round.
 *
 * @param engines - the first is the reference; `unknown` of another one is not a difference
 * @param tally - counted up
 * @param layers - to choose from
 * @throws Error that says all there is to know when engines differ
 */
export function runRound(
  seed: number,
  engines: readonly FilterEngine[],
  tally: Tally,
  layers: readonly Layer[] = LAYERS,
): void {
  const random = new Random(seed);
  const layer = random.pick(layers);
  const inputs = Array.from({ length: INPUTS }, () => randomInput(random, layer));
  const filter = randomCompiled(random, layer, sampleFrom(inputs[0]!, layer));
  if (filter === null) return;
  const runners = engines
    .filter((engine) => engine.layers.includes(layer))
    .map((engine) => ({ engine, prepared: engine.prepare(filter) }));
  try {
    for (const input of inputs) compare(seed, filter, input, runners, tally);
  } finally {
    for (const { prepared } of runners) prepared.close?.();
  }
}

function randomInput(random: Random, layer: Layer): Input {
  const onPackets = layer === 'network' || layer === 'forward';
  const packet = onPackets || random.chance(2) ? randomPacket(random) : null;
  return {
    packet,
    address: { ...randomAddress(random, layer, packet), ...randomOwner(random, layer) },
  };
}

/** The process of a packet; events have a process id of their own. */
function randomOwner(random: Random, layer: Layer): AddressInit {
  const { processId, ...user } = randomProcess(random);
  return layer === 'network' && processId !== undefined ? { processId, ...user } : user;
}

function sampleFrom({ packet, address }: Input, layer: Layer): Sample {
  const input = new MatchInput();
  fillAddress(input, address, layer);
  if (packet !== null) {
    input.memory = packet;
    input.length = packet.length;
  }
  return sampleOf(input, layer);
}

/** From text, or from an object string; null for the few texts that do not compile. */
function randomCompiled(random: Random, layer: Layer, sample: Sample): Filter | null {
  if (random.chance(40)) return randomExtended(random, layer, sample);
  const source = random.chance(25)
    ? writeObject(randomTests(random, layer, sample))
    : randomFilter(random, layer, sample);
  try {
    return compileFilter(source, layer);
  } catch (error) {
    if (error instanceof FilterError) return null;
    throw error;
  }
}

/** Of the extended dialect; null for the few that are too long. */
function randomExtended(random: Random, layer: Layer, sample: Sample): Filter | null {
  const sets = { a: randomSet(random), b: randomSet(random) };
  const source = randomExtendedFilter(random, layer, sample, Object.keys(sets));
  try {
    return compileFilter(source, layer, { dialect: 'extended', sets });
  } catch (error) {
    if (error instanceof FilterError && error.code === 'too-long') return null;
    throw error;
  }
}

function compare(
  seed: number,
  filter: Filter,
  { packet, address }: Input,
  runners: readonly { engine: FilterEngine; prepared: PreparedFilter }[],
  tally: Tally,
): void {
  const [reference, ...others] = runners;
  const expected = reference!.prepared.matches(packet, address);
  tally[`${expected}`]++;
  for (const { engine, prepared } of others) {
    const actual = prepared.matches(packet, address);
    if (actual === 'unknown') tally.unknown++;
    else if (actual !== expected) {
      throw new Error(
        [
          `SEED=${seed}: ${reference!.engine.name} says ${expected}, ${engine.name} says ${actual}`,
          `${filter.layer}: ${filter.source}`,
          packet === null ? 'no packet' : Buffer.from(packet).toString('hex'),
          JSON.stringify(address, (_, value) => (typeof value === 'bigint' ? `${value}` : value)),
        ].join('\n'),
      );
    }
  }
}
